# SPDX-License-Identifier: AGPL-3.0-or-later
"""The works are what their names say, and their goals those of the design."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks import mnist
from benchmarks.works import WORKS

PARAMETERS = {"mlp-784-128-64-10": 109_386, "lenet5": 61_706, "cnn-264k": 263_534, "mlp-4m": 3_944_074}


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_architecture(name):
    work = WORKS[name]
    model = onnx.load_from_string(work.model())
    assert sum(prod(array.dims) for array in model.graph.initializer) == PARAMETERS[name]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, work.inputs())
    assert logits.shape == (1, 10)
    assert np.ptp(logits) > 0
    (calibration,) = work.calibration().values()
    assert len(calibration) > 1


def test_batches_are_of_64_different_inputs():
    for name in ("lenet5-batch-64", "mlp-4m-batch-64"):
        (array,) = WORKS[name].inputs().values()
        assert len(np.unique(array.reshape(64, -1), axis=0)) == 64
        assert WORKS[name].against_float


def test_the_trained_network_reads_digits_it_has_not_seen():
    images, labels = (array[mnist.TRAINED_ON :] for array in mnist.digits())
    model = mnist.train()
    assert model == mnist.train()  # one seed, one thread
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": images})
    assert np.mean(logits.argmax(axis=1) == labels) > 0.93


def test_goals_are_the_published_ones():
    limits = {
        (name, goal.figure, goal.mode): goal.limit
        for name, work in WORKS.items()
        for goal in work.goals
        if goal.figure in ("prove_s", "verify_s", "float_ratio")
    }
    assert limits["mlp-784-128-64-10", "prove_s", None] == 0.04
    assert limits["mlp-4m", "verify_s", "committed"] == 0.06
    assert limits["open_nsfw", "verify_s", "held"] == 0.5
    assert limits["lenet5-batch-64", "float_ratio", None] == 3
    assert all(any(goal.figure == "peak_mb" for goal in work.goals) for work in WORKS.values())
