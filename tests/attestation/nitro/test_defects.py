# SPDX-License-Identifier: AGPL-3.0-or-later
"""One defect per vector (tests/vectors/nitro/defects.json), each with its verdict and code.

A vector is a real document with bytes replaced (`splice`: offset, count, hex) or one of the signature's numbers, or a
document of one's own, signed again after `fields`, `pcrs` or `without` changed what is in it.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import cbor2
import pytest

from attestation.errors import MalformedError, UnsupportedError
from attestation.nitro import NitroTrust, appraise
from tests.attestation.nitro.paper import AT, CHALLENGE, REAL, VECTORS, authority, document, faults, fields, seal

DEFECTS = json.loads((VECTORS / "defects.json").read_text())


def value(told: Any) -> Any:
    if isinstance(told, dict):
        return bytes(told["zeros"]) if "zeros" in told else bytes.fromhex(told["hex"])
    return told


def build(vector: dict[str, Any]) -> bytes:
    if vector["base"] != "paper":
        data = document(vector["base"])
        if "splice" in vector:
            offset, count, text = vector["splice"]
            data = data[:offset] + bytes.fromhex(text) + data[offset + count :]
        for index, number in enumerate(vector.get("signature", ())):
            if number is not None:
                end = len(data) - 48 * (1 - index)
                data = data[: end - 48] + bytes.fromhex(number).rjust(48, b"\0") + data[end:]
        return data
    found = fields(**{name: value(told) for name, told in vector.get("fields", {}).items()})
    found.pop(vector.get("without", ""), None)
    if "pcrs" in vector:
        base = {} if vector.get("only") else found["pcrs"]
        found["pcrs"] = {**base, **{int(index): value(told) for index, told in vector["pcrs"].items()}}
    payload = cbor2.dumps(found)
    if vector.get("indefinite"):
        assert payload[0] == 0xA0 | len(found)
        payload = b"\xbf" + payload[1:] + b"\xff"
    return seal(payload)


def outcome(vector: dict[str, Any]) -> tuple[str, set[str]]:
    real = vector["base"] != "paper"
    settings = {"aws": {}, "nothing": {"roots": ()}}.get(
        vector.get("trust", "aws" if real else ""), {"roots": (authority()[0].der,)}
    )
    at = (REAL[vector["base"]] if real else AT) + timedelta(seconds=vector.get("seconds", 0))
    try:
        appraisal = appraise(
            {"document": build(vector)}, challenge=None if real else CHALLENGE, at=at, trust=NitroTrust(**settings)
        )
    except MalformedError as error:
        return "MALFORMED", {error.code}
    except UnsupportedError as error:
        return "UNVERIFIABLE", {error.code}
    verdict = "REJECT" if appraisal.failed else "UNVERIFIABLE" if appraisal.missing else "ACCEPT"
    assert appraisal.passed is (verdict == "ACCEPT")
    return verdict, faults(appraisal)


@pytest.mark.parametrize("vector", DEFECTS, ids=[vector["name"] for vector in DEFECTS])
def test_defect(vector):
    verdict, codes = outcome(vector)
    assert verdict == vector["verdict"]
    if "code" in vector:
        assert vector["code"] in codes
        # One defect: nothing else is wrong, except that a wrong time makes the document's own date wrong, too.
        assert {code for code in codes if "timestamp" not in code} <= {vector["code"]}
    else:
        assert codes == set()


def test_names_are_unique_and_there_are_enough():
    assert len({vector["name"] for vector in DEFECTS}) == len(DEFECTS) >= 40
