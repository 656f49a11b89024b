# SPDX-License-Identifier: AGPL-3.0-or-later
"""A multi-layer perceptron 784-128-64-10 that reads handwritten digits, trained here in a second or two.

It is trained on the first 9,000 images of the MNIST test set, which lies in the repository (the training set, which is
larger, does not), and the last 1,000 images are kept apart.  That is enough for a network that is measured for speed.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.networks import Floats, mlp

IMAGES = Path(__file__).resolve().parents[1] / "tests" / "data" / "mnist" / "mnist-test.npz"
SIZES = (784, 128, 64, 10)
TRAINED_ON = 9_000
EPOCHS, BATCH, RATE, MOMENTUM = 10, 50, 0.05, 0.9


@cache
def digits() -> tuple[Floats, npt.NDArray[np.int64]]:
    """The MNIST test set: images, float32 (10000, 784) in [0, 1], and labels (10000,)."""
    with np.load(IMAGES) as loaded:
        return (loaded["image"].reshape(-1, 784) / np.float32(255)), loaded["label"].astype(np.int64)


def train() -> bytes:
    """The trained network as ONNX.  Stochastic gradient descent on cross-entropy, one thread, drawn from one seed."""
    images, labels = digits()
    rng = np.random.default_rng(7)
    pairs = list(pairwise(SIZES))
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in pairs]
    parameters = [*weights, *(np.zeros(b, np.float32) for _, b in pairs)]
    velocities = [np.zeros_like(p) for p in parameters]
    with threadpool_limits(1):  # two threads take longer for matrices of this size
        for epoch in range(EPOCHS):
            order = rng.permutation(TRAINED_ON)
            rate = np.float32(RATE * (1 - epoch / EPOCHS))
            for first in range(0, TRAINED_ON, BATCH):
                chosen = order[first : first + BATCH]
                gradients = _gradients(parameters, images[chosen], labels[chosen])
                for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                    velocity *= np.float32(MOMENTUM)
                    velocity -= rate * gradient
                    parameter += velocity
    return mlp(parameters[: len(pairs)], parameters[len(pairs) :])


def _gradients(parameters: list[Floats], x: Floats, labels: npt.NDArray[np.int64]) -> list[Floats]:
    """Of the mean cross-entropy: weights first, then biases."""
    count = len(parameters) // 2
    weights, biases = parameters[:count], parameters[count:]
    reached = [x]
    for i in range(count):
        z = reached[-1] @ weights[i] + biases[i]
        reached.append(np.maximum(z, 0) if i < count - 1 else z)
    p = np.exp(reached[-1] - reached[-1].max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    delta = (p / len(x)).astype(np.float32)
    of_weights: list[Floats] = []
    of_biases: list[Floats] = []
    for i in reversed(range(count)):
        of_weights.insert(0, reached[i].T @ delta)
        of_biases.insert(0, delta.sum(axis=0))
        if i:
            delta = (delta @ weights[i].T) * (reached[i] > 0)
    return of_weights + of_biases
