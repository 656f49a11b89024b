# SPDX-License-Identifier: AGPL-3.0-or-later
"""The trace commitment: RFC 6962's tree over salted, indexed, named tensors."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier import MalformedError
from verifier.trace import first_difference, leaf, leaves, root, split_leaves


def rfc6962(hashes: list[bytes]) -> bytes:
    """The definition in section 2.1, recursive and slow."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + rfc6962(hashes[:split]) + rfc6962(hashes[split:])).digest()


@given(st.integers(1, 70))
def test_root_is_rfc_6962(count):
    hashes = [hashlib.sha256(bytes([i])).digest() for i in range(count)]
    assert root(hashes) == rfc6962(hashes)


def test_leaf_depends_on_everything():
    array = np.array([[1, 2]])
    seen = {
        leaf(0, "a", array),
        leaf(1, "a", array),
        leaf(0, "b", array),
        leaf(0, "a", array.T),
        leaf(0, "a", array + 1),
        leaf(0, "a", array, b"\x01" * 32),
        leaf(0, "a", array, b"\x02" * 32),
    }
    assert len(seen) == 7


def test_first_difference():
    a, b, c = (bytes([i]) * 32 for i in range(3))
    assert first_difference([a, b], [a, b]) is None
    assert first_difference([a, b], [a, c]) == 1
    assert first_difference([a], [a, c]) == 1
    assert first_difference([a, b, c], [a, c, c]) == 1


def test_split():
    digests = tuple(leaves(["a", "b"], [np.array([1]), np.array([2])]))
    assert split_leaves(b"".join(digests)) == digests
    for data in (b"", b"x" * 31, b"x" * 33, bytes(32 * ((1 << 16) + 1))):
        with pytest.raises(MalformedError) as error:
            split_leaves(data)
        assert error.value.code == "trace.leaves.malformed"
    with pytest.raises(MalformedError):
        root([])
