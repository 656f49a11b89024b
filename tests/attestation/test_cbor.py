# SPDX-License-Identifier: AGPL-3.0-or-later
"""CBOR from strangers: one reading, bounded, typed."""

from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.cbor import MAX_DEPTH, decode
from attestation.errors import MalformedError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 64), (1 << 64) - 1) | st.binary() | st.text() | st.floats(0, 9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_was_written_is_read(value):
    assert decode(cbor2.dumps(value), "evidence.x", "x") == value


@pytest.mark.parametrize(
    "data",
    [
        "", "ff", "18", "1800", "1817", "190001", "1900ff", "1a0000ffff", "1b00000000ffffffff", "1c", "1f",  # integers
        "41", "5801", "5f4100ff", "7f6161ff", "61ff", "62c328",  # strings
        "81", "9f00ff", "9b7fffffffffffffff", "a1", "a100", "a1000001", "a200010002", "bf00ff", "bb7fffffffffffffff",
        "a1a00000", "c000", "c249010000000000000000", "d9d9f700", "d818f6", "f7", "f0", "f8ff", "fa", "0000",
    ],
)  # fmt: skip
def test_what_has_another_reading_or_none(data):
    with pytest.raises(MalformedError) as caught:
        decode(bytes.fromhex(data), "evidence.x", "x")
    assert caught.value.code == "evidence.x"


def test_tags_only_where_they_are_expected():
    tagged = cbor2.dumps(cbor2.CBORTag(18, [1]))
    assert decode(tagged, "evidence.x", "x", tags={18}).tag == 18
    for tags in (set(), {19}):
        with pytest.raises(MalformedError):
            decode(tagged, "evidence.x", "x", tags=tags)


def test_depth_and_count_are_bounded():
    assert decode(b"\x81" * (MAX_DEPTH - 1) + b"\x00", "evidence.x", "x")
    for data in (b"\x81" * (MAX_DEPTH + 1) + b"\x00", b"\x81" * 1_000_000, b"\x9a\x00\x01\x86\xa1" + b"\x00" * 100_001):
        with pytest.raises(MalformedError):
            decode(data, "evidence.x", "x")


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_hostile_bytes_have_typed_outcomes(data):
    with contextlib.suppress(MalformedError):
        decode(data, "evidence.x", "x", tags={18, 61})
