# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is said before anything is sent: presets, plans, and circuits compiled for ciphertexts."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import fhe
from affidavit.local import LocalClient
from affidavit.private import PrivateSession
from affidavit.private.advice import advise
from circuits import (
    Circuit,
    CircuitBuilder,
    MalformedError,
    UnsupportedError,
    decode_outputs,
    dump_circuit,
    encode_inputs,
    evaluate,
)
from circuits.compiler.polynomial import compile_polynomial
from circuits.compiler.segments import Segments
from tests.cli.conftest import affidavit  # noqa: F401 - the fixture
from tests.private.making import expected, inputs, network, policy


def clamped(*, at_start: bool) -> Circuit:
    """dense, a clamp that binds, dense; or the clamp first."""
    rng = np.random.default_rng(0)
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    tensor = builder.input("x", (20,), 0, 15, dtype="float32", scale=1 / 15)
    shift = builder.constant("shift", np.array([1]))
    if at_start:
        tensor = builder.gate("requant", "clamp", [tensor], [shift], lo=0, hi=3)
    weights = [builder.constant("w1", rng.integers(-7, 8, (20, 8))), builder.constant("b1", np.zeros(8, np.int64))]
    tensor = builder.gate("dense", "first", [tensor], weights)
    if not at_start:
        tensor = builder.gate("requant", "clamp", [tensor], [shift], lo=0, hi=50)
        weights = [builder.constant("w2", rng.integers(-7, 8, (8, 2))), builder.constant("b2", np.zeros(2, np.int64))]
        tensor = builder.gate("dense", "second", [tensor], weights)
    builder.output("y", tensor, dtype="float32", scale=0.5)
    return builder.build()


def test_the_whole_where_it_fits():
    advice = advise(network())
    assert advice.part == "whole" and advice.gates == ("hidden", "square", "logits")
    shown = advice.as_json()
    assert shown["depth"] == 3 and shown["bytes_sent"] > 0 and shown["node_cpu_ms"] > 0


def test_a_whole_exact_network_on_one_sample(node):
    """A batch of one: exact integers of the whole circuit, dearer than approximate ones, and offered beside them."""
    cheaper, exact = advise(network()), advise(network(), exact=True)
    assert exact.part == "whole" and exact.plan is not None and exact.cost is not None and cheaper.cost is not None
    assert (exact.plan.preset.name, exact.plan.interface.samples) == ("batch-mlp-exact", 1)
    assert cheaper.plan is not None and cheaper.plan.preset.scheme == "ckks"
    offered = [other for other in cheaper.as_json()["others"] if other["exact"]]
    assert [other["preset"] for other in offered] == ["batch-mlp-exact"] and offered[0]["error"] == 0.0
    assert offered[0]["node_cpu_ms"] > cheaper.cost.cpu_ms and offered[0]["noise_budget_bits"] > 0
    session = PrivateSession(network(), exact=True)
    answer = session.infer(LocalClient(node, policy=policy(node)), inputs())
    assert answer.exact and answer.error == 0.0
    np.testing.assert_array_equal(answer.outputs["y"], expected(inputs()))
    with pytest.raises(fhe.UnsupportedError) as refusal:
        fhe.plan(network(), exact=True, preset="mlp1")
    assert refusal.value.code == "fhe.plan.inexact"


def test_a_prefix_where_exactness_or_protection_is_asked_for():
    advice = advise(network(), exact=True, preset="lin8")
    assert (advice.part, advice.gates) == ("prefix", ("hidden",)) and "circuit" in advice.reasons
    assert advice.as_json()["layers"][0]["noise_budget_bits"] > 0
    protected = advise(network(), protected=True)
    shown = protected.as_json()
    assert shown["statistical_distance_bits"] >= 30
    until = shown["replies_until"]
    assert until["distance_bits"] == 20
    assert until["replies"] == pytest.approx(2 ** (shown["statistical_distance_bits"] - 20), rel=0.05)


def test_prefix_and_suffix_around_what_cannot():
    advice = advise(clamped(at_start=False))
    assert (advice.part, advice.gates) == ("prefix", ("first",)) and "clamp may bind" in advice.reasons["clamp"]
    advice = advise(clamped(at_start=True))
    assert (advice.part, advice.gates) == ("suffix", ("first",))


def test_nothing_where_nothing_fits():
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    tensor = builder.input("x", (4,), -100, 100, dtype="float32", scale=1.0)
    shift = builder.constant("shift", np.array([1]))
    builder.output("y", builder.gate("requant", "clamp", [tensor], [shift], lo=0, hi=3), dtype="float32", scale=1.0)
    advice = advise(builder.build())
    assert advice.part == "none" and advice.plan is None and "clamp" in advice.reasons


@pytest.mark.parametrize("at_start", [True, False])
def test_the_client_computes_the_rest_in_clear(node, at_start):
    circuit = clamped(at_start=at_start)
    node.models.put(dump_circuit(circuit))
    plan = advise(circuit, preset="lin8").plan
    assert plan is not None
    session = PrivateSession(circuit, preset="lin8", first=plan.network.start, last=plan.network.stop)
    arrays = {"x": np.random.default_rng(4).uniform(0, 1, (1, 20)).astype(np.float32)}
    answer = session.infer(LocalClient(node, policy=policy(node)), arrays)
    reference = evaluate(circuit, encode_inputs(circuit, arrays))[-1]
    np.testing.assert_array_equal(answer.outputs["y"], decode_outputs(circuit, {"y": reference})["y"])


def test_a_preset_that_there_is_none_of():
    with pytest.raises(fhe.UnsupportedError) as refusal:
        advise(network(), preset="none")
    assert refusal.value.code == "fhe.preset.unknown"


def test_presets_command(affidavit):  # noqa: F811
    ran = affidavit("fhe", "presets", "--json")
    rows = {row["name"]: row for row in ran.json["presets"]}
    assert ran.code == 0 and rows.keys() == fhe.PRESETS.keys()
    assert all(row["security_bits"] == 128 for row in rows.values())
    assert all(row["security_bits"] == 128 for row in rows.values())
    assert all(row["modulus_bits"] <= row["modulus_bits_allowed"] for row in rows.values())
    ran = affidavit("fhe", "presets")
    assert ran.code == 0 and all(name in ran.out for name in fhe.PRESETS)
    assert "at most 2^-30 a reply, so at least 1,024 replies to one client until 2^-20" in ran.out


def test_plan_command(affidavit, circuit_file, tmp_path):  # noqa: F811
    ran = affidavit("fhe", "plan", circuit_file)
    assert ran.code == 0 and "the whole circuit runs on ciphertexts" in ran.out
    assert "or preset batch-mlp-exact (bfv), packing columns: exact" in ran.out
    ran = affidavit("fhe", "plan", circuit_file, "--protected")
    assert "a reply; distances add up: " in ran.out and "replies to one client until 2^-20" in ran.out
    assert f"PrivateSession(model, last={advise(network(), protected=True).as_json()['last']})" in ran.out
    ran = affidavit("fhe", "plan", circuit_file, "--exact", "--protected", "--json")
    assert ran.code == 0 and ran.json["part"] == "prefix" and ran.json["protected"]
    np.savez(tmp_path / "x.npz", x=inputs(20)["x"])
    ran = affidavit("fhe", "plan", circuit_file, "--calibrate", tmp_path / "x.npz", "--json")
    assert ran.code == 0 and ran.json["error"] > 0
    output = advise(network()).as_json()
    assert output["output_error"] == output["error"] * network().outputs[0].scale
    ran = affidavit("fhe", "plan", circuit_file)
    assert f"error about {output['output_error']:.3g} in an output" in ran.out
    ran = affidavit("fhe", "tenseal", circuit_file, "--preset", "mlp1", "--scheme", "bfv")
    assert ran.code == 20 and "mlp1 is of another scheme than bfv" in ran.err and "what to do" in ran.err
    ran = affidavit("fhe", "tenseal", circuit_file, "--protected")
    assert ran.code == 20 and "lin8: coefficient encoding is for one exact layer" in ran.err
    ran = affidavit("fhe", "plan", circuit_file, "--preset", "none")
    assert ran.code == 20 and "fhe.preset.unknown" in ran.err
    ran = affidavit("fhe", "plan", circuit_file, "--protected", "--preset", "mlp1")
    assert ran.code == 20 and "nothing of it runs on ciphertexts" in ran.out


def cnn(square: str = "Mul", activation: str = "", opset: int = 17) -> bytes:
    """Conv, BatchNormalization, square, AveragePool, Flatten, Gemm; or something else in the place of the square."""
    rng = np.random.default_rng(1)
    weights = {
        "wc": rng.standard_normal((3, 1, 3, 3)) * 0.3, "bc": rng.standard_normal(3) * 0.1,
        "scale": rng.uniform(0.5, 1.5, 3), "bias": rng.standard_normal(3) * 0.1,
        "mean": rng.standard_normal(3) * 0.1, "var": rng.uniform(0.5, 1.5, 3),
        "w": rng.standard_normal((27, 4)) * 0.3, "b": rng.standard_normal(4) * 0.1, "two": np.array(2.0),
    }  # fmt: skip
    squares = {"Mul": ["n", "n"], "Pow": ["n", "two"]}
    nodes = [
        helper.make_node("Conv", ["x", "wc", "bc"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "bias", "mean", "var"], ["n"]),
        helper.make_node(activation or square, ["n"] if activation else squares[square], ["s"]),
        helper.make_node("AveragePool", ["s"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("square", ["Mul", "Pow"])
def test_a_network_of_linear_operators_and_squares_becomes_a_circuit(square):
    from onnx.reference import ReferenceEvaluator

    circuit = compile_polynomial(cnn(square), input_range=(0.0, 1.0), activation_bits=8, weight_bits=10)
    assert {gate.kind for gate in circuit.gates} == {"reshape", "dense", "mul"}
    x = np.random.default_rng(2).uniform(0, 1, (20, 1, 6, 6)).astype(np.float32)
    x = np.rint(x * 255).astype(np.float32) / np.float32(255)
    (wanted,) = ReferenceEvaluator(onnx.load_from_string(cnn(square))).run(None, {"x": x})
    tensors = evaluate(circuit, encode_inputs(circuit, {"x": x}))
    found = decode_outputs(circuit, {"y": tensors[circuit.outputs[0].tensor]})["y"]
    wanted = np.asarray(wanted, np.float64)
    np.testing.assert_allclose(found.astype(np.float64), wanted, atol=0.02 * np.abs(wanted).max())
    assert fhe.read_network(circuit).exact and fhe.read_network(circuit).squares == 1


def test_batch_normalisation_folds_with_stored_statistics_in_every_opset():
    """Those of the batch, which are no linear map, are for training; before opset 14 nothing in the file says so."""
    older, newer = (compile_polynomial(cnn(opset=opset), input_range=(0.0, 1.0)) for opset in (13, 17))
    assert older.weights_digest == newer.weights_digest


def around(*nodes: onnx.NodeProto, **constants: float) -> bytes:
    """Gemm 6 -> 4 to `u`, the given nodes from `u` to `v`, Gemm 4 -> 3."""
    rng = np.random.default_rng(3)
    weights = {"w1": rng.standard_normal((6, 4)), "b1": rng.standard_normal(4), "w2": rng.standard_normal((4, 3))}
    values = {**weights, **{name: np.array(value) for name, value in constants.items()}}
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w1", "b1"], ["u"]), *nodes, helper.make_node("Gemm", ["v", "w2"], ["y"])],
        "quadratic",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def node_of(kind: str, inputs: str, output: str) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output])


TWO = helper.make_node("Constant", [], ["two"], value_float=2.0)
SUM = [node_of("Mul", "l u", "m"), node_of("Pow", "u two", "s"), node_of("Mul", "q s", "p"), node_of("Add", "p m", "v")]


QUADRATICS = pytest.mark.parametrize(
    "model",
    [
        around(TWO, *SUM, q=0.25, l=0.5),  # 0.25 u^2 + 0.5 u, as exporters write it
        around(node_of("Mul", "u q", "m"), node_of("Add", "m l", "f"), node_of("Mul", "u f", "v"), q=0.25, l=0.5),
        around(*SUM[:3], node_of("Add", "p m", "t"), node_of("Sub", "t c", "v"), q=-0.4, l=0.3, two=2.0, c=0.7),
    ],
    ids=["sum", "factored", "constant"],
)


@QUADRATICS
def test_a_quadratic_is_a_bare_square_between_affine_maps(model):
    from onnx.reference import ReferenceEvaluator

    circuit = compile_polynomial(model, input_range=(0.0, 1.0), activation_bits=8, weight_bits=10)
    assert {gate.kind for gate in circuit.gates} == {"dense", "mul"}
    x = np.random.default_rng(2).integers(0, 256, (50, 6)).astype(np.float32) / np.float32(255)
    (wanted,) = ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"x": x})
    found = decode_outputs(circuit, {"y": evaluate(circuit, encode_inputs(circuit, {"x": x}))[-1]})["y"]
    wanted = np.asarray(wanted, np.float64)
    np.testing.assert_allclose(found.astype(np.float64), wanted, atol=0.02 * np.abs(wanted).max())
    assert fhe.read_network(circuit).exact


def test_squares_of_quadratics():
    """Maps and squares in turn are the network, in floating point: the integers of so deep a one hardly fit."""
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_from_string(
        around(*SUM[:3], node_of("Add", "p m", "t"), node_of("Mul", "t t", "v"), q=-0.4, l=0.3, two=2.0)
    )
    values = np.random.default_rng(2).uniform(0, 1, (50, 6))
    (wanted,) = ReferenceEvaluator(model).run(None, {"x": values.astype(np.float32)})
    first, *rest = Segments(model).layers()
    values = values @ first.matrix + first.offset
    for layer in rest:
        values = values**2 @ layer.matrix + layer.offset
    assert len(rest) == 2
    np.testing.assert_allclose(values, np.asarray(wanted, np.float64), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (around(node_of("Pow", "u three", "v"), three=3.0), "no quadratic of each value"),
        (around(node_of("Mul", "u u", "s"), node_of("Mul", "s u", "v")), "no quadratic of each value"),
        (around(node_of("ReduceMean", "u", "m"), node_of("Mul", "m u", "v")), "no quadratic of each value"),
        (around(node_of("Pow", "u one", "v"), one=1.0), "coefficient is zero"),
        (around(node_of("Div", "q u", "v"), q=1.0), "not linear"),
        (around(node_of("Identity", "w1", "v")), "does not depend on"),
    ],
)
def test_what_is_no_quadratic_is_refused(model, said):
    with pytest.raises(UnsupportedError, match=said) as refusal:
        compile_polynomial(model, input_range=(0.0, 1.0))
    assert refusal.value.code == "compile.polynomial.unsupported"


@pytest.mark.parametrize(
    ("model", "options", "error", "code"),
    [
        (cnn(activation="Relu"), {}, UnsupportedError, "compile.polynomial.unsupported"),
        (b"not ONNX", {}, MalformedError, "compile.polynomial.malformed"),
        (cnn(), {"input_range": (1.0, 0.0)}, MalformedError, "compile.polynomial.malformed"),
        (cnn(), {"input_range": (0.0, float("nan"))}, MalformedError, "compile.polynomial.malformed"),
        (cnn(), {"activation_bits": 1}, MalformedError, "compile.polynomial.malformed"),
        (cnn(), {"weight_bits": 2}, MalformedError, "compile.polynomial.malformed"),
        (cnn(), {"weight_bits": 25}, MalformedError, "compile.polynomial.malformed"),
    ],
)
def test_what_is_no_such_network_is_refused(model, options, error, code):
    with pytest.raises(error) as refusal:
        compile_polynomial(model, **{"input_range": (0.0, 1.0), **options})
    assert refusal.value.code == code


def test_compile_command(affidavit, tmp_path):  # noqa: F811
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 1, (40, 1, 6, 6)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    for name, model in (("square", cnn()), ("relu", cnn(activation="Relu"))):
        (tmp_path / f"{name}.onnx").write_bytes(model)
        ran = affidavit(
            "compile", tmp_path / f"{name}.onnx", "--calibrate", tmp_path / "x.npz", "--private", "--json",
            "-o", tmp_path / f"{name}.circuit",
        )  # fmt: skip
        assert ran.code == 0, ran.out + ran.err
        assert ran.json["part"] in (("whole",) if name == "square" else ("prefix", "suffix"))
        assert ("squares" in ran.err) == (name == "relu")
        measured = ran.json["quality"]
        assert measured["outputs"]["y"]["top1_of"] == 40 and "labelled" not in measured
    circuit = compile_polynomial(cnn(), input_range=(float(x.min()), float(x.max())))
    tensors = evaluate(circuit, encode_inputs(circuit, {"x": x}))
    labels = decode_outputs(circuit, {"y": tensors[circuit.outputs[0].tensor]})["y"].argmax(axis=1)
    labels[:10] = (labels[:10] + 1) % 4
    np.savez(tmp_path / "labelled.npz", x=x, labels=labels)
    options = ["compile", tmp_path / "square.onnx", "--private", "-o", tmp_path / "square.circuit"]
    ran = affidavit(*options, "--calibrate", tmp_path / "x.npz", "--evaluate", tmp_path / "labelled.npz")
    assert ran.code == 0 and "accuracy 75.00 %: 30 of 40 labelled samples (evaluation set)" in ran.out, ran.out
    assert "same class as the float model on" in ran.out
    ran = affidavit(*options, "--calibrate", tmp_path / "labelled.npz", "--json")
    assert ran.code == 0 and ran.json["quality"]["correct"] == 30
    for options, found in (  # a network that is more than squares, and a compilation that is not for ciphertexts
        (["compile", tmp_path / "relu.onnx", "--private"], 40),
        (["compile", tmp_path / "square.onnx"], 40),
    ):
        ran = affidavit(*options, "-o", tmp_path / "any", "--calibrate", tmp_path / "labelled.npz", "--json")
        assert ran.code == 0 and ran.json["quality"]["labelled"] == found, ran.out + ran.err
    np.savez(tmp_path / "long.npz", x=x[:, :, :3])
    for options in (  # what fails leaves no circuit behind
        ["--calibrate", tmp_path / "long.npz"],
        ["--calibrate", tmp_path / "x.npz", "--evaluate", tmp_path / "long.npz"],
        ["--calibrate", tmp_path / "x.npz", "--preset", "none"],
        ["--calibrate", tmp_path / "x.npz", "--weight-bits", "2"],
        ["--calibrate", tmp_path / "x.npz", "--input-range", "y=0:1"],
        ["--calibrate", tmp_path / "x.npz", "--input-range", "x=0:1", "--input-range", "y=0:1"],
    ):
        ran = affidavit("compile", tmp_path / "square.onnx", "--private", "-o", tmp_path / "no.circuit", *options)
        assert ran.code in (20, 30) and not (tmp_path / "no.circuit").exists(), ran.out + ran.err
    assert ran.code == 30 and "compile.option.input-range" in ran.err and "its input is 'x'" in ran.err
    made = tmp_path / "finer.circuit"
    ran = affidavit(
        "compile", tmp_path / "square.onnx", "--private", "-o", made, "--calibrate", tmp_path / "x.npz",
        "--activation-bits", "8", "--weight-bits", "10",
    )  # fmt: skip
    wanted = compile_polynomial(cnn(), input_range=(float(x.min()), float(x.max())), activation_bits=8, weight_bits=10)
    assert ran.code == 0 and made.read_bytes() == dump_circuit(wanted)
    np.savez(tmp_path / "wrong.npz", x=x, labels=labels[:5])
    ran = affidavit("compile", tmp_path / "square.onnx", "-o", tmp_path / "any", "--calibrate", tmp_path / "wrong.npz")
    assert ran.code == 30 and "input.shape" in ran.err
