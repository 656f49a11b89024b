# SPDX-License-Identifier: AGPL-3.0-or-later
"""Already quantised models: made by onnxruntime's own tool in both formats, and operator by operator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import pytest

from circuits import CircuitError, UnsupportedError, decode_outputs, encode_inputs, evaluate
from circuits.compiler import compile_model
from tests.compiler.nets import f32, floats, model, node, outputs_of, run, small_convnet

RNG = np.random.default_rng(21)
SAMPLES = {"x": np.abs(floats(RNG, 64, 1, 12, 12))}
U8, I8 = np.uint8, np.int8


def samples_for(base: Any) -> Any:
    """The samples as the quantiser wants them, eight at a time."""
    rest = iter([{"x": SAMPLES["x"][i : i + 8]} for i in range(0, 64, 8)])
    return type("Reader", (base,), {"get_next": lambda self: next(rest, None)})()


def quantised(tmp_path, style):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnxruntime import quantization

        (tmp_path / "float.onnx").write_bytes(small_convnet())
        quantization.quantize_static(
            str(tmp_path / "float.onnx"),
            str(tmp_path / "quantised.onnx"),
            samples_for(quantization.CalibrationDataReader),
            quant_format=style,
            op_types_to_quantize=["Conv", "Gemm", "MatMul", "MaxPool", "Relu"],
            per_channel=True,
        )
    return (tmp_path / "quantised.onnx").read_bytes()


@pytest.mark.parametrize("style", ["QDQ", "QOperator"])
def test_models_of_the_onnxruntime_quantiser(tmp_path, style, monkeypatch):
    monkeypatch.setattr("logging.root.disabled", True)
    from onnxruntime.quantization import QuantFormat

    data = quantised(tmp_path, QuantFormat[style])
    kinds = {n.op_type for n in onnx.load_model_from_string(data).graph.node}
    assert ("QLinearConv" in kinds) == (style == "QOperator")
    circuit = compile_model(data, SAMPLES)
    report = outputs_of(circuit)["p"]
    assert report["top1_agree"] >= 0.97 * report["top1_of"]
    assert float(report["worst_probability_error"]) < 0.05
    # Dictated grids: the first activations are 8-bit whatever the calibration says.
    first = next(g for g in circuit.gates if g.kind == "requant")
    limits: Any = first.attributes
    assert limits["hi"] - limits["lo"] <= 255


def same_circuit_on_other_samples(data):
    one = compile_model(data, {"x": SAMPLES["x"][:8]}, input_range={"x": (0.0, 4.0)})
    other = compile_model(data, {"x": SAMPLES["x"][8:20] * 0.5}, input_range={"x": (0.0, 4.0)})
    return one.weights_digest == other.weights_digest


def test_dictated_grids_need_no_calibration():
    constants = {
        "sx": np.float32(0.02), "zx": U8(0), "sy": np.float32(0.05), "zy": U8(7),
        "w": RNG.integers(-127, 128, (4, 1, 3, 3)).astype(I8), "sw": f32([0.01, 0.02, 0.005, 0.03]),
        "zw": np.zeros(4, I8), "b": RNG.integers(-500, 500, 4).astype(np.int32),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", "x sx zx", "q"),
        node("QLinearConv", "q sx zx w sw zw sy zy b", "r"),
        node("DequantizeLinear", "r sy zy", "y"),
    ]
    data = model(nodes, {"x": ["n", 1, 12, 12]}, ["y"], constants)
    assert same_circuit_on_other_samples(data)
    agree_within_a_step(data, SAMPLES, 0.05)


def agree_within_a_step(data, samples, step):
    circuit = compile_model(data, samples)
    integers = evaluate(circuit, encode_inputs(circuit, samples))
    port = circuit.outputs[0]
    found = decode_outputs(circuit, {port.name: integers[port.tensor]})[port.name]
    wanted = run(data, samples)[port.name]
    assert np.abs(found - wanted).max() <= 1.001 * step
    if step > 0.01:  # rounded to the dictated grid: the same numbers but for ties
        assert (np.abs(found - wanted) < 1e-5).mean() > 0.97
    return circuit


def test_q_linear_mat_mul():
    constants = {
        "sx": np.float32(0.03), "zx": U8(128), "sy": np.float32(0.1), "zy": U8(120),
        "w": RNG.integers(0, 255, (12, 5)).astype(U8), "sw": np.float32(0.02), "zw": U8(127),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", "x sx zx", "q"),
        node("QLinearMatMul", "q sx zx w sw zw sy zy", "r"),
        node("DequantizeLinear", "r sy zy", "y"),
    ]
    data = model(nodes, {"x": ["n", 12]}, ["y"], constants)
    agree_within_a_step(data, {"x": floats(RNG, 64, 12)}, 0.1)


@pytest.mark.parametrize("real_output", [False, True])
def test_q_gemm(real_output):
    constants = {
        "sx": np.float32(0.03), "zx": U8(128), "sy": np.float32(0.1), "zy": U8(120),
        "w": RNG.integers(-127, 127, (5, 12)).astype(I8), "sw": np.float32(0.02), "zw": I8(0),
        "c": RNG.integers(-900, 900, 5).astype(np.int32),
    }  # fmt: skip
    gemm = node("QGemm", "q sx zx w sw zw c" + ("" if real_output else " sy zy"), "y" if real_output else "r",
                transB=1, domain="com.microsoft")  # fmt: skip
    nodes = [node("QuantizeLinear", "x sx zx", "q"), gemm]
    if not real_output:
        nodes.append(node("DequantizeLinear", "r sy zy", "y"))
    data = model(nodes, {"x": ["n", 12]}, ["y"], constants, domains={"com.microsoft": 1})
    agree_within_a_step(data, {"x": floats(RNG, 64, 12)}, 0.002 if real_output else 0.1)


def test_two_grids_for_one_tensor_are_refused():
    constants = {"s": np.float32(0.02), "t": np.float32(0.03), "z": U8(0)}
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q t z", "y")]
    with pytest.raises(UnsupportedError) as caught:
        compile_model(model(nodes, {"x": ["n", 12]}, ["y"], constants), {"x": floats(RNG, 8, 12)})
    assert caught.value.code == "compile.operator.unsupported"


def test_quantised_outputs_are_refused():
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")]
    data = model(nodes, {"x": ["n", 12]}, ["y"], {"s": np.float32(0.02), "z": U8(0)})
    made = onnx.load_model_from_string(data)
    made.graph.output.append(onnx.helper.make_tensor_value_info("q", onnx.TensorProto.UINT8, ["n", 12]))
    with pytest.raises(CircuitError) as caught:
        compile_model(made.SerializeToString(), {"x": floats(RNG, 8, 12)})
    assert caught.value.code == "compile.output.quantised"
