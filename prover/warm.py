# SPDX-License-Identifier: AGPL-3.0-or-later
"""Load the compiled kernels before anything is timed or waited for: ``python -m prover.warm`` compiles them once.

Kernels are compiled on first use and kept beside the sources (numba's cache), so that later processes only load them.
"""

from __future__ import annotations

import numpy as np

from circuits import Circuit, CircuitBuilder
from prover import commit_weights, prove
from prover.cache import encodes
from verifier.proof import verify_proof


def small_circuit() -> Circuit:
    """One gate of every kind that has kernels of its own: conv, requant, max_pool, table, mul, dense."""
    rng = np.random.default_rng(1)
    builder = CircuitBuilder()
    x = builder.input("x", (2, 6, 6), -100, 100)
    weights = [
        builder.constant("w0", rng.integers(-50, 50, (3, 2, 3, 3))),
        builder.constant("b0", rng.integers(-50, 50, (3,))),
    ]
    h = builder.gate("conv", "conv", [x], weights)
    h = builder.gate("requant", "requant", [h], [builder.constant("s0", np.array([9, 10, 10]))], lo=-20, hi=20)
    h = builder.gate("max_pool", "pool", [h], kernel=(2, 2), strides=(2, 2))
    size = builder.tensor(h).hi - builder.tensor(h).lo + 1
    t = builder.gate("table", "table", [h], [builder.constant("t0", np.arange(size) % 7 + 1)])
    h = builder.gate("mul", "mul", [h, t])
    h = builder.gate("reshape", "flat", [h], shape=(12,))
    weights = [
        builder.constant("w1", rng.integers(-50, 50, (12, 4))),
        builder.constant("b1", rng.integers(-50, 50, (4,))),
    ]
    builder.output("y", builder.gate("dense", "dense", [h], weights))
    return builder.build()


def warm() -> None:
    """Prove and verify something small, so that every kernel is compiled and loaded."""
    circuit = small_circuit()
    inputs = {"x": np.arange(72, dtype=np.int64).reshape(1, 2, 6, 6)}
    proof = prove(circuit, inputs, context=bytes(32))
    verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=proof.outputs, context=bytes(32))
    committed = commit_weights(circuit).committed
    if committed is not None:
        encodes(committed.columns, committed.matrix, committed.code)


if __name__ == "__main__":
    warm()
