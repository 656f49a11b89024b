# SPDX-License-Identifier: AGPL-3.0-or-later
"""The JSON form of a result says what was found, and shows an answer on ACCEPT only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from tests.verifier.making import AT, NODE, NONCE, Making, public, trusting
from verifier import Known, Result, Verdict, verify
from verifier.keys import key_id
from verifier.report import MAX_LISTED_ELEMENTS, result_json, tensor_json


def accepted() -> Result:
    making = Making()
    known = Known(circuit=making.circuit, inputs=making.inputs, nonce=NONCE)
    return verify(making.build(), at=AT, policy=trusting(), known=known)


def test_an_accepted_affidavit_shows_its_answer() -> None:
    result = accepted()
    document = json.loads(json.dumps(result_json(result, AT), allow_nan=False))
    assert (document["verdict"], document["exit_code"], document["code"]) == ("ACCEPT", 0, "")
    assert document["at"] == "2026-11-21T12:00:00Z"
    assert result.answer is not None
    np.testing.assert_array_equal(np.array(document["answer"]["y"]["values"]), result.answer["y"])
    assert [check["id"] for check in document["checks"]] == [check.id for check in result.checks]
    assert document["score"]["permille"] == result.score.permille
    assert float(document["score"]["value"]) == result.score.permille / 1000
    assert sum(component["weight"] for component in document["score"]["components"]) == 100
    layers = {layer["name"]: layer for layer in document["ledger"]["layers"]}
    assert layers["rechecked"]["reached"] and not layers["proved"]["reached"]
    assert [gate["name"] for gate in document["ledger"]["gates"]] == ["hidden", "relu", "logits"]
    claims = document["claims"]["receipt"]
    assert claims["keyId"] == key_id(public(NODE)) and claims["nonce"] == NONCE.hex()
    assert claims["unsupported"] == [] and "proof" not in claims


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.ACCEPT])
def test_no_other_verdict_shows_an_answer(verdict: Verdict) -> None:
    document = result_json(replace(accepted(), verdict=verdict), AT)
    assert document["answer"] is None
    assert document["exit_code"] == verdict.exit_code


def test_what_cannot_be_read_has_no_claims() -> None:
    document = result_json(verify(b"", at=AT), AT)
    assert document["verdict"] == "MALFORMED" and document["claims"] == {"receipt": None, "evidence": []}
    assert document["score"]["value"] == "0.000"


def test_the_time_is_given_in_utc() -> None:
    at = datetime(2026, 11, 21, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert result_json(verify(b"", at=at), at)["at"] == "2026-11-21T12:00:00Z"


def test_claims_of_any_kind_become_json() -> None:
    claims = {"a": b"\x01", "b": (1, None, True), "c": {2: {"x"}}, "d": frozenset({b"\x02", b"\x01"}), "e": AT}
    document = result_json(replace(accepted(), claims=(claims,)), AT)
    assert document["claims"]["evidence"] == [
        {"a": "01", "b": [1, None, True], "c": {"2": ["x"]}, "d": ["01", "02"], "e": AT.isoformat()}
    ]


def test_small_tensors_are_listed_and_large_ones_named() -> None:
    small = np.arange(MAX_LISTED_ELEMENTS, dtype=np.float64).reshape(2, -1)
    assert tensor_json(small) == {"dtype": "float64", "shape": [2, 2048], "values": small.tolist()}
    large = np.arange(MAX_LISTED_ELEMENTS + 1, dtype=np.int64)
    digest = hashlib.sha256(large.astype("<i8").tobytes()).hexdigest()
    assert tensor_json(large) == {"dtype": "int64", "shape": [MAX_LISTED_ELEMENTS + 1], "sha256": digest}
    assert tensor_json(large[::-1][:2])["values"] == [4096, 4095]


def test_what_json_cannot_say_is_named() -> None:
    endless = np.array([np.inf, 1.0])
    assert "values" not in tensor_json(endless)
    swapped = endless.astype(">f8")
    assert tensor_json(swapped)["sha256"] == tensor_json(endless)["sha256"]


def test_the_time_must_be_aware() -> None:
    with pytest.raises(ValueError, match="time zone"):
        verify(b"", at=datetime(2026, 1, 1))  # noqa: DTZ001
    assert AT.tzinfo is UTC
