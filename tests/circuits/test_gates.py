# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each gate on numbers worked out by hand or by an independent few lines, its bounds, and its refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from circuits import CircuitBuilder, MalformedError, UnsupportedError, evaluate
from circuits.circuit import IntArray
from circuits.derivation import site_of
from circuits.gates import RULES, rule_of
from circuits.limits import MAGNITUDE
from tests.circuits.strategies import BATCHES, SEEDS, random_circuit, random_inputs

Constants = list[npt.ArrayLike]


def run(
    kind: str,
    inputs: list[npt.ArrayLike],
    constants: Constants,
    bounds: tuple[int, int] = (-100, 100),
    **attributes: Any,
) -> IntArray:
    """One gate on one sample."""
    b = CircuitBuilder()
    arrays = [np.asarray(x, dtype=np.int64) for x in inputs]
    indices = [b.input(f"x{i}", a.shape, *bounds) for i, a in enumerate(arrays)]
    y = b.gate(kind, "y", indices, [b.constant(f"c{i}", c) for i, c in enumerate(constants)], **attributes)
    b.output("y", y)
    return evaluate(b.build(), {f"x{i}": a[None] for i, a in enumerate(arrays)})[y][0]


def refused(kind: str, shapes: list[list[int]], constants: Constants, **attributes: Any) -> str:
    """The code with which the builder refuses a gate."""
    b = CircuitBuilder()
    indices = [b.input(f"x{i}", s, -100, 100) for i, s in enumerate(shapes)]
    with pytest.raises((MalformedError, UnsupportedError)) as caught:
        b.gate(kind, "y", indices, [b.constant(f"c{i}", c) for i, c in enumerate(constants)], **attributes)
    return caught.value.code


def derived(
    kind: str, least: int, most: int, constants: Constants, shape: list[int], **attributes: Any
) -> tuple[int, int]:
    """Bounds of a gate of one input."""
    b = CircuitBuilder()
    x = b.input("x", shape, least, most)
    y = b.gate(kind, "y", [x], [b.constant(f"c{i}", c) for i, c in enumerate(constants)], **attributes)
    return b.tensor(y).lo, b.tensor(y).hi


def test_requant_is_floor() -> None:
    x = [-9, -8, -7, -1, 0, 1, 7, 8, 9]
    assert run("requant", [x], [[3]], lo=-100, hi=100).tolist() == [-2, -1, -1, -1, 0, 0, 0, 1, 1]
    assert run("requant", [x], [[0]], lo=-2, hi=3).tolist() == [-2, -2, -2, -1, 0, 1, 3, 3, 3]


def test_requant_per_channel() -> None:
    assert run("requant", [[[9, -9], [9, -9]]], [[1, 2]], lo=-100, hi=100).tolist() == [[4, -5], [2, -3]]


def test_conv_by_hand() -> None:
    x = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
    weights = [[[[1, 0], [0, -1]]]]
    assert run("conv", [x], [weights, [10]]).tolist() == [[[6, 6], [6, 6]]]
    assert run("conv", [x], [weights, [0]], pads=[1, 1, 0, 0], strides=[2, 2]).tolist() == [[[-1, -3], [-7, -4]]]


def test_conv_groups_dilation_one_axis() -> None:
    x = [[1, 2, 3, 4], [10, 20, 30, 40]]
    weights = [[[1, 1]], [[1, -1]]]
    assert run("conv", [x], [weights, [0, 0]], groups=2, dilations=[2]).tolist() == [[4, 6], [-20, -20]]


@settings(max_examples=30)
@given(seed=SEEDS)
def test_conv_against_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, per_in, per_out = rng.integers(1, 3, 3)
    kernel, strides, dilations = (rng.integers(1, 3, 2) for _ in range(3))
    pads = rng.integers(0, 2, 4)
    x = rng.integers(-99, 100, (groups * per_in, 5, 4))
    w = rng.integers(-9, 10, (groups * per_out, per_in, *kernel))
    got = run(
        "conv",
        [x],
        [w, np.zeros(len(w), dtype=np.int64)],
        strides=strides.tolist(),
        pads=pads.tolist(),
        dilations=dilations.tolist(),
        groups=int(groups),
    )
    padded = np.pad(x, [(0, 0), (pads[0], pads[2]), (pads[1], pads[3])])
    for m, i, j in np.ndindex(got.shape):
        total = 0
        for c, k, n in np.ndindex(*w.shape[1:]):
            row, column = i * strides[0] + k * dilations[0], j * strides[1] + n * dilations[1]
            total += w[m, c, k, n] * padded[m // per_out * per_in + c, row, column]
        assert got[m, i, j] == total


def test_dense_matmul_mul() -> None:
    assert run("dense", [[[1, 2], [3, 4]]], [[[1, 0, -1], [2, 1, 0]], [0, 100, 0]]).tolist() == [
        [5, 102, -1],
        [11, 104, -3],
    ]
    assert run("matmul", [[[1, 2], [3, 4]], [[0, 1], [1, 0]]], []).tolist() == [[2, 1], [4, 3]]
    assert run("mul", [[[1], [2]], [3, 4]], []).tolist() == [[3, 4], [6, 8]]


def test_affine_broadcasts_by_sample() -> None:
    assert run("affine", [[[1, 2], [3, 4]], [10, 20]], [[[2], [3]], [1], [[5, -5]]]).tolist() == [
        [17, 19],
        [24, 27],
    ]


def test_table_and_pool() -> None:
    assert run("table", [[-2, 0, 2]], [[10, 11, 12, 13, 14]], bounds=(-2, 2)).tolist() == [10, 12, 14]
    x = [[-5, -7, -9]]
    assert run("max_pool", [x], [], kernel=[2], pads=[1, 1]).tolist() == [[-5, -5, -7, -9]]


def test_layout_gates() -> None:
    x = np.arange(6).reshape(2, 3)
    assert run("reshape", [x], [], shape=[3, 2]).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert run("transpose", [x], [], perm=[1, 0]).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert run("concat", [x, x], [], axis=1).tolist() == [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]]
    assert run("pad", [x], [], pads=[0, 1, 1, 0], value=9).tolist() == [[9, 0, 1, 2], [9, 3, 4, 5], [9, 9, 9, 9]]
    assert run("reduce_sum", [x], [], axes=[1]).tolist() == [3, 12]
    assert run("reduce_sum", [x], [], axes=[0], keepdims=True).tolist() == [[3, 5, 7]]


def test_arg_max_ties() -> None:
    x = [3, 9, 9, 1]
    assert int(run("arg_max", [x], [], axis=0)) == 1
    assert int(run("arg_max", [x], [], axis=0, select_last_index=True)) == 2


def test_softmax_by_hand() -> None:
    # e = 8, 4, 1, 1 (the table ends in 1), sum 14; floor(e * 16 / 14)
    assert run("softmax", [[10, 9, 8, -90]], [[8, 4, 1]], axis=0, P=4).tolist() == [9, 4, 1, 1]


def test_bounds_are_exact() -> None:
    assert derived("dense", -10, 20, [[[3], [-2]], [7]], [2]) == (-63, 87)
    assert derived("conv", 5, 10, [[[[2, -1]]], [0]], [1, 4]) == (0, 15)
    assert derived("conv", 5, 10, [[[[2, -1]]], [0]], [1, 4], pads=[1, 0]) == (-10, 20)
    assert derived("affine", -3, 4, [[[2], [-5]], [1, 1]], [2, 2]) == (-19, 16)
    assert derived("requant", -300, 300, [[2]], [1], lo=-50, hi=100) == (-50, 75)
    assert derived("reduce_sum", -3, 4, [], [2, 5], axes=[0, 1]) == (-30, 40)
    assert derived("pad", 3, 4, [], [2], pads=[1, 0], value=-7) == (-7, 4)
    assert derived("softmax", 0, 9, [[5, 1]], [4], axis=0, P=8) == (0, 256)
    assert derived("arg_max", 0, 9, [], [4], axis=0) == (0, 3)


@settings(max_examples=60)
@given(seed=SEEDS, batch=BATCHES)
def test_values_stay_in_bounds_and_shapes_hold(seed: int, batch: int) -> None:
    circuit = random_circuit(seed)
    for tensor, array in zip(circuit.tensors, evaluate(circuit, random_inputs(circuit, seed, batch)), strict=True):
        assert array.shape == (batch, *tensor.shape)
        assert tensor.lo <= array.min()
        assert array.max() <= tensor.hi
        assert tensor.magnitude < MAGNITUDE
    for gate in circuit.gates:
        cost = rule_of(gate.kind).cost(
            site_of(gate, circuit.tensors, circuit.constants), circuit.tensors[gate.output].shape
        )
        assert cost.multiplications >= 0
        assert cost.lookups >= 0


REFUSALS: list[tuple[str, str, list[list[int]], Constants, dict[str, Any]]] = [
    ("unknown", "relu", [[2]], [], {}),
    ("arity", "mul", [[2]], [], {}),
    ("arity", "dense", [[2]], [[[1], [1]]], {}),
    ("attribute", "transpose", [[2, 3]], [], {"perm": [0, 0]}),
    ("attribute", "transpose", [[2, 3]], [], {"perm": [0, -1]}),
    ("attribute", "arg_max", [[2]], [], {"axis": 1}),
    ("attribute", "reduce_sum", [[2]], [], {"axes": []}),
    ("attribute", "requant", [[2]], [[1]], {"lo": 3, "hi": 2}),
    ("attribute", "requant", [[2]], [[1]], {"lo": 3}),
    ("attribute", "reshape", [[2]], [], {"shape": [2], "allowzero": 1}),
    ("attribute", "pad", [[2]], [], {"pads": [1]}),
    ("attribute", "conv", [[1, 4]], [[[[1]]], [0]], {"strides": [1, 1]}),
    ("attribute", "softmax", [[2]], [[1]], {"axis": 1}),
    ("shift", "requant", [[2]], [[53]], {"lo": 0, "hi": 1}),
    ("shift", "requant", [[2]], [[-1]], {"lo": 0, "hi": 1}),
    ("shape", "requant", [[3]], [[1, 2]], {"lo": 0, "hi": 1}),
    ("shape", "conv", [[3, 4]], [[[[1]]], [0]], {}),
    ("shape", "conv", [[1, 4]], [[[[1]]], [0, 0]], {}),
    ("shape", "conv", [[1, 2]], [[[[1, 1, 1]]], [0]], {}),
    ("shape", "conv", [[1, 4]], [[[[1, 1]]], [0]], {"dilations": [1 << 30], "pads": [1 << 30, 0]}),
    ("shape", "max_pool", [[1, 4]], [], {"kernel": [1 << 30], "pads": [(1 << 30) - 1, 1]}),
    ("rank", "conv", [[3]], [[[1, 1, 1]], [0]], {}),
    ("attribute", "conv", [[1, 2, 2, 2]], [[[[[[1]]]]], [0]], {}),
    ("shape", "dense", [[3]], [[[1], [1]], [0]], {}),
    ("shape", "matmul", [[2, 3], [2, 3]], [], {}),
    ("shape", "matmul", [[2, 2, 3], [3, 3, 2]], [], {}),
    ("shape", "mul", [[2], [3]], [], {}),
    ("shape", "affine", [[2]], [[1], [1, 2, 3]], {}),
    ("shape", "affine", [[1]], [[1], [1, 2]], {}),
    ("shape", "concat", [[2, 3], [2, 4]], [], {"axis": 0}),
    ("shape", "reshape", [[6]], [], {"shape": [4]}),
    ("table", "table", [[2]], [[1, 2]], {}),
    ("table", "softmax", [[2]], [[0, 1]], {"axis": 0}),
    ("table", "softmax", [[2]], [[1, -1]], {"axis": 0}),
    ("pads", "max_pool", [[1, 4]], [], {"kernel": [2], "pads": [2, 0]}),
    ("pads", "max_pool", [[1, 1]], [], {"kernel": [2], "pads": [1, 2], "dilations": [2]}),
    ("too-large", "affine", [[1 << 13, 1 << 12]], [np.ones((1 << 13, 1), int), np.ones((1, 1 << 12), int)], {}),
]


@pytest.mark.parametrize(("code", "kind", "shapes", "constants", "attributes"), REFUSALS)
def test_refusals(
    code: str, kind: str, shapes: list[list[int]], constants: Constants, attributes: dict[str, Any]
) -> None:
    assert refused(kind, shapes, constants, **attributes) == f"circuit.gate.{code}"


@pytest.mark.parametrize(
    ("kind", "constants", "attributes"),
    [
        ("dense", [np.full((1000, 1), 1 << 40), [0]], {}),
        ("dense", [np.full((1000, 1), (1 << 53) - 1), [0]], {}),
        ("affine", [[1 << 50], [0]], {}),
        ("affine", [[1], [(1 << 53) - 1]], {}),
        ("softmax", [[1 << 30]], {"axis": 0, "P": 30}),
    ],
)
def test_too_wide(kind: str, constants: Constants, attributes: dict[str, Any]) -> None:
    assert refused(kind, [[1000]], constants, **attributes) == "circuit.bounds.too-wide"


def test_partial_sums_count() -> None:
    """Terms that cancel in the bounds must not hide partial sums that leave float64."""
    b = CircuitBuilder()
    x = b.input("x", [2], 1 << 51, (1 << 51) + 1)
    with pytest.raises(MalformedError) as caught:
        b.gate("dense", "y", [x], [b.constant("w", [[5], [-5]]), b.constant("b", [0])])
    assert caught.value.code == "circuit.bounds.too-wide"


def test_registry_names() -> None:
    for kind, rule in RULES.items():
        assert rule.kind == kind
        assert rule_of(kind) is rule
        module = __import__(type(rule).__module__, fromlist=["_"])
        for word in ("Shape", "Bounds", "Proof", "Encrypted"):
            assert f"\n{word} " in str(module.__doc__), (kind, word)


@settings(max_examples=300)
@given(data=st.data())
def test_empty_pool_windows_by_hand(data: st.DataObject) -> None:
    length, kernel, dilation, stride = (data.draw(st.integers(1, most)) for most in (8, 5, 7, 5))
    reach = (kernel - 1) * dilation
    begin, end = data.draw(st.integers(0, reach)), data.draw(st.integers(0, reach))
    size = (length + begin + end - reach - 1) // stride + 1
    assume(size > 0)
    taps = [[i * stride - begin + k * dilation for k in range(kernel)] for i in range(size)]
    empty = any(not any(0 <= tap < length for tap in window) for window in taps)
    attributes: dict[str, Any] = {
        "kernel": [kernel],
        "strides": [stride],
        "pads": [begin, end],
        "dilations": [dilation],
    }
    if empty:
        assert refused("max_pool", [[1, length]], [], **attributes) == "circuit.gate.pads"
    else:
        assert run("max_pool", [np.zeros((1, length), int)], [], **attributes).shape == (1, size)


def test_a_gate_costs_no_time_by_its_size() -> None:
    b = CircuitBuilder()
    tensor = b.input("x", [1, 1 << 26], 0, 1)
    for i in range(300):  # minutes, if the windows of each were looked at one by one
        tensor = b.gate("max_pool", f"g{i}", [tensor], kernel=[1])
    b.output("y", tensor)
    assert len(b.build().gates) == 300
