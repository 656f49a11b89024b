# SPDX-License-Identifier: AGPL-3.0-or-later
"""One defect per vector (tests/vectors/tpm2/defects.json), each with its verdict and code.

A vector is evidence of a paper TPM, made with other values (`tpm`, `public`, `clear` and `set` attribute bits, `key`,
`bank`), and then changed: `without` and `add` members, `append`, `splice` (member, offset, count, hex; `xor` of the
byte where the hex says so), `upper`. `demand` changes the trust, `seen` what was seen earlier, `seconds` the time,
`challenge` cuts the challenge.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from attestation.errors import MalformedError, UnsupportedError
from attestation.tpm2 import appraise
from attestation.tpm2.ak import load_ak
from attestation.tpm2.counters import Counters
from tests.attestation.paper import AT, CHALLENGE, PaperTpm, booted_pcrs, codes, key_pair, public_area
from tests.attestation.paper import trust as paper_trust

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "tpm2"
DEFECTS = json.loads((VECTORS / "defects.json").read_text())


def value(told: Any) -> Any:
    return bytes.fromhex(told["hex"]) if isinstance(told, dict) else told


def build(vector: dict[str, Any]) -> dict[str, bytes]:
    settings = {name: value(told) for name, told in vector.get("tpm", {}).items()}
    key = key_pair(vector.get("key", "p256"))
    attributes = public_area(key).attributes & ~vector.get("clear", 0) | vector.get("set", 0)
    if "bank" in vector:
        settings["pcrs"] = booted_pcrs(vector["bank"])
    changes = {**vector.get("public", {}), "attributes": attributes}
    members = PaperTpm(key=key, public_changes=changes, **settings).members()
    for name in vector.get("without", ()):
        del members[name]
    members |= {name: bytes.fromhex(text) for name, text in vector.get("add", {}).items()}
    if "append" in vector:
        name, text = vector["append"]
        members[name] += bytes.fromhex(text)
    if "splice" in vector:
        name, offset, count, text = vector["splice"]
        data = members[name]
        offset %= len(data)
        new = bytes([data[offset] ^ int(text[3:], 16)]) if text.startswith("xor") else bytes.fromhex(text)
        members[name] = data[:offset] + new + data[offset + count :]
    if "upper" in vector:
        members[vector["upper"]] = members[vector["upper"]].upper()
    return members


def outcome(vector: dict[str, Any]) -> tuple[str, set[str]]:
    members = build(vector)
    demand = {k: frozenset(v) if k == "required_pcrs" else v for k, v in vector.get("demand", {}).items()}
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in demand.items()}
    if "seen" in vector:
        settings["last_seen"] = {load_ak(members).fingerprint: Counters(*vector["seen"])}
    try:
        appraisal = appraise(
            members,
            challenge=CHALLENGE[: vector.get("challenge", 32)],
            at=AT + timedelta(seconds=vector.get("seconds", 0)),
            trust=paper_trust(**settings),
        )
    except MalformedError as error:
        return "MALFORMED", {error.code}
    except UnsupportedError as error:
        return "UNVERIFIABLE", {error.code}
    verdict = "REJECT" if appraisal.failed else "UNVERIFIABLE" if appraisal.missing else "ACCEPT"
    assert appraisal.passed is (verdict == "ACCEPT")
    found = appraisal.failed or appraisal.missing
    return verdict, {check.code for check in found} or set(codes(appraisal).values())


@pytest.mark.parametrize("vector", DEFECTS, ids=[vector["name"] for vector in DEFECTS])
def test_defect(vector):
    verdict, found = outcome(vector)
    assert verdict == vector["verdict"]
    assert found - set(vector.get("also", ())) == {vector["code"]}


def test_without_defect_all_is_well():
    assert outcome({}) == ("ACCEPT", set())
    assert len({vector["name"] for vector in DEFECTS}) == len(DEFECTS) >= 50
