# SPDX-License-Identifier: AGPL-3.0-or-later
"""Canonical CBOR against an independent implementation (cbor2), and its refusals."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits import MalformedError
from circuits.canonical_cbor import decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | st.binary(max_size=30)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), inner, max_size=5)
    ),
    max_leaves=20,
)


def read(data: bytes) -> object:
    return decode(data, max_depth=12, max_items=1000)


@settings(max_examples=300)
@given(value=VALUES)
def test_agrees_with_cbor2(value: object) -> None:
    data = encode(value)
    assert data == cbor2.dumps(value, canonical=True)
    assert read(data) == value


@settings(max_examples=500)
@given(data=st.binary(max_size=40))
def test_what_decodes_is_canonical(data: bytes) -> None:
    try:
        value = read(data)
    except MalformedError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "truncated"),
        ("18", "truncated"),
        ("4201", "truncated"),
        ("9affffffff", "truncated"),
        ("0000", "trailing"),
        ("1817", "not-canonical"),
        ("1900ff", "not-canonical"),
        ("1a0000ffff", "not-canonical"),
        ("1b00000000ffffffff", "not-canonical"),
        ("5800", "not-canonical"),
        ("fb3ff0000000000000", "not-canonical"),
        ("fa3f800000", "not-canonical"),
        ("f97e00", "not-canonical"),
        ("f97c00", "not-canonical"),
        ("a2616200616100", "not-canonical"),
        ("a2616100616100", "not-canonical"),
        ("a10000", "type"),
        ("9fff", "type"),
        ("1c", "type"),
        ("c000", "type"),
        ("f7", "type"),
        ("f820", "type"),
        ("61ff", "type"),
        ("81" * 14 + "80", "too-deep"),
        ("9903e9" + "00" * 1001, "too-many-items"),
    ],
)
def test_refusals(data: str, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(bytes.fromhex(data))
    assert caught.value.code == f"circuit.cbor.{code}"


@pytest.mark.parametrize("value", [1 << 64, float("nan"), float("inf"), {1: 2}, {"a": object()}, "\ud800"])
def test_values_without_an_encoding(value: object) -> None:
    with pytest.raises(MalformedError) as caught:
        encode(value)
    assert caught.value.code == "circuit.cbor.value"
