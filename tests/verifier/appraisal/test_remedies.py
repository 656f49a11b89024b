# SPDX-License-Identifier: AGPL-3.0-or-later
"""Remedies go by the endings of codes that formats really have."""

from __future__ import annotations

import pytest

from attestation.codes import CODES
from verifier.appraisal.remedies import REMEDIES, remedy_for


@pytest.mark.parametrize("ending", [ending for ending, _ in REMEDIES])
def test_every_ending_is_some_codes(ending):
    assert any(code.startswith("evidence.") and code.endswith(ending) for code in CODES)


def test_none_where_only_other_evidence_helps():
    assert remedy_for("") == "" == remedy_for("evidence.tdx.signature-invalid")
    assert "nonce" in remedy_for("evidence.snp.challenge-mismatch")
