# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the emitted graph looks like, and exactness where onnxruntime's own optimisations would endanger it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings

from circuits import Circuit, CircuitBuilder, UnsupportedError, evaluate
from circuits.circuit import IntArray
from circuits.emission import Recovery, to_onnx
from circuits.gates.limbs import split_weights
from circuits.limits import NARROW
from node.runtime import Optimisation, Runtime
from tests.circuits.samples import small_net, tiny
from tests.circuits.strategies import SEEDS, integers, random_circuit, random_inputs

LEVELS: tuple[Optimisation, ...] = ("disable", "basic", "extended", "all")


def operators(circuit: Circuit) -> list[str]:
    return [n.op_type for n in onnx.load_from_string(to_onnx(circuit).model).graph.node]


def assert_exact(circuit: Circuit, inputs: dict[str, IntArray]) -> None:
    want = evaluate(circuit, inputs)
    for level in LEVELS:
        runtime = Runtime(circuit, threads=1, optimisation=level)
        for got, expected in zip(runtime.trace(inputs), want, strict=True):
            assert np.array_equal(got, expected)
        for port in circuit.outputs:
            assert np.array_equal(runtime.run(inputs)[port.name], want[port.tensor])


def test_residual_block_is_conv_add_clip_floor() -> None:
    rng = np.random.default_rng(0)
    b = CircuitBuilder()
    x = b.input("x", [4, 8, 8], 0, 255)
    w = b.constant("w", rng.integers(-127, 128, (4, 4, 3, 3)))
    conv = b.gate("conv", "conv", [x], [w, b.constant("b", rng.integers(-9, 9, 4))], pads=[1, 1, 1, 1])
    ms = [b.constant("m1", [1]), b.constant("m2", [1 << 9]), b.constant("c", [0])]
    added = b.gate("affine", "add", [conv, x], ms)
    b.output("y", b.gate("requant", "y", [added], [b.constant("s", [9])], lo=0, hi=255))
    circuit = b.build()
    assert operators(circuit) == ["Conv", "Add", "Clip", "Floor"]
    assert_exact(circuit, random_inputs(circuit, 1, 2))


def test_floor_sinks_below_max_pool() -> None:
    assert operators(small_net())[:5] == ["Conv", "Clip", "MaxPool", "Floor", "Conv"]


def test_dense_and_requant() -> None:
    assert operators(tiny()) == ["Gemm", "Clip", "Floor"]


def test_units_pass_through_moves() -> None:
    rng = np.random.default_rng(0)
    b = CircuitBuilder()
    x = b.input("x", [2, 4, 4], -8, 8)
    w = b.constant("w", rng.integers(-127, 128, (4, 2, 3, 3)))
    conv = b.gate("conv", "conv", [x], [w, b.constant("b", np.zeros(4, dtype=int))])
    summed = b.gate("reduce_sum", "sum", [b.gate("transpose", "t", [conv], perm=[1, 2, 0])], axes=[0, 1])
    b.output("y", b.gate("requant", "y", [summed], [b.constant("s", [6])], lo=-9999, hi=9999))
    circuit = b.build()
    assert operators(circuit) == ["Conv", "Transpose", "ReduceSum", "Floor"]
    assert_exact(circuit, random_inputs(circuit, 1, 2))


def test_clamp_that_cannot_bind_is_not_written() -> None:
    b = CircuitBuilder()
    x = b.input("x", [3], 0, 100)
    b.output("y", b.gate("requant", "y", [x], [b.constant("s", [2])], lo=0, hi=25))
    assert operators(b.build()) == ["Mul", "Floor"]


@pytest.mark.parametrize("multiplier", [49151, 8191])
def test_cancelling_partial_sums_are_kept_apart(multiplier: int) -> None:
    """conv then Mul: folding the multiplier into the filters, as onnxruntime does, would overflow 2^24 inside."""
    b = CircuitBuilder()
    x = b.input("x", [2, 3, 3], 8000, 8001)
    w = b.constant("w", np.array([[[[1]], [[-1]]]]))
    conv = b.gate("conv", "conv", [x], [w, b.constant("b", [0])])
    y = b.gate("affine", "y", [conv], [b.constant("m", [multiplier]), b.constant("c", [1])])
    b.output("y", y)
    circuit = b.build()
    assert circuit.tensors[y].magnitude < NARROW
    assert operators(circuit) == ["Conv", "Clip", "Mul", "Add"]
    for seed in range(5):
        assert_exact(circuit, random_inputs(circuit, seed, 3))


def test_zero_border_under_max_pool_wins() -> None:
    """onnxruntime folds Pad(0) into MaxPool, where the border never wins; the emission must prevent that."""
    b = CircuitBuilder()
    x = b.input("x", [2, 4, 4], -9, -1)
    padded = b.gate("pad", "pad", [x], pads=[0, 1, 1, 0, 1, 1])
    b.output("y", b.gate("max_pool", "y", [padded], kernel=[3, 3]))
    circuit = b.build()
    assert_exact(circuit, random_inputs(circuit, 3, 2))


@pytest.mark.parametrize(("bits_w", "bits_x"), [(8, 8), (14, 10), (20, 12), (12, 20), (3, 28), (25, 20), (30, 1)])
@pytest.mark.parametrize("groups", [1, 3])
def test_wide_convolutions(bits_w: int, bits_x: int, groups: int) -> None:
    rng = np.random.default_rng(bits_w * 100 + bits_x)
    for extreme in (False, True):
        b = CircuitBuilder()
        top = (1 << bits_x) - 1
        x = b.input("x", [6, 7, 5], -top, top)
        w = integers(rng, (6, 6 // groups, 3, 3), bits_w)
        if extreme:
            w = np.where(w < 0, -1, 1) * ((1 << bits_w) - 1)
        bias = b.constant("b", integers(rng, (6,), bits_w + bits_x))
        conv = b.gate("conv", "conv", [x], [b.constant("w", w), bias], groups=groups, pads=[1, 1, 0, 2])
        shift = b.constant("s", rng.integers(0, 5, 6) + max(0, bits_w + bits_x - 4))
        b.output("acc", conv)
        b.output("y", b.gate("requant", "y", [conv], [shift], lo=-100, hi=100))
        circuit = b.build()
        for seed in range(3):
            assert_exact(circuit, random_inputs(circuit, seed, 2))


@settings(max_examples=100)
@given(seed=SEEDS)
def test_limbs_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w = integers(rng, (3, int(rng.integers(1, 40))), int(rng.integers(1, 40)))
    bits = int(rng.integers(1, 52 - 40 + 1))
    x = int(integers(rng, (), bits))
    magnitude = (1 << bits) - 1
    total = np.zeros_like(w)
    for part in split_weights(w, magnitude, 2):
        limit = magnitude if part.input_bits is None else 1 << part.input_bits
        assert np.abs(part.weights).sum(axis=1).max() * limit < NARROW
        if part.input_bits is None:
            total += part.weights << part.exponent
            continue
        limbs = -(-bits // part.input_bits)
        low = x >> (part.input_bits * part.input_limb)
        limb = low if part.input_limb == limbs - 1 else low & ((1 << part.input_bits) - 1)
        total += limb * (part.weights << part.exponent)
    parts = split_weights(w, magnitude, 2)
    assert np.array_equal(total if parts[0].input_bits else total * x, w * x)


@settings(max_examples=100)
@given(seed=SEEDS)
def test_channel_ranges_cover_the_channels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w = integers(rng, (4, int(rng.integers(1, 60)), 3), int(rng.integers(8, 14)))
    magnitude = (1 << int(rng.integers(6, 9))) - 1
    parts = split_weights(w, magnitude, 1)
    if any(part.channels is None for part in parts):
        exact_as_it_is = int(np.abs(w).sum(axis=(1, 2)).max()) * magnitude < NARROW
        assert exact_as_it_is == (len(parts) == 1)
        return
    assert np.array_equal(np.concatenate([p.weights for p in parts], axis=1), w)
    edges = [edge for p in parts for edge in p.channels or ()]
    assert edges[1:-1:2] == edges[2::2]
    assert max(int(np.abs(p.weights).sum(axis=(1, 2)).max()) for p in parts) * magnitude < NARROW


def test_slightly_wide_convolution_is_cut_by_channels() -> None:
    b = CircuitBuilder()
    x = b.input("x", [64, 5, 5], -255, 255)
    w = b.constant("w", np.random.default_rng(0).integers(-800, 801, (8, 64, 3, 3)))
    conv = b.gate("conv", "conv", [x], [w, b.constant("b", np.arange(8))], pads=[1, 1, 1, 1])
    b.output("y", b.gate("requant", "y", [conv], [b.constant("s", [18])], lo=-100, hi=100))
    circuit = b.build()
    assert operators(circuit).count("Slice") == operators(circuit).count("Conv") > 1
    assert_exact(circuit, random_inputs(circuit, 0, 2))


def test_no_decomposition_is_refused() -> None:
    taps = np.broadcast_to(np.int64(1), (1, 1 << 24))
    with pytest.raises(UnsupportedError) as caught:
        split_weights(taps, 1, 2)
    assert caught.value.code == "circuit.emission.too-wide"


@settings(max_examples=25)
@given(seed=SEEDS)
def test_emission_is_deterministic_and_valid(seed: int) -> None:
    circuit = random_circuit(seed)
    for expose_all in (False, True):
        emission = to_onnx(circuit, expose_all=expose_all)
        assert emission.model == to_onnx(circuit, expose_all=expose_all).model
        onnx.checker.check_model(onnx.load_from_string(emission.model), full_check=True)
        readable = set(emission.outputs) | {name for name, _ in emission.inputs}
        wanted = emission.recoveries if expose_all else [emission.recoveries[p.tensor] for p in circuit.outputs]
        assert {r.value for r in wanted} <= readable


def test_recovery() -> None:
    array = np.array([[[1.75], [-0.25]]], dtype=np.float32)
    assert Recovery("v", (0,), True).integers(array).tolist() == [[[1], [-1]]]
    assert Recovery("v", (2, 3), False).integers(array).tolist() == [[[7], [-2]]]


def test_batch_sizes_and_threads_agree() -> None:
    circuit = small_net()
    inputs = random_inputs(circuit, 5, 7)
    want = evaluate(circuit, inputs)
    for threads in (1, 2):
        runtime = Runtime(circuit, threads=threads)
        whole = runtime.run(inputs)
        for i in range(7):
            single = runtime.run({name: array[i : i + 1] for name, array in inputs.items()})
            for port in circuit.outputs:
                assert np.array_equal(single[port.name][0], whole[port.name][i])
                assert np.array_equal(whole[port.name], want[port.tensor])
