# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is proved: models with their inputs, compiled as a user compiles them, and the goals for each.

LeNet-5 is the project's own, open_nsfw comes from its package, the small perceptron is trained by
:mod:`benchmarks.mnist`.  The other two are the architectures of published comparisons with random weights: what a proof
costs depends on shapes and widths alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks import mnist
from benchmarks.goals import Goal
from benchmarks.models import DATA, SUBJECTS, Arrays
from benchmarks.networks import random_cnn, random_mlp


@dataclass(frozen=True)
class Work:
    """A float model, what it is calibrated with, and what is proved: one proof of the whole batch in ``inputs``."""

    name: str
    model: Callable[[], bytes]
    calibration: Callable[[], Arrays]
    inputs: Callable[[], Arrays]
    goals: tuple[Goal, ...]
    against_float: bool = False


def _digits(count: int, *shape: int) -> Arrays:
    """The last images of the MNIST test set; no model here was trained on them."""
    return {"image": mnist.digits()[0][-count:].reshape(count, *shape)}


def _flat_calibration() -> Arrays:
    with np.load(DATA / "calibration.npz") as loaded:
        return {"image": loaded["image"].reshape(-1, 784)}


def _noise(count: int, *shape: int) -> Arrays:
    return {"image": np.random.default_rng(count).random((count, *shape), np.float32)}


def _photograph() -> Arrays:
    return {name: array[:1] for name, array in SUBJECTS[1].inputs().items()}


def _times(prove_s: float, held_s: float, committed_s: float | None = None) -> tuple[Goal, ...]:
    return (
        Goal("prove_s", prove_s),
        Goal("verify_s", held_s, mode="held"),
        Goal("verify_s", committed_s or held_s, mode="committed"),
    )


MEMORY = Goal("peak_mb", 4096)
BITS = Goal("soundness_bits", 100, above=True)
SET_UP = Goal("set_up_s", 10, mode="committed")
SMALL = (MEMORY, BITS, SET_UP, Goal("proof_bytes", 1_000_000))
BATCH = (Goal("float_ratio", 3), MEMORY, BITS)

_LENET5 = ((DATA / "lenet5.onnx").read_bytes, SUBJECTS[0].inputs)
_CNN = (partial(random_cnn, (3, 32, 32), (36, 64), (120, 84, 10)), partial(_noise, 64, 3, 32, 32))
_MLP_4M = (partial(random_mlp, (1024, 2048, 896, 10)), partial(_noise, 256, 1024))

WORKS = {
    work.name: work
    for work in (
        Work(
            "mlp-784-128-64-10",
            mnist.train,
            _flat_calibration,
            partial(_digits, 1, 784),
            _times(0.04, 0.01) + SMALL,
        ),
        Work("lenet5", *_LENET5, partial(_digits, 1, 1, 28, 28), _times(0.1, 0.025) + SMALL),
        Work("cnn-264k", *_CNN, partial(_noise, 1, 3, 32, 32), _times(0.25, 0.05) + SMALL),
        Work("mlp-4m", *_MLP_4M, partial(_noise, 1, 1024), _times(0.25, 0.03, 0.06) + SMALL),
        Work("open_nsfw", SUBJECTS[1].model, SUBJECTS[1].inputs, _photograph, (*_times(10, 0.5), MEMORY, BITS, SET_UP)),
        Work("lenet5-batch-64", *_LENET5, partial(_digits, 64, 1, 28, 28), BATCH, against_float=True),
        Work("mlp-4m-batch-64", *_MLP_4M, partial(_noise, 64, 1024), BATCH, against_float=True),
    )
}
