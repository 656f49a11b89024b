# SPDX-License-Identifier: AGPL-3.0-or-later
"""Encrypted execution against TenSEAL's own `mm` and `conv2d_im2col`, interleaved, in processor time.

Both sides are given encrypted inputs and prepared weights, run in this process on one thread, and are timed until the
encrypted answer is there: keys, encryption, decryption and serialisation are on neither side. TenSEAL runs CKKS, since
its `mm` is for CKKS vectors, at the same security (128 bits, the same table): moduli of 60, 40 and 60 bits for one
layer, those of our preset for more. One layer in coefficient encoding takes and leaves ciphertexts in NTT form, as
CKKS ciphertexts are on both sides.

Beside each row stands its floor (:mod:`benchmarks.floors`): what the transforms, bytes and products of that very run
take at the `rates` of this machine, and how many times longer the run takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

import fhe
from benchmarks.floors import floor_of, rates, work_of
from circuits import Circuit, CircuitBuilder, evaluate
from fhe.client import Session
from fhe.evaluation import Evaluation
from fhe.presets import check_parameters, largest_primes

N = 8192
"""TenSEAL's ring."""

LEAST_SECONDS = 0.2
"""Work is repeated until a measurement takes this long: processor time is counted in steps of milliseconds."""


def network(sizes: Sequence[int], hi: int, most: int, conv: bool = False) -> Circuit:
    """Dense layers with squares between them; with `conv`, behind a convolution 4@7x7 of stride 3 on 28x28."""
    rng = np.random.default_rng(0)
    builder = CircuitBuilder()
    shape = (1, 28, 28) if conv else (sizes[0],)
    tensor = builder.input("x", shape, 0, hi)
    if conv:
        constants = [builder.constant("wc", rng.integers(-most, most + 1, (4, 1, 7, 7)))]
        constants.append(builder.constant("bc", rng.integers(-9, 10, 4)))
        tensor = builder.gate("conv", "conv", [tensor], constants, strides=[3, 3])
        tensor = builder.gate("mul", "square.conv", [tensor, tensor])
        tensor = builder.gate("reshape", "flat", [tensor], shape=[sizes[0]])
    for i, pair in enumerate(pairwise(sizes)):
        if i:
            tensor = builder.gate("mul", f"square.{i}", [tensor, tensor])
        weights = builder.constant(f"w{i}", rng.integers(-most, most + 1, pair))
        tensor = builder.gate(
            "dense", f"dense.{i}", [tensor], [weights, builder.constant(f"b{i}", rng.integers(-9, 10, pair[1]))]
        )
    builder.output("y", tensor)
    return builder.build()


@dataclass
class Side:
    """Something to time, and how far its answer is from the integers, relative to the largest of them; and its work."""

    run: Callable[[], Any]
    error: Callable[[Any], float]
    samples: int
    details: dict[str, Any]
    work: dict[str, Any] = field(default_factory=dict)


def ours(circuit: Circuit, preset: str, samples: int) -> Side:
    """A plan of this project, evaluated in this process."""
    typical = np.random.default_rng(2).integers(0, circuit.tensors[0].hi + 1, (64, *circuit.tensors[0].shape))
    plan = fhe.plan(circuit, preset=preset, samples=samples, calibration=typical)
    session = Session(plan.preset)
    keys = session.evaluation_keys(plan.interface)
    tensor = circuit.tensors[0]
    inputs = np.random.default_rng(1).integers(0, tensor.hi + 1, (samples, *tensor.shape))
    request = fhe.parse_ciphertexts(session.encrypt(plan.interface, inputs))
    evaluation = Evaluation(plan, fhe.parse_keys(keys))
    want = evaluate(circuit, {circuit.inputs[0].name: inputs})[-1].reshape(samples, -1)
    told = fhe.estimate(plan)

    def error(answer: fhe.Ciphertexts) -> float:
        got = session.decrypt(plan.interface, fhe.dump_ciphertexts(answer))
        return float(np.abs(got - want).max() / np.abs(want).max())

    details = {
        "preset": preset,
        "packing": plan.packing,
        "bytes_sent": told.bytes_sent,
        "bytes_returned": told.bytes_returned,
        "key_bytes": told.key_bytes,
        "galois_key_bytes": told.galois_bytes,
        "cost_model_ms": told.cpu_ms,
    }
    return Side(lambda: evaluation.run(request), error, samples, details, work_of(evaluation, request))


def tenseal(circuit: Circuit, bits: Sequence[int], scale_bits: int) -> Side:
    """The network as TenSEAL's tutorials write it: mm, + bias, square, mm; im2col first for a convolution."""
    ts = import_module("tenseal")
    check_parameters(N, largest_primes(N, bits), scheme="ckks")
    context = ts.context(ts.SCHEME_TYPE.CKKS, N, coeff_mod_bit_sizes=list(bits), n_threads=1)
    context.global_scale = 2.0**scale_bits
    context.generate_galois_keys()
    tensor = circuit.tensors[0]
    inputs = np.random.default_rng(1).integers(0, tensor.hi + 1, (1, *tensor.shape))
    values = evaluate(circuit, {circuit.inputs[0].name: inputs})
    want = values[-1].reshape(-1)
    convolved = circuit.gates[0].kind == "conv"
    # Real numbers of ordinary size, which is what TenSEAL is made for: every layer's output at most about 1.
    layers, scale = [], float(tensor.hi)
    for gate in circuit.gates:
        if gate.kind in ("dense", "conv"):
            weights, bias = (circuit.constants[i].data.astype(float) for i in gate.constants)
            out = float(np.abs(values[gate.output]).max())
            layers.append((weights * scale / out, bias / out))
            scale = out
        elif gate.kind == "mul":
            scale = scale * scale
    image = inputs[0].astype(float) / tensor.hi
    windows = 0
    if convolved:
        encrypted, windows = ts.im2col_encoding(context, image[0].tolist(), 7, 7, 3)
    else:
        encrypted = ts.ckks_vector(context, image.reshape(-1).tolist())
    prepared = [(w.tolist(), b.tolist()) for w, b in layers]

    def run() -> Any:
        value = encrypted
        for i, (weights, bias) in enumerate(prepared):
            if i:
                value = value.square()
            if convolved and i == 0:
                planes = [value.conv2d_im2col(w[0], windows) + b for w, b in zip(weights, bias, strict=True)]
                value = ts.CKKSVector.pack_vectors(planes)
            else:
                value = value.mm(weights) + bias
        return value

    def error(answer: Any) -> float:
        got = np.array(answer.decrypt()) * scale
        return float(np.abs(got - want).max() / np.abs(want).max())

    keys = len(context.serialize(save_public_key=False, save_secret_key=False, save_relin_keys=False))
    details = {
        "n": N,
        "coeff_mod_bit_sizes": list(bits),
        "galois_key_bytes": keys,
        "bytes_sent": len(encrypted.serialize()),
    }
    return Side(run, error, 1, details)


Parameters = tuple[tuple[int, ...], int]
ONE_LAYER: Parameters = ((60, 40, 60), 40)
MLP: Parameters = ((50, 40, 40, 40, 48), 40)
CNN: Parameters = ((31, 26, 26, 26, 26, 26, 26, 31), 26)
"""TenSEAL's moduli and log2 of its scale, by depth; n = 8192. Its convolution takes a level more than ours."""

GOALS: dict[str, tuple[float, Callable[[], tuple[Side, Side]]]] = {
    "784x64": (1500, lambda: _pair((784, 64), 255, 127, "lin8", ONE_LAYER)),
    "512x512": (350, lambda: _pair((512, 512), 255, 127, "lin8", ONE_LAYER)),
    "128x10": (1480, lambda: _pair((128, 10), 255, 127, "lin8", ONE_LAYER)),
    "mlp-784-64-10": (170, lambda: _pair((784, 64, 10), 15, 7, "mlp1", MLP)),
    "mlp-784-64-10, batch of 2048": (20000, lambda: _pair((784, 64, 10), 15, 7, "batch-mlp-ckks", MLP, 2048)),
    "cnn-tutorial": (20, lambda: _pair((256, 64, 10), 3, 2, "cnn1", CNN, conv=True)),
}
"""Work, the ratio that is wanted, and both sides."""


def _pair(
    sizes: Sequence[int], hi: int, most: int, preset: str, theirs: Parameters, samples: int = 1, conv: bool = False
) -> tuple[Side, Side]:
    circuit = network(sizes, hi, most, conv)
    return ours(circuit, preset, samples), tenseal(circuit, *theirs)


def _seconds(side: Side, repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        side.run()
    return (time.process_time() - started) / repeats / side.samples


def _repeats(side: Side) -> int:
    started = time.process_time()
    count = 0
    while time.process_time() - started < LEAST_SECONDS:
        side.run()
        count += 1
    return count


def measure(rounds: int, only: Collection[str] = ()) -> dict[str, Any]:
    """All pairs, or `only` these, one round of ours and one of TenSEAL's in turn.

    A tenth of the rounds, as TenSEAL takes seconds.
    """
    turns = max(3, rounds // 10)
    results: dict[str, Any] = {}
    limits = import_module("threadpoolctl").threadpool_limits
    with limits(1):
        measured = rates()
        for name, (goal, make) in GOALS.items():
            if only and name not in only:
                continue
            mine, theirs = make()
            errors = mine.error(mine.run()), theirs.error(theirs.run())
            repeats = _repeats(mine)
            times = [(_seconds(mine, repeats), _seconds(theirs, 1)) for _ in range(turns)]
            ratios = [b / a for a, b in times]
            results[name] = {
                "goal": goal,
                "ratio": {"median": float(np.median(ratios)), "least": min(ratios), "most": max(ratios)},
                "ours_s": float(np.median([a for a, _ in times])),
                "tenseal_s": float(np.median([b for _, b in times])),
                "ours_relative_error": errors[0],
                "tenseal_relative_error": errors[1],
                "floor": floor_of(mine.work, measured, mine.samples, float(np.median([a for a, _ in times]))),
                "rounds": turns,
                "ours": mine.details,
                "tenseal": theirs.details,
            }
        results["rates"] = measured
    results["versions"] = {package: version(package) for package in ("seal-python", "tenseal")}
    return results
