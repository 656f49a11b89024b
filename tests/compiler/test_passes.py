# SPDX-License-Identifier: AGPL-3.0-or-later
"""Single passes: shifts under the accumulator bound, tables, windows, fusion."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from circuits.compiler.calibration import _up, pixel_step
from circuits.compiler.folding import fold
from circuits.compiler.importer import import_model
from circuits.compiler.lowering.table import tabulate
from circuits.compiler.univariate import fuse_univariate
from circuits.compiler.weights import MAX_SHIFT, NARROW, SPREAD, Part, choose_shifts, halves, rounded
from circuits.ops.forms import Grid
from tests.compiler.nets import f32, model, node, run


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 300),
    st.floats(1e-4, 3.0),
    st.booleans(),
    st.sampled_from([(0, 255), (-128, 127), (0, 4095), (-5, 1000)]),
)
def test_shifts_respect_the_accumulator_bound(seed, channels, taps, size, per_channel, interval):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((channels, taps)) * size * np.exp(rng.standard_normal((channels, 1)))
    bias = rng.standard_normal((channels, 1)) * size
    shifts = choose_shifts([Part(rows, *interval)], bias, 16, per_channel, math.inf)
    assert 0 <= shifts.min() <= shifts.max() <= MAX_SHIFT
    assert shifts.max() - shifts.min() <= (SPREAD if per_channel else 0)
    weights = rounded(rows, shifts[:, None])
    offset = rounded(bias, shifts[:, None])[:, 0] + halves(shifts)
    if shifts.min() > 0:
        assert np.abs(weights).max() < 1 << 16
        highest = np.where(weights > 0, interval[1], interval[0])
        partial = np.abs(np.cumsum(weights * highest, axis=1)).max(axis=1) + np.abs(offset)
        assert partial.max() < NARROW


def test_a_wide_layer_gets_a_wider_accumulator_rather_than_worse_weights():
    rows = np.random.default_rng(0).standard_normal((4, 20000)) * 1e-3
    coarse = choose_shifts([Part(rows, 0, 255, rms=30.0)], np.zeros((4, 1)), 16, True, math.inf)
    fine = choose_shifts([Part(rows, 0, 255, rms=30.0)], np.zeros((4, 1)), 16, True, 0.01)
    assert fine.min() > coarse.max()


def test_factors_that_are_powers_of_two_are_exact():
    shifts = choose_shifts([Part(np.array([[2.0**-5]]), 0, 4095, summed=False)], np.zeros((1, 1)), 16, False, 0.0)
    assert shifts.tolist() == [5]


def test_halves():
    assert halves(np.array([0, 1, 4])).tolist() == [0, 1, 8]


@given(st.floats(-1e30, 1e30))
def test_rounded_bounds_never_shrink(value):
    assert _up(value, 12) >= value
    assert abs(_up(value, 12) - value) <= abs(value) * 2.0**-11


@pytest.mark.parametrize(("scale", "step"), [(1.0, 1.0), (1 / 255, 1 / 255), (2 / 255, 1 / 127.5), (0.37, None)])
def test_pixel_steps(scale, step):
    assert pixel_step(np.arange(256, dtype=np.float32) * np.float32(scale)) == step


def test_tables_are_rounded_half_up_and_clamped():
    grid = Grid(0.5, -3, 3)
    assert tabulate(lambda x: x, 0.25, -8, 8, grid).tolist() == [
        -3,
        -3,
        -3,
        -2,
        -2,
        -1,
        -1,
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
        3,
        3,
    ]


def test_tables_do_not_depend_on_the_callers_decimal_context():
    def curve(x):
        return 1 / (1 + (-x).exp())

    grid = Grid(2.0**-15, 0, 1 << 15)
    with decimal.localcontext(prec=5, rounding=decimal.ROUND_UP):
        rough = tabulate(curve, 0.01, -300, 300, grid)
    assert (rough == tabulate(curve, 0.01, -300, 300, grid)).all()
    exact = [math.floor(2**15 / (1 + math.exp(-0.01 * q)) + 0.5) for q in range(-300, 301)]
    assert np.abs(rough - exact).max() <= 1


@settings(max_examples=40, deadline=None)
@given(
    st.integers(5, 12),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(["pads", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    st.booleans(),
    st.integers(0, 1),
)
def test_window_shapes_are_those_of_onnxruntime(size, kernel, stride, dilation, auto, ceil, pad):
    assume((kernel - 1) * dilation < size)
    attributes: dict[str, Any] = {
        "kernel_shape": [kernel, kernel],
        "strides": [stride, stride],
        "dilations": [dilation, dilation],
    }
    if auto == "pads":
        pad = min(pad, kernel - 1)
        attributes |= {"pads": [pad, 0, 0, pad], "ceil_mode": int(ceil)}
    else:
        attributes |= {"auto_pad": auto, "dilations": [1, 1], "strides": [min(stride, kernel)] * 2}
    data = model([node("MaxPool", "x", "y", **attributes)], {"x": [1, 1, size, size]}, ["y"])
    folded = fold(import_model(data), {"x": (1, size, size)})
    wanted = run(data, {"x": np.zeros((1, 1, size, size), np.float32)})["y"]
    assert folded.shapes["y"][1:] == wanted.shape[1:]


def fused(nodes, constants, outputs=("y",)):
    data = model(nodes, {"x": ["n", 6]}, list(outputs), constants, opset=14)
    return {n: (t.input, t.label) for n, t in fuse_univariate(fold(import_model(data), {"x": (6,)})).items()}


def test_chains_become_one_table():
    nodes = [node("Sigmoid", "x", "s"), node("Mul", "x s", "m"), node("Tanh", "m", "y")]
    assert fused(nodes, {}) == {"y": ("x", "Sigmoid+Mul+Tanh")}


def test_leading_linear_steps_stay_outside():
    nodes = [node("Mul", "x two", "h"), node("Add", "h two", "i"), node("Sigmoid", "i", "y")]
    assert fused(nodes, {"two": np.float32(2)}) == {"y": ("i", "Sigmoid")}


def test_lone_clamps_are_no_tables():
    nodes = [node("Relu", "x", "r"), node("Mul", "r two", "y")]
    assert fused(nodes, {"two": np.float32(2)}) == {}


def test_an_inner_tensor_read_elsewhere_is_kept():
    nodes = [node("Sigmoid", "x", "s"), node("Mul", "x s", "y"), node("Add", "s vector", "z")]
    tables = fused(nodes, {"vector": f32([1, 2, 3, 4, 5, 6])}, ("y", "z"))
    assert tables == {"y": ("x", "Sigmoid+Mul"), "s": ("x", "Sigmoid")}


def test_vector_constants_end_a_fusion():
    nodes = [node("Add", "x vector", "h"), node("Sigmoid", "h", "y")]
    assert fused(nodes, {"vector": f32([1, 2, 3, 4, 5, 6])}) == {"y": ("h", "Sigmoid")}


def test_scalar_functions_agree_with_their_formulas():
    nodes = [node("HardSwish", "x", "h"), node("LeakyRelu", "h", "y", alpha=0.25)]
    data = model(nodes, {"x": ["n", 6]}, ["y"], opset=14)
    (table,) = fuse_univariate(fold(import_model(data), {"x": (6,)})).values()
    for x in (-4.0, -1.5, 0.0, 2.0, 7.0):
        swish = x * min(max(x + 3, 0), 6) / 6
        assert float(table.function(Decimal(x))) == pytest.approx(swish if swish >= 0 else 0.25 * swish)
