# SPDX-License-Identifier: AGPL-3.0-or-later
"""Input files: whatever the bytes, arrays or a typed error."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affidavit.cli.files import parse_arrays
from verifier.errors import MalformedError


def _archive(compressed: bool) -> bytes:
    out = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(out, x=np.arange(200, dtype=np.float32), y=np.arange(3))
    return out.getvalue()


GOOD = (_archive(False), _archive(True))
CHANGES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.fuzz
@given(st.sampled_from(GOOD), CHANGES)
def test_npz(good, changes):
    content = bytearray(good)
    for place, value in changes:
        content[place % len(content)] = value
    with contextlib.suppress(MalformedError):
        arrays = parse_arrays(bytes(content), "x.npz")
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
