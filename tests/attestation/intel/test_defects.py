# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real quotes with one defect each, as data: tests/vectors/{tdx,sgx}/defects.json.

An entry names base file, collateral (glob patterns) and time, then one defect: `patch` (offset and hex), `cut` (length
that is left, or what goes at the end), `append`, `repeat`, another `challenge`, `at` or `collateral`; and the verdict
with its code.
"""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from attestation import sgx, tdx
from attestation.errors import MalformedError, UnsupportedError
from tests.attestation.intel.judging import collateral, vector

pytest.importorskip("dcap_qvl")

SCHEMES = {"tdx": tdx, "sgx": sgx}
DEFECTS = [entry for folder in SCHEMES for entry in json.loads(vector(f"{folder}/defects.json"))]


def spoiled(entry):
    data = bytearray(vector(entry["base"]))
    for offset, value in entry["patch"]:
        new = bytes.fromhex(value)
        assert data[offset : offset + len(new)] != new, "a patch that changes nothing"
        data[offset : offset + len(new)] = new
    data = data[: entry["cut"]] if "cut" in entry else data
    return bytes(data) * entry.get("repeat", 1) + bytes.fromhex(entry.get("append", ""))


def verdict(entry):
    """The verdict and all codes that speak for it."""
    scheme = SCHEMES[entry["format"]]
    challenge = bytes.fromhex(entry["challenge"]) if "challenge" in entry else None
    try:
        appraisal = scheme.appraise(
            scheme.read(spoiled(entry)),
            challenge=challenge,
            at=datetime.fromisoformat(entry["at"]),
            trust=scheme.FORMAT.trust_class(),
            collateral=collateral(*entry["collateral"]),
        )
    except MalformedError as error:
        return "MALFORMED", {error.code}
    except UnsupportedError as error:
        return "UNVERIFIABLE", {error.code}
    if appraisal.failed:
        return "REJECT", {check.code for check in appraisal.failed}
    return ("ACCEPT", {""}) if appraisal.passed else ("UNVERIFIABLE", {check.code for check in appraisal.missing})


@pytest.mark.parametrize("entry", DEFECTS, ids=[f"{entry['format']}: {entry['name']}" for entry in DEFECTS])
def test_defect(entry):
    found, codes = verdict(entry)
    assert (found, entry["code"] in codes) == (entry["verdict"], True), (found, codes)
