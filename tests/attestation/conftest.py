# SPDX-License-Identifier: AGPL-3.0-or-later
"""One software TPM for all tests that need one; each test opens its own connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from attestation.tpm2.software import SoftwareTpm
from tests.attestation.paper import SOFTWARE


@pytest.fixture(scope="session")
def software_tpm() -> Iterator[SoftwareTpm]:
    """A running software TPM with an RSA EK (mark the test `swtpm`)."""
    with SoftwareTpm(SOFTWARE) as tpm:
        yield tpm
