# SPDX-License-Identifier: AGPL-3.0-or-later
"""One value, one encoding, one commitment."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from verifier import MalformedError
from verifier.tensors import MAGIC, Opening, commit, decode_tensors, encode_tensors

ARRAYS = st.sampled_from([8, 16, 32, 64]).flatmap(
    lambda bits: hnp.arrays(
        np.int64,
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
        elements=st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
    )
)
TENSORS = st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), ARRAYS, max_size=3)
SALTS = st.sampled_from([b"", b"\x07" * 32])


@given(TENSORS, SALTS)
def test_round_trip(tensors, salt):
    opening = decode_tensors(encode_tensors(tensors, salt))
    assert opening.salt == salt
    assert opening.tensors.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(opening.tensors[name], array)
        assert opening.tensors[name].shape == array.shape


def test_known_bytes():
    data = encode_tensors({"b": np.array([[1, -1]]), "a": np.array(300)})
    expected = (
        MAGIC + b"\x00" + struct.pack("<H", 2)
        + b"\x01a" + b"\x02\x00" + struct.pack("<h", 300)
        + b"\x01b" + b"\x01\x02" + struct.pack("<II", 1, 2) + b"\x01\xff"
    )  # fmt: skip
    assert data == expected
    assert commit({"b": np.array([[1, -1]]), "a": np.array(300)}) == hashlib.sha256(expected).digest()


@given(st.binary(max_size=200), st.booleans())
def test_hostile_bytes_give_typed_errors_only(data, with_magic):
    data = MAGIC + data if with_magic else data
    try:
        opening = decode_tensors(data)
    except MalformedError:
        return
    assert opening.encode() == data


def test_every_single_bit_flip_is_refused_or_another_value():
    tensors = {"x": np.array([[1, 2], [3, 400]])}
    data = encode_tensors(tensors, b"\x05" * 32)
    for bit in range(8 * len(data)):
        mutant = bytearray(data)
        mutant[bit // 8] ^= 1 << (bit % 8)
        try:
            opening = decode_tensors(bytes(mutant))
        except MalformedError:
            continue
        assert opening.encode() == mutant
        assert commit(opening.tensors, opening.salt) != commit(tensors, b"\x05" * 32)


@pytest.mark.parametrize(
    "tail",
    [
        b"\x00" + struct.pack("<H", 1) + b"\x01x" + b"\x01\x02" + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF),
        b"\x00" + struct.pack("<H", 1) + b"\x01x" + b"\x08\x01" + struct.pack("<I", 1) + bytes(8),  # width 8 for a 0
        b"\x01s" + struct.pack("<H", 0),
        b"\x00" + struct.pack("<H", 1) + b"\x00" + b"\x01\x00\x00",
        b"\x00" + struct.pack("<H", 1) + b"\x01\xff" + b"\x01\x00\x00",
        b"\x00" + struct.pack("<H", 2) + 2 * (b"\x01x" + b"\x01\x00\x00"),
        b"\x00" + struct.pack("<H", 0) + b"x",
    ],
)
def test_refused(tail):
    with pytest.raises(MalformedError):
        decode_tensors(MAGIC + tail)


def test_salt_hides_and_order_does_not_matter():
    left = {"a": np.array([1]), "b": np.array([2])}
    right = {"b": np.array([2]), "a": np.array([1])}
    assert commit(left) == commit(right)
    assert commit(left, b"\x01" * 32) != commit(left, b"\x02" * 32) != commit(left)
    assert Opening(left, b"").encode() == encode_tensors(right)
