# SPDX-License-Identifier: AGPL-3.0-or-later
"""What cannot be compiled is refused with a code, the operator's and node's names, and a remedy."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from circuits import CircuitError, MalformedError, UnsupportedError
from circuits.compiler import compile_model
from tests.compiler.nets import floats, i64, model, node, small_convnet

RNG = np.random.default_rng(1)
ROWS = ["n", 12]
IMAGE = ["n", 4, 8, 8]
X = {"x": floats(RNG, 4, 12)}
PICTURES = {"x": floats(RNG, 4, 4, 8, 8)}


def one(op, inputs="x", shape=ROWS, constants=None, opset=13, **attributes):
    return model([node(op, inputs, "y", **attributes)], {"x": shape}, ["y"], constants, opset=opset)


def refused(data, samples=X, **options):
    with pytest.raises(CircuitError) as caught:
        compile_model(data, samples, **options)
    return caught.value


UNSUPPORTED = {
    "unknown-operator": (one("Erf"), X),
    "division-by-tensor": (
        model([node("Relu", "x", "r"), node("Div", "x r", "y")], {"x": ROWS}, ["y"]),
        X,
    ),
    "softmax-over-batch": (one("Softmax", axis=0), X),
    "transposed-batch": (one("Transpose", perm=[1, 0]), X),
    "reshape-mixes-samples": (one("Reshape", "x s", ROWS, {"s": i64([-1, 5, 4])}), {"x": floats(RNG, 5, 12)}),
    "reflect-padding": (
        one("Pad", "x p", IMAGE, {"p": i64([0, 0, 1, 1, 0, 0, 1, 1])}, mode="reflect"),
        PICTURES,
    ),
    "three-spatial-axes": (
        one("GlobalAveragePool", "x", ["n", 2, 3, 3, 3])
        and one("MaxPool", "x", ["n", 2, 3, 3, 3], kernel_shape=[2, 2, 2]),
        {"x": floats(RNG, 4, 2, 3, 3, 3)},
    ),
    "concat-with-constant": (one("Concat", "x c", ["n", 12], {"c": floats(RNG, 1, 3)}, axis=1), {"x": X["x"][:1]}),
    "gather-of-data": (one("Gather", "x i", ROWS, {"i": i64([1, 2])}, axis=1), X),
    "gemm-trans-a": (one("Gemm", "x w", [12, 12], {"w": floats(RNG, 12, 3)}, transA=1), {"x": floats(RNG, 12, 12)}),
    "cast-truncates": (model([node("Cast", "x", "i", to=7), node("Cast", "i", "y", to=1)], {"x": ROWS}, ["y"]), X),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported_names_operator_node_and_remedy(case):
    data, samples = UNSUPPORTED[case]
    error = refused(data, samples)
    assert isinstance(error, UnsupportedError)
    assert error.code == "compile.operator.unsupported"
    nodes = onnx.load_model_from_string(data).graph.node
    assert any(f"operator {n.op_type}, node {n.name!r}" in error.message for n in nodes)
    assert error.remedy
    assert "\n" not in error.message


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x07\x12\x04abcd", small_convnet()[:-100], b"\xff" * 1000])
def test_not_an_onnx_file(data):
    error = refused(data)
    assert isinstance(error, MalformedError)
    assert error.code.startswith("compile.onnx.")


def edited(edit):
    made = onnx.load_model_from_string(small_convnet())
    edit(made)
    return made.SerializeToString()


IMAGES = {"x": floats(RNG, 4, 1, 12, 12)}


def external(made):
    tensor = made.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def old_opset(made):
    made.opset_import[0].version = 6


def nan_weight(made):
    value = np.frombuffer(made.graph.initializer[0].raw_data, np.float32).copy()
    value[3] = np.nan
    made.graph.initializer[0].raw_data = value.tobytes()


def double_input(made):
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


def short_data(made):
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]


def cycle(made):
    made.graph.node[0].input[0] = "e"


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (external, "compile.onnx.external-data"),
        (old_opset, "compile.onnx.opset"),
        (nan_weight, "compile.weights.not-finite"),
        (double_input, "compile.onnx.input"),
        (short_data, "compile.onnx.malformed"),
        (cycle, "compile.onnx.malformed"),
    ],
)
def test_damaged_models(edit, code):
    assert refused(edited(edit), IMAGES).code == code


@pytest.mark.parametrize(
    ("samples", "code"),
    [
        ({}, "compile.calibration.names"),
        ({"y": IMAGES["x"]}, "compile.calibration.names"),
        ({"x": IMAGES["x"][:0]}, "compile.calibration.empty"),
        ({"x": IMAGES["x"][0]}, "compile.calibration.shape"),
        ({"x": IMAGES["x"][:, :, :5]}, "compile.calibration.shape"),
        ({"x": (IMAGES["x"] * 9).astype(np.int64)}, "compile.calibration.dtype"),
        ({"x": np.where(IMAGES["x"] > 1, np.nan, IMAGES["x"]).astype(np.float32)}, "compile.calibration.not-finite"),
    ],
)
def test_calibration_inputs(samples, code):
    assert refused(small_convnet(), samples).code == code


def test_evaluation_inputs_are_checked_alike():
    assert refused(small_convnet(), IMAGES, evaluation={"x": IMAGES["x"][0]}).code == "compile.evaluation.shape"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"activation_bits": 3}, "compile.option.activation-bits"),
        ({"weight_bits": 40}, "compile.option.weight-bits"),
        ({"input_range": {"x": (1.0, 0.0)}}, "compile.option.input-range"),
        ({"input_range": {"z": (0.0, 1.0)}}, "compile.option.input-range"),
    ],
)
def test_options(options, code):
    assert refused(small_convnet(), IMAGES, **options).code == code


def test_weights_that_overflow_the_float_model():
    data = model([node("Mul", "x c", "h"), node("Mul", "h c", "y")], {"x": ROWS}, ["y"], {"c": np.float32(3e38)})
    assert refused(data).code == "compile.calibration.overflow"


def test_output_that_ignores_the_input():
    nodes = [node("Relu", "x", "y"), node("Constant", "", "k", value_float=1.0)]
    nodes[1].input[:] = []
    assert refused(model(nodes, {"x": ROWS}, ["y", "k"])).code == "compile.output.constant"


def test_input_that_is_not_read():
    data = model([node("Relu", "x", "y")], {"x": ROWS, "z": ROWS}, ["y"])
    assert refused(data, {"x": X["x"], "z": X["x"]}).code == "compile.input.unused"


def test_second_outputs_are_refused():
    made = helper.make_node("MaxPool", ["x"], ["y", "where"], name="pool", kernel_shape=[2, 2])
    assert refused(model([made], {"x": IMAGE}, ["y"]), PICTURES).code == "compile.operator.unsupported"
