# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuits so small that a proof is checked in a millisecond or two; together they have every kind of gate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from circuits import Circuit, CircuitBuilder


def convolution() -> Circuit:
    """conv, requant that clamps by a table, max_pool, reshape, dense."""
    rng = np.random.default_rng(1)
    b = CircuitBuilder()
    t = b.input("x", (1, 3, 3), 0, 3)
    w, bias = b.constant("w", rng.integers(-3, 4, (2, 1, 2, 2))), b.constant("b", rng.integers(-3, 4, 2))
    t = b.gate("conv", "conv", [t], [w, bias])
    t = b.gate("requant", "act", [t], [b.constant("s", np.array([1, 2]))], lo=0, hi=3)
    t = b.gate("max_pool", "pool", [t], [], kernel=[2, 1], strides=[1, 1])
    t = b.gate("reshape", "flat", [t], [], shape=[4])
    w, bias = b.constant("w1", rng.integers(-3, 4, (4, 2))), b.constant("b1", rng.integers(-3, 4, 2))
    b.output("y", b.gate("dense", "fc", [t], [w, bias]))
    return b.build()


def linear() -> Circuit:
    """affine, pad, concat, transpose, reduce_sum, a requant that neither shifts nor clamps: nothing to look up."""
    b = CircuitBuilder()
    x, z = b.input("x", (2, 2), -4, 3), b.input("z", (2, 2), -4, 3)
    t = b.gate("affine", "mix", [x, z], [b.constant(f"m{i}", np.array(i + 2)) for i in range(3)])
    t = b.gate("requant", "same", [t], [b.constant("s", np.array([0]))], lo=-999, hi=999)
    t = b.gate("pad", "framed", [t], [], pads=[0, 1, 0, 0], value=2)
    t = b.gate("concat", "joined", [t, x], [], axis=1)
    b.output("turned", b.gate("transpose", "turned", [t], [], perm=[1, 0]))
    b.output("sums", b.gate("reduce_sum", "sums", [t], [], axes=[1], keepdims=False))
    return b.build()


def rounding() -> Circuit:
    """requant that shifts and cannot clamp, and one whose clamp is too wide for a table."""
    b = CircuitBuilder()
    x = b.input("x", (3,), -8, 7)
    t = b.gate("affine", "five", [x], [b.constant("m", np.array(5)), b.constant("c", np.array(1))])
    t = b.gate("requant", "halved", [t], [b.constant("s", np.array([1]))], lo=-99, hi=99)
    t = b.gate("affine", "wide", [t], [b.constant("m1", np.array(7)), b.constant("c1", np.array(-3))])
    t = b.gate("requant", "relu", [t], [b.constant("s1", np.array([1]))], lo=0, hi=60)
    b.output("y", t)
    return b.build()


def products() -> Circuit:
    """table, mul, matmul."""
    b = CircuitBuilder()
    x, z = b.input("x", (2, 2), -2, 1), b.input("z", (2, 2), -2, 1)
    t = b.gate("table", "square", [x], [b.constant("t", np.arange(-2, 2) ** 2)])
    t = b.gate("mul", "product", [t, z], [])
    b.output("y", b.gate("matmul", "scores", [t, x], []))
    return b.build()


def attention() -> Circuit:
    """softmax, arg_max."""
    b = CircuitBuilder()
    x = b.input("x", (3,), -2, 1)
    table = b.constant("e", np.array([8, 4, 2]))
    b.output("soft", b.gate("softmax", "attention", [x], [table], axis=0, P=3))
    b.output("best", b.gate("arg_max", "best", [x], [], axis=0), dtype="int64")
    return b.build()


TINY: dict[str, Callable[[], Circuit]] = {
    make.__name__: make for make in (convolution, linear, rounding, products, attention)
}
