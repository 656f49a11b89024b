# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small circuits that the proof tests share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from circuits import Circuit, CircuitBuilder
from circuits.circuit import IntArray
from prover import commit_weights

CONTEXT = bytes(range(32))


def root_of(circuit: Circuit, mode: str) -> bytes | None:
    """The commitment to the weights, for proofs that are about committed ones."""
    return commit_weights(circuit).root if mode == "committed" else None


def arguments(
    circuit: Circuit, inputs: Mapping[str, IntArray], outputs: Mapping[str, IntArray], root: bytes | None = None
) -> dict[str, Any]:
    """What a verifier is told beside the bytes of a proof."""
    return {
        "circuit": circuit,
        "inputs": inputs,
        "outputs": outputs,
        "context": CONTEXT,
        "weights_commitment": root,
    }


def convolutional(seed: int = 0) -> Circuit:
    """conv, requant per channel, max_pool, flatten, dense, requant, dense: LeNet in small."""
    rng = np.random.default_rng(seed)
    b = CircuitBuilder()
    t = b.input("x", (1, 8, 8), 0, 255)
    w, bias = b.constant("w", rng.integers(-20, 21, (3, 1, 3, 3))), b.constant("b", rng.integers(-99, 99, 3))
    t = b.gate("conv", "conv", [t], [w, bias], pads=[1, 1, 1, 1])
    t = b.gate("requant", "act", [t], [b.constant("s", np.array([5, 6, 7]))], lo=0, hi=100)
    t = b.gate("max_pool", "pool", [t], [], kernel=[2, 2], strides=[2, 2])
    t = b.gate("reshape", "flat", [t], [], shape=[48])
    w, bias = b.constant("w1", rng.integers(-20, 21, (48, 9))), b.constant("b1", rng.integers(-99, 99, 9))
    t = b.gate("dense", "fc1", [t], [w, bias])
    t = b.gate("requant", "act1", [t], [b.constant("s1", np.array([6]))], lo=0, hi=100)
    w, bias = b.constant("w2", rng.integers(-20, 21, (9, 4))), b.constant("b2", rng.integers(-99, 99, 4))
    b.output("y", b.gate("dense", "fc2", [t], [w, bias]))
    return b.build()


def mixed() -> Circuit:
    """table, mul, matmul, softmax, arg_max, affine, wide clamp: the kinds that `convolutional` lacks."""
    b = CircuitBuilder()
    x, z = b.input("x", (3, 4), -8, 7), b.input("z", (3, 4), -8, 7)
    squares = b.constant("t", np.arange(-8, 8) ** 2)
    t = b.gate("table", "square", [x], [squares])
    t = b.gate("mul", "product", [t, z])
    t = b.gate("requant", "relu", [t], [b.constant("s", np.array([0]))], lo=0, hi=1 << 40)
    flipped = b.gate("transpose", "flip", [z], perm=[1, 0])
    t = b.gate("matmul", "scores", [t, flipped])
    t = b.gate("affine", "shifted", [t], [b.constant("m", np.array(3)), b.constant("c", np.arange(3))])
    exponential = b.constant("e", np.maximum(1000 >> np.arange(60), 0))
    s = b.gate("softmax", "attention", [t], [exponential], axis=1, P=10)
    b.output("best", b.gate("arg_max", "best", [t], [], axis=1), dtype="int64")
    b.output("soft", s)
    return b.build()


def sample(circuit: Circuit, batch: int = 1, seed: int = 0) -> dict[str, IntArray]:
    """Random inputs."""
    rng = np.random.default_rng(seed)
    return {
        p.name: rng.integers(
            circuit.tensors[p.tensor].lo,
            circuit.tensors[p.tensor].hi + 1,
            (batch, *circuit.tensors[p.tensor].shape),
        )
        for p in circuit.inputs
    }
