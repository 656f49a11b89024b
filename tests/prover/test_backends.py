# SPDX-License-Identifier: AGPL-3.0-or-later
"""The verifier's two backends agree word for word."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from tests.prover.edges import words
from verifier.proof import compiled, portable, vectors

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 70), st.integers(1, 5))


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), SHAPES)
def test_the_verifiers_backends_agree(seed, shape):
    """numba against numpy, over shapes that reach both of numpy's ways; `test_field` holds numpy to single elements."""
    rng, (x, n, y) = np.random.default_rng(seed), shape
    cube, vector = words(rng, 2, x, n, y), words(rng, 2, n)
    bits = (n - 1).bit_length()
    rows = words(rng, x, 1 << bits)
    cases = {
        "multiply": (words(rng, 2, n), words(rng, 2, n)),
        "outer": (words(rng, 2, x), vector),
        "eq_vector": (words(rng, 2, bits), n),
        "dot": (words(rng, 2, n), vector),
        "contract": (cube, vector),
        "sum_middle": (cube,),
        "matmul": (words(rng, 2, x, n), words(rng, 2, n, y)),
    }
    shared = {k for k, v in vars(compiled).items() if isinstance(v, Dispatcher)} & vars(portable).keys()
    assert shared == {*cases, "transform"}
    for name, arguments in cases.items():
        np.testing.assert_array_equal(getattr(compiled, name)(*arguments), getattr(portable, name)(*arguments), name)
    other = rows.copy()
    compiled.transform(rows, vectors.roots(bits))
    portable.transform(other, vectors.roots(bits))
    np.testing.assert_array_equal(rows, other)
