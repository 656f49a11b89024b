# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every operator, over attribute combinations: the circuit against onnxruntime's float model.

That the circuit runs bit-exactly is checked by compile_model itself.
"""

from __future__ import annotations

import numpy as np
import pytest

from circuits import decode_outputs, encode_inputs, evaluate
from circuits.compiler import compile_model
from tests.compiler.nets import f32, floats, i64, model, node, outputs_of, run

RNG = np.random.default_rng(7)
W33 = floats(RNG, 6, 4, 3, 3)
W33_GROUPS = floats(RNG, 6, 2, 3, 3)
BIAS6 = floats(RNG, 6)
IMAGE = ["n", 4, 9, 11]
ROWS = ["n", 12]


def conv(**attributes):
    weights = W33_GROUPS if attributes.get("group") == 2 else W33
    return [node("Conv", "x w b", "y", **attributes)], {"w": weights, "b": BIAS6}, IMAGE


def one(op, inputs="x", shape=IMAGE, constants=None, **attributes):
    return [node(op, inputs, "y", **attributes)], constants or {}, shape


CASES = {
    "conv": conv(),
    "conv-no-bias": ([node("Conv", "x w", "y")], {"w": W33}, IMAGE),
    "conv-strides": conv(strides=[2, 3]),
    "conv-pads": conv(pads=[1, 0, 2, 1]),
    "conv-dilations": conv(dilations=[2, 2]),
    "conv-groups": conv(group=2),
    "conv-same-upper": conv(auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv-same-lower": conv(auto_pad="SAME_LOWER", strides=[2, 2]),
    "conv-valid": conv(auto_pad="VALID"),
    "conv-1d": (
        [node("Conv", "x w", "y", pads=[1, 1], strides=[2])],
        {"w": floats(RNG, 5, 3, 3)},
        ["n", 3, 17],
    ),
    "gemm": one("Gemm", "x w b", ROWS, {"w": floats(RNG, 12, 5), "b": floats(RNG, 5)}, alpha=0.5, beta=2.0),
    "gemm-transposed": one("Gemm", "x w", ROWS, {"w": floats(RNG, 5, 12)}, transB=1),
    "gemm-scalar-c": one("Gemm", "x w b", ROWS, {"w": floats(RNG, 12, 5), "b": np.float32(0.7)}),
    "matmul": one("MatMul", "x w", ROWS, {"w": floats(RNG, 12, 5)}),
    "matmul-rank3": one("MatMul", "x w", ["n", 6, 12], {"w": floats(RNG, 12, 5)}),
    "matmul-rank3-bias": (
        [node("MatMul", "x w", "h"), node("Add", "b h", "y")],
        {"w": floats(RNG, 12, 5), "b": floats(RNG, 5)},
        ["n", 6, 12],
    ),
    "matmul-dynamic": (
        [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "y")],
        {},
        ["n", 6, 12],
    ),
    "add-constant": one("Add", "x c", IMAGE, {"c": floats(RNG, 4, 1, 1)}),
    "add-self": one("Add", "x x"),
    "add-residual": (
        [node("Conv", "x w b", "h", pads=[1, 1, 1, 1]), node("Add", "h x", "s"), node("Relu", "s", "y")],
        {"w": floats(RNG, 4, 4, 3, 3, scale=0.3), "b": floats(RNG, 4)},
        IMAGE,
    ),
    "add-two-convs": (
        [node("Conv", "x w", "g"), node("Conv", "x v", "h"), node("Add", "g h", "y")],
        {"w": W33, "v": 3 * W33[::-1]},
        IMAGE,
    ),
    "add-row": one("Add", "x c", IMAGE, {"c": floats(RNG, 11)}),
    "sub": one("Sub", "x c", IMAGE, {"c": floats(RNG, 1, 4, 1, 1)}),
    "sub-from": one("Sub", "c x", IMAGE, {"c": np.float32(2.5)}),
    "sub-dynamic": ([node("Relu", "x", "r"), node("Sub", "r x", "y")], {}, IMAGE),
    "mul": one("Mul", "x c", IMAGE, {"c": floats(RNG, 4, 1, 1)}),
    "mul-dynamic": one("Mul", "x x"),
    "mul-squeeze-excite": (
        [
            node("Relu", "x", "r"),
            node("GlobalAveragePool", "r", "g"),
            node("Conv", "g w", "c"),
            node("HardSigmoid", "c", "s"),
            node("Mul", "r s", "y"),
        ],
        {"w": floats(RNG, 4, 4, 1, 1)},
        IMAGE,
    ),
    "div": one("Div", "x c", IMAGE, {"c": f32([3.0])}),
    "batch-norm": one(
        "BatchNormalization",
        "x s b m v",
        IMAGE,
        {"s": floats(RNG, 4), "b": floats(RNG, 4), "m": floats(RNG, 4), "v": f32([0.5, 1, 2, 3])},
    ),
    "conv-batch-norm-relu": (
        [
            node("Conv", "x w", "c"),
            node("BatchNormalization", "c s b m v", "n"),
            node("Relu", "n", "y"),
        ],
        {"w": W33, "s": BIAS6, "b": BIAS6, "m": BIAS6, "v": np.abs(BIAS6) + 0.1},
        IMAGE,
    ),
    "relu": one("Relu"),
    "clip": one("Clip", "x lo hi", IMAGE, {"lo": np.float32(-0.5), "hi": np.float32(0.7)}),
    "clip-lower": one("Clip", "x lo", IMAGE, {"lo": np.float32(-0.5)}),
    "clip-upper": one("Clip", "x _ hi", IMAGE, {"hi": np.float32(0.5)}),
    "leaky-relu": one("LeakyRelu", alpha=0.1),
    "hard-sigmoid": one("HardSigmoid", alpha=0.3, beta=0.4),
    "sigmoid": one("Sigmoid"),
    "tanh": one("Tanh"),
    "max-pool": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "max-pool-ceil": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "max-pool-dilated": one("MaxPool", kernel_shape=[2, 2], dilations=[2, 3]),
    "max-pool-same": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    "average-pool": one("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    "average-pool-pads": one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average-pool-count": one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "average-pool-ceil": one("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "average-pool-whole": one("AveragePool", kernel_shape=[9, 11]),
    "global-average-pool": one("GlobalAveragePool"),
    "flatten": one("Flatten"),
    "reshape": one("Reshape", "x s", IMAGE, {"s": i64([-1, 11, 36])}),
    "reshape-zero": one("Reshape", "x s", IMAGE, {"s": i64([0, 2, -1])}),
    "transpose": one("Transpose", perm=[0, 2, 3, 1]),
    "concat": ([node("Relu", "x", "r"), node("Concat", "x r", "y", axis=1)], {}, IMAGE),
    "pad": one("Pad", "x p v", IMAGE, {"p": i64([0, 0, 1, 2, 0, 0, 3, 0]), "v": np.float32(0.25)}),
    "pad-conv": (
        [node("Pad", "x p", "q"), node("Conv", "q w", "y")],
        {"p": i64([0, 0, 1, 2, 0, 0, 3, 0]), "w": W33},
        IMAGE,
    ),
    "squeeze": (
        [node("GlobalAveragePool", "x", "g"), node("Squeeze", "g a", "y")],
        {"a": i64([2, -1])},
        IMAGE,
    ),
    "unsqueeze": one("Unsqueeze", "x a", ROWS, {"a": i64([1, 3])}),
    "identity": ([node("Identity", "x", "i"), node("Relu", "i", "y")], {}, IMAGE),
    "dropout": ([node("Dropout", "x", "d"), node("Relu", "d", "y")], {}, IMAGE),
    "cast": ([node("Cast", "x", "d", to=1), node("Relu", "d", "y")], {}, IMAGE),
    "softmax": one("Softmax", shape=ROWS),
    "softmax-inner": one("Softmax", axis=1),
    "chained-clamps": ([node("Relu", "x", "r"), node("Clip", "r lo hi", "y")],
                       {"lo": np.float32(0.25), "hi": np.float32(0.5)}, IMAGE),
    "hard-swish-spelled": (
        [
            node("Add", "x three", "a"),
            node("Clip", "a zero six", "b"),
            node("Mul", "x b", "c"),
            node("Div", "c six", "y"),
        ],
        {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)},
        IMAGE,
    ),
    "input-scaled": (
        [node("Mul", "x c", "h"), node("Conv", "h w", "y")],
        {"c": np.float32(1 / 255), "w": W33},
        IMAGE,
    ),
}  # fmt: skip


def compiled(data, samples, **options):
    circuit = compile_model(data, samples, **options)
    integers = evaluate(circuit, encode_inputs(circuit, samples))
    return circuit, decode_outputs(circuit, {p.name: integers[p.tensor] for p in circuit.outputs})


@pytest.mark.parametrize("case", CASES)
def test_circuit_is_close_to_the_float_model(case):
    nodes, constants, shape = CASES[case]
    data = model(nodes, {"x": shape}, ["y"], constants)
    samples = {"x": floats(np.random.default_rng(11), 8, *shape[1:], scale=1.5)}
    _, found = compiled(data, samples)
    wanted = run(data, samples)["y"]
    assert found["y"].shape == wanted.shape
    assert np.abs(found["y"] - wanted).max() <= 0.006 * np.abs(wanted).max()


@pytest.mark.parametrize(("opset", "attributes", "inputs"), [(7, {"min": -0.5, "max": 1.0}, "x"), (11, {}, "x lo hi")])
def test_clip_in_both_spellings(opset, attributes, inputs):
    constants = {"lo": np.float32(-0.5), "hi": np.float32(1.0)} if opset == 11 else {}
    data = model([node("Clip", inputs, "y", **attributes)], {"x": ROWS}, ["y"], constants, opset=opset)
    samples = {"x": floats(RNG, 8, 12)}
    _, found = compiled(data, samples)
    assert np.abs(found["y"] - np.clip(samples["x"], -0.5, 1.0)).max() < 2e-3


@pytest.mark.parametrize("opset", [9, 12])
def test_softmax_before_opset_13_takes_the_axes_together(opset):
    data = model([node("Softmax", "x", "y", axis=1)], {"x": ["n", 3, 4]}, ["y"], opset=opset)
    samples = {"x": floats(RNG, 8, 3, 4)}
    _, found = compiled(data, samples)
    assert np.abs(found["y"] - run(data, samples)["y"]).max() < 2e-3
    assert np.allclose(found["y"].sum(axis=(1, 2)), 1.0, atol=12 * 2.0**-15)


def test_hard_swish_needs_opset_14():
    data = model([node("HardSwish", "x", "y")], {"x": ROWS}, ["y"], opset=14)
    samples = {"x": floats(RNG, 8, 12, scale=3)}
    circuit, found = compiled(data, samples)
    assert [g.kind for g in circuit.gates] == ["table"]
    assert np.abs(found["y"] - run(data, samples)["y"]).max() < 5e-3


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_arg_max_is_exact_where_the_float_margin_is_clear(last, keepdims):
    nodes = [
        node("MatMul", "x w", "h"),
        node("ArgMax", "h", "y", axis=1, keepdims=keepdims, select_last_index=last),
    ]
    data = model(nodes, {"x": ROWS}, ["y"], {"w": np.eye(12, dtype=np.float32)})
    samples = {"x": np.random.default_rng(3).permuted(np.tile(np.arange(12), (9, 1)), axis=1).astype(np.float32)}
    circuit, found = compiled(data, samples)
    assert found["y"].dtype == np.int64
    assert (found["y"] == run(data, samples)["y"]).all()
    assert outputs_of(circuit)["y"] == {"top1_agree": 9, "top1_of": 9}


def test_picture_bytes_as_input():
    nodes = [node("Cast", "x", "f", to=1), node("Div", "f c", "h"), node("Conv", "h w b", "y")]
    constants = {"c": np.float32(255.0), "w": W33, "b": BIAS6}
    data = model(nodes, {"x": IMAGE}, ["y"], constants, dtype=2)
    samples = {"x": np.random.default_rng(5).integers(0, 200, (6, 4, 9, 11), dtype=np.uint8)}
    circuit, found = compiled(data, samples)
    wanted = run(data, samples)["y"]
    assert np.abs(found["y"] - wanted).max() < 0.003 * np.abs(wanted).max()
    assert (circuit.inputs[0].dtype, circuit.inputs[0].scale, circuit.inputs[0].real_hi) == ("uint8", 1.0, 255.0)
    assert "affine" not in {g.kind for g in circuit.gates}  # the division joined the weights


def test_residual_needs_no_requantisation_of_the_skip():
    nodes, constants, shape = CASES["add-residual"]
    data = model([node("Relu", "x0", "x"), *nodes], {"x0": shape}, ["y"], constants)
    circuit, _ = compiled(data, {"x0": floats(RNG, 8, *shape[1:])})
    assert [g.kind for g in circuit.gates] == ["requant", "conv", "affine", "requant"]


def test_batch_norm_and_relu_fold_into_the_convolution():
    nodes, constants, shape = CASES["conv-batch-norm-relu"]
    circuit, _ = compiled(model(nodes, {"x": shape}, ["y"], constants), {"x": floats(RNG, 8, *shape[1:])})
    assert [g.kind for g in circuit.gates] == ["conv", "requant"]


def test_zero_padding_joins_the_convolution():
    nodes, constants, shape = CASES["pad-conv"]
    circuit, _ = compiled(model(nodes, {"x": shape}, ["y"], constants), {"x": floats(RNG, 8, *shape[1:])})
    assert [g.kind for g in circuit.gates] == ["conv"]
    assert circuit.gates[0].attributes["pads"] == (1, 2, 3, 0)


def test_spelled_hard_swish_is_one_table():
    nodes, constants, shape = CASES["hard-swish-spelled"]
    circuit, _ = compiled(model(nodes, {"x": shape}, ["y"], constants), {"x": floats(RNG, 8, *shape[1:])})
    assert [g.kind for g in circuit.gates] == ["table"]
