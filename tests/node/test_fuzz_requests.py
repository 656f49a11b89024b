# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile requests and answers: a few in each test run, many more with `make fuzz`."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.fuzz_requests import fuzz_answers, fuzz_box, fuzz_sealed_content, fuzz_submission
from verifier.tensors import encode_tensors

HEX32 = "ab" * 32
SALTED = encode_tensors({}, b"\x01" * 32)
MODEL = b"\x07" * 32
KEY = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(HEX32)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
members = st.sampled_from(["model", "nonce", "policy", "inputs", "opening", "sealed", "embed_input", "embed_circuit"])
submissions = st.dictionaries(members, values).map(lambda value: json.dumps(value).encode())
near = st.builds(
    lambda key, data: json.dumps({"model": HEX32, "nonce": HEX32, key: base64.b64encode(data).decode()}).encode(),
    st.sampled_from(["opening", "sealed"]),
    st.binary(max_size=80) | st.binary(max_size=20).map(lambda tail: encode_tensors({}) + tail),
)


@pytest.mark.fuzz
@given(st.binary(max_size=300) | submissions | near)
@example(b"[" * 100_000)
@example(b'{"inputs":' + b"[" * 100_000)
@example(json.dumps({"model": HEX32, "nonce": HEX32, "sealed": "AAAA"}).encode())
def test_hostile_submissions(data: bytes) -> None:
    fuzz_submission(data)


@pytest.mark.fuzz
@given(
    st.binary(max_size=200)
    | st.binary(max_size=120).map(lambda tail: b"AFFSEAL1" + bytes(range(32)) + MODEL + tail)
    | st.binary(max_size=40).map(lambda tail: b"AFFSEAL1" + bytes(range(32)) + MODEL + KEY + SALTED + tail)
)
@example(b"AFFSEAL1" + bytes(range(32)) + MODEL + KEY + SALTED)
def test_hostile_content_of_a_box(data: bytes) -> None:
    fuzz_sealed_content(data)


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_hostile_boxes(data: bytes) -> None:
    fuzz_box(data)


@pytest.mark.fuzz
@given(
    st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(["id", "state", "error", "signing", "sealing", "challenge", "signature", "evidence"]), values
    ).map(lambda value: json.dumps(value).encode())
)
@example(b"[" * 100_000)
def test_hostile_answers(data: bytes) -> None:
    fuzz_answers(data)
