# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole compiler: determinism, options, ports, progress, shape subgraphs, quality."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from circuits import MalformedError, decode_outputs, dump_circuit, encode_inputs, evaluate, load_circuit
from circuits.compiler import compile_model
from tests.compiler.nets import f32, floats, i64, model, node, outputs_of, run, small_convnet

SAMPLES = {"x": np.abs(floats(np.random.default_rng(2), 48, 1, 12, 12))}

CHILD = """
import numpy as np
from circuits.compiler import compile_model
from tests.compiler.nets import floats, small_convnet
samples = {"x": np.abs(floats(np.random.default_rng(2), 48, 1, 12, 12))}
print(compile_model(small_convnet(), samples).digest.hex())
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_same_digest_in_another_process_with_other_thread_counts(threads):
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": "."}
    environment["PYTHONHASHSEED"] = threads
    child = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == compile_model(small_convnet(), SAMPLES).digest.hex()


def test_the_digest_depends_on_model_samples_and_options():
    variants = [
        compile_model(small_convnet(), SAMPLES),
        compile_model(small_convnet(1), SAMPLES),
        compile_model(small_convnet(), {"x": SAMPLES["x"] * 0.5}),
        compile_model(small_convnet(), SAMPLES, weight_bits=8),
        compile_model(small_convnet(), SAMPLES, activation_bits=8),
    ]
    assert len({c.digest for c in variants}) == len(variants)


def test_the_file_round_trips():
    circuit = compile_model(small_convnet(), SAMPLES)
    again = load_circuit(dump_circuit(circuit))
    assert again == circuit
    assert again.quality == circuit.quality


def test_quality_record():
    rng = np.random.default_rng(8)
    evaluation = {"x": np.abs(floats(rng, 70, 1, 12, 12))}
    evaluation["x"][3] = 1000.0
    circuit = compile_model(small_convnet(), SAMPLES, evaluation=evaluation)
    quality: Any = circuit.quality
    assert (quality["set"], quality["refused"] >= 1) == ("evaluation", True)
    assert quality["samples"] + quality["refused"] == 70
    report = quality["outputs"]["p"]
    assert report["top1_of"] == quality["samples"]
    assert report["top1_agree"] >= 0.98 * report["top1_of"]
    assert 0 < float(report["worst_probability_error"]) < 0.01
    assert 0 < float(report["worst_logit_error"]) < 0.05


def test_more_bits_are_closer():
    errors = [
        float(outputs_of(compile_model(small_convnet(), SAMPLES, activation_bits=b))["p"]["worst_logit_error"])
        for b in (4, 6, 8, 10)
    ]
    assert errors == sorted(errors, reverse=True)


def test_stated_input_range_is_enforced():
    circuit = compile_model(small_convnet(), SAMPLES, input_range={"x": (0.0, 2.0)})
    assert (circuit.inputs[0].real_lo, circuit.inputs[0].real_hi) == (0.0, 2.0)
    with pytest.raises(MalformedError) as caught:
        encode_inputs(circuit, {"x": np.full((1, 1, 12, 12), 2.5, np.float32)})
    assert caught.value.code == "input.out-of-range"


def test_pictures_in_unit_range_keep_their_own_grid():
    pixels = np.random.default_rng(4).integers(0, 256, (16, 1, 12, 12)).astype(np.float32) / 255.0
    port = compile_model(small_convnet(), {"x": pixels}).inputs[0]
    assert (port.real_lo, port.real_hi) == (0.0, 1.0)
    assert port.scale == 1.0 / 255.0


def test_progress_reaches_the_end_of_every_stage():
    seen = {}
    compile_model(small_convnet(), SAMPLES, progress=lambda stage, done, total: seen.update({stage: (done, total)}))
    assert list(seen) == ["import", "canonicalise", "calibrate", "lower", "check", "measure"]
    assert all(done == total for done, total in seen.values())


def test_shapes_computed_from_the_batch_are_folded():
    nodes = [
        node("Shape", "x", "s"),
        node("Slice", "s zero one axis", "b"),
        node("Cast", "b", "b32", to=6),
        node("Cast", "b32", "b64", to=7),
        node("Concat", "b64 rest", "target", axis=0),
        node("Reshape", "x target", "r"),
        node("Shape", "r", "t"),
        node("Gather", "t index", "g"),
        node("Unsqueeze", "g axis", "u"),
        node("ConstantOfShape", "one", "minus", value=None),
        node("Concat", "u minus", "v", axis=0),
        node("Reshape", "r v", "y"),
    ]
    nodes[9].ClearField("attribute")
    nodes[9].attribute.extend([_minus_one()])
    constants = {
        "zero": i64([0]), "one": i64([1]), "axis": i64([0]), "rest": i64([2, -1]),
        "index": np.int64(0),
    }  # fmt: skip
    data = model(nodes, {"x": ["n", 4, 6]}, ["y"], constants)
    samples = {"x": floats(np.random.default_rng(1), 5, 4, 6)}
    circuit = compile_model(data, samples)
    assert {g.kind for g in circuit.gates} == {"reshape"}
    for batch in (1, 3):
        part = {"x": samples["x"][:batch]}
        integers = evaluate(circuit, encode_inputs(circuit, part))
        found = decode_outputs(circuit, {"y": integers[circuit.outputs[0].tensor]})["y"]
        assert np.abs(found - run(data, part)["y"]).max() < 1e-3


def _minus_one():
    import onnx

    return onnx.helper.make_attribute("value", onnx.numpy_helper.from_array(i64([-1])))


def test_a_model_with_a_fixed_batch_serves_any_batch():
    nodes = [node("Reshape", "x s", "r"), node("MatMul", "r w", "y")]
    rng = np.random.default_rng(6)
    constants = {"s": i64([1, 24]), "w": floats(rng, 24, 3)}
    data = model(nodes, {"x": [1, 4, 6]}, ["y"], constants)
    samples = {"x": floats(rng, 7, 4, 6)}
    circuit = compile_model(data, samples)
    assert outputs_of(circuit)["y"]["top1_of"] == 7
    assert evaluate(circuit, encode_inputs(circuit, samples))[circuit.outputs[0].tensor].shape == (7, 3)


def test_several_inputs_and_outputs():
    nodes = [node("MatMul", "a w", "h"), node("Add", "h b", "y"), node("Sigmoid", "y", "z")]
    rng = np.random.default_rng(9)
    data = model(nodes, {"a": ["n", 6], "b": ["n", 3]}, ["y", "z"], {"w": floats(rng, 6, 3)})
    samples = {"a": floats(rng, 32, 6), "b": floats(rng, 32, 3)}
    report = outputs_of(compile_model(data, samples))
    assert float(report["y"]["worst_error"]) < 0.01 * float(report["y"]["largest_value"])
    assert float(report["z"]["worst_error"]) < 0.003


def test_zero_weights_and_dead_channels():
    rng = np.random.default_rng(10)
    weights = floats(rng, 4, 1, 3, 3)
    weights[1] = 0.0
    weights[2] *= 1e-6
    nodes = [node("Conv", "x w b", "c"), node("Relu", "c", "y")]
    data = model(nodes, {"x": ["n", 1, 12, 12]}, ["y"], {"w": weights, "b": f32([0, -1, 0, 0])})
    circuit = compile_model(data, SAMPLES)
    (shifts,) = (circuit.constants[g.constants[0]].data for g in circuit.gates if g.kind == "requant")
    assert int(shifts.max()) - int(shifts.min()) <= 4


def test_all_zero_model():
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "y")]
    data = model(nodes, {"x": ["n", 1, 12, 12]}, ["y"], {"w": np.zeros((2, 1, 3, 3), np.float32)})
    circuit = compile_model(data, SAMPLES)
    assert outputs_of(circuit)["y"]["worst_error"] == "0"


def test_long_and_repeated_names():
    long = "layer/" * 90
    nodes = [node("Relu", "x", long + "1"), node("Sigmoid", long + "1", long + "2"), node("Tanh", long + "2", "y")]
    circuit = compile_model(model(nodes, {"x": ["n", 5]}, ["y"]), {"x": floats(np.random.default_rng(0), 9, 5)})
    assert len({t.name for t in circuit.tensors}) == len(circuit.tensors)
