# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proving and verifying: time by phase, bytes, soundness, memory; the model held and committed.

Architectures are those of the published comparisons, with random integer weights of 8 bits, 8-bit activations and a
requantisation behind every layer: what a proof costs depends on shapes and widths alone.
"""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np

from circuits import Circuit, CircuitBuilder, evaluate
from circuits.circuit import IntArray
from prover import commit_weights, prove
from verifier.proof import verify_proof

Mode = Literal["held", "committed"]
CONTEXT = hashlib.sha256(b"affidavit benchmark").digest()


class _Network:
    """A builder that goes layer by layer."""

    def __init__(self, shape: Sequence[int], seed: int) -> None:
        self._builder = CircuitBuilder()
        self._rng = np.random.default_rng(seed)
        self._last = self._builder.input("x", shape, 0, 255)
        self._count = 0

    def _constant(self, name: str, values: IntArray) -> int:
        return self._builder.constant(f"{name}.{self._count}", values)

    def _weights(self, shape: Sequence[int], out: int) -> list[int]:
        self._count += 1
        drawn = np.clip(self._rng.normal(0, 20, tuple(shape)).round(), -127, 127).astype(np.int64)
        return [self._constant("weights", drawn), self._constant("bias", self._rng.integers(-1000, 1000, out))]

    def conv(self, out: int, kernel: int, pad: int = 0) -> None:
        """conv, requant per channel, max_pool 2."""
        channels = self._builder.tensor(self._last).shape[0]
        operands = self._weights((out, channels, kernel, kernel), out)
        t = self._builder.gate("conv", f"conv.{self._count}", [self._last], operands, pads=[pad] * 4)
        t = self._requant(t, self._rng.integers(9, 12, out))
        self._last = self._builder.gate("max_pool", f"pool.{self._count}", [t], [], kernel=[2, 2], strides=[2, 2])

    def flatten(self) -> None:
        """To one axis."""
        size = self._builder.tensor(self._last).elements
        self._last = self._builder.gate("reshape", "flatten", [self._last], [], shape=[size])

    def dense(self, out: int, *, last: bool = False) -> None:
        """dense, and requant unless it is the last one."""
        operands = self._weights((self._builder.tensor(self._last).shape[0], out), out)
        t = self._builder.gate("dense", f"dense.{self._count}", [self._last], operands)
        self._last = t if last else self._requant(t, np.array([12]))

    def _requant(self, tensor: int, shifts: IntArray) -> int:
        return self._builder.gate(
            "requant", f"requant.{self._count}", [tensor], [self._constant("shift", shifts)], lo=0, hi=255
        )

    def build(self) -> Circuit:
        """The circuit."""
        self._builder.output("y", self._last)
        return self._builder.build()


def mlp(sizes: Sequence[int]) -> Circuit:
    """A multi-layer perceptron."""
    network = _Network(sizes[:1], 1)
    for i, size in enumerate(sizes[1:]):
        network.dense(size, last=i == len(sizes) - 2)
    return network.build()


def cnn(shape: Sequence[int], channels: Sequence[int], pad: int, sizes: Sequence[int]) -> Circuit:
    """Convolutions 5x5 with pooling, then dense layers."""
    network = _Network(shape, 2)
    for i, out in enumerate(channels):
        network.conv(out, 5, pad if i == 0 else 0)
    network.flatten()
    for i, size in enumerate(sizes):
        network.dense(size, last=i == len(sizes) - 1)
    return network.build()


CASES: dict[str, tuple[Callable[[], Circuit], int]] = {
    "mlp-784-128-64-10": (lambda: mlp((784, 128, 64, 10)), 1),
    "lenet5": (lambda: cnn((1, 28, 28), (6, 16), 2, (120, 84, 10)), 1),
    "cnn-264k": (lambda: cnn((3, 32, 32), (32, 64), 0, (120, 84, 10)), 1),
    "mlp-4m": (lambda: mlp((1024, 2048, 896, 10)), 1),
    "lenet5-batch-64": (lambda: cnn((1, 28, 28), (6, 16), 2, (120, 84, 10)), 64),
    "mlp-4m-batch-64": (lambda: mlp((1024, 2048, 896, 10)), 64),
}


def _case(circuit: Circuit, batch: int, mode: Mode, rounds: int) -> dict[str, Any]:
    inputs = {"x": np.random.default_rng(3).integers(0, 256, (batch, *circuit.tensors[0].shape))}
    tensors = evaluate(circuit, inputs)
    started = time.perf_counter()
    root = commit_weights(circuit).root if mode == "committed" else None
    setup = time.perf_counter() - started
    proving: list[float] = []
    verifying: list[float] = []
    phases: list[dict[str, float]] = []
    proof = prove(circuit, inputs, context=CONTEXT, mode=mode, tensors=tensors)  # warms plans and compiled code
    for _ in range(rounds):
        started = time.perf_counter()
        proof = prove(circuit, inputs, context=CONTEXT, mode=mode, tensors=tensors)
        proving.append(time.perf_counter() - started)
        phases.append(proof.timings)
        started = time.perf_counter()
        verify_proof(
            proof.bytes,
            circuit=circuit,
            inputs=inputs,
            outputs=proof.outputs,
            context=CONTEXT,
            weights_commitment=root,
        )
        verifying.append(time.perf_counter() - started)
    return {
        "batch": batch,
        "mode": mode,
        "prove_s": _spread(proving),
        "verify_s": _spread(verifying),
        "proof_bytes": len(proof.bytes),
        "soundness_bits": proof.soundness_bits,
        "set_up_s": setup,
        "peak_mb_so_far": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "phases_median_s": {name: float(np.median([p[name] for p in phases])) for name in phases[0]},
    }


def _spread(seen: list[float]) -> dict[str, Any]:
    return {
        "median": float(np.median(seen)),
        "best": min(seen),
        "quartiles": [float(np.quantile(seen, 0.25)), float(np.quantile(seen, 0.75))],
    }


def measure(rounds: int) -> dict[str, Any]:
    """All cases in both modes; batches of 64 take a quarter of the rounds.  The execution itself is not timed."""
    results: dict[str, Any] = {}
    for name, (make, batch) in CASES.items():
        circuit = make()
        for mode in get_args(Mode):
            fewer = rounds if batch == 1 else max(2, rounds // 4)
            results[f"{name}, {mode}"] = _case(circuit, batch, mode, fewer)
    return results
