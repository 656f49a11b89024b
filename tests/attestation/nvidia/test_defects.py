# SPDX-License-Identifier: AGPL-3.0-or-later
"""One defect per vector (tests/vectors/nvidia/defects.json), each with its verdict and code.

A vector is a real report with its chain, where `splice` (member, offset, count, hex) or `append` (member, hex) changes
bytes and `chain` takes another's; or a device of one's own with other `fields`, signed by its key.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from attestation.errors import MalformedError, UnsupportedError
from attestation.nvidia import NvidiaTrust, appraise_gpus, appraise_switches, read_gpus
from tests.attestation.nvidia.paper import AT, LOOSE, NONCE, device, device_root, faults, report, vector, with_chain
from tests.attestation.nvidia.published import PAIRS, SWITCH

DEFECTS = json.loads(vector("defects.json"))
FILES = {**PAIRS, "ls10": SWITCH}


def build(told: dict[str, Any]) -> dict[str, bytes]:
    if told["base"] == "paper":
        fields = {int(number): bytes.fromhex(value) for number, value in told.get("fields", {}).items()}
        return {"report_0": report(fields={**device().fields, **fields}), "chain_0": device().der}
    members = read_gpus(with_chain(*FILES[told["base"]]))
    if "splice" in told:
        name, offset, count, text = told["splice"]
        data = members[name]
        members[name] = data[:offset] + bytes.fromhex(text) + data[offset + count :]
    if "append" in told:
        name, text = told["append"]
        members[name] += bytes.fromhex(text)
    if "chain" in told:
        members["chain_0"] = read_gpus(with_chain(*FILES[told["chain"]]))["chain_0"]
    return members


def outcome(told: dict[str, Any]) -> tuple[str, set[str]]:
    paper = told["base"] == "paper"
    roots = {"paper": (device_root().der,), "nothing": ()}.get(told.get("trust", "paper" if paper else ""))
    settings: dict[str, Any] = {**LOOSE, **({} if roots is None else {"device_roots": roots})}
    settings |= {told["demand"]: True} if "demand" in told else {}
    switch = told.get("switch", told["base"] == "ls10")
    try:
        appraisal = (appraise_switches if switch else appraise_gpus)(
            build(told),
            challenge=bytes.fromhex(told["challenge"]) if "challenge" in told else NONCE if paper else None,
            at=datetime(told["year"], 1, 1, tzinfo=UTC) if "year" in told else AT,
            trust=NvidiaTrust(**settings, device_count=told.get("count")),
        )
    except MalformedError as error:
        return "MALFORMED", {error.code}
    except UnsupportedError as error:
        return "UNVERIFIABLE", {error.code}
    verdict = "REJECT" if appraisal.failed else "UNVERIFIABLE" if appraisal.missing else "ACCEPT"
    assert appraisal.passed is (verdict == "ACCEPT")
    return verdict, faults(appraisal)


CONSEQUENCES = {
    # A missing RIM leaves measurements uncompared; another device's chain has another key and firmware.
    "rims-demanded": {"measurement-incomplete"},
    "chain-of-another-device": {"fwid-mismatch"},
    "chain-of-a-switch": {"fwid-mismatch", "signature-invalid"},
}


@pytest.mark.parametrize("told", DEFECTS, ids=[told["name"] for told in DEFECTS])
def test_defect(told):
    verdict, codes = outcome(told)
    assert verdict == told["verdict"]
    also = {f"evidence.nvidia.{code}" for code in CONSEQUENCES.get(told["name"], ())}
    assert codes == ({told["code"]} | also if "code" in told else set())


def test_names_are_unique_and_there_are_enough():
    assert len({told["name"] for told in DEFECTS}) == len(DEFECTS) >= 40
