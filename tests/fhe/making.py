# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuits and sessions that the tests share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fhe
from circuits import Circuit, CircuitBuilder, evaluate
from circuits.circuit import IntArray

if TYPE_CHECKING:
    from fhe.client import Session

needs_seal = pytest.mark.skipif(find_spec("seal") is None, reason="seal-python is not installed (affidavit[fhe])")
needs_tenseal = pytest.mark.skipif(
    find_spec("tenseal") is None or find_spec("seal") is None or find_spec("zstandard") is None,
    reason="tenseal is not installed (affidavit[fhe])",
)


@cache
def mlp(sizes: tuple[int, ...], hi: int, most: int, seed: int = 0) -> Circuit:
    """Dense layers of random weights in [-most, most] with squares between them; inputs in [0, hi]."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder()
    tensor = builder.input("x", sizes[:1], 0, hi)
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        if i:
            tensor = builder.gate("mul", f"square.{i}", [tensor, tensor])
        weights = builder.constant(f"w.{i}", rng.integers(-most, most + 1, (inputs, outputs)))
        bias = builder.constant(f"b.{i}", rng.integers(-50, 51, outputs))
        tensor = builder.gate("dense", f"dense.{i}", [tensor], [weights, bias])
    builder.output("y", tensor)
    return builder.build()


@cache
def tutorial_cnn(seed: int = 3) -> Circuit:
    """The shape of TenSEAL's tutorial network with small weights: conv 4@7x7 stride 3, square, 64, square, 10."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder()
    tensor = builder.input("image", (1, 28, 28), 0, 3)
    constants = [
        builder.constant("wc", rng.integers(-2, 3, (4, 1, 7, 7))),
        builder.constant("bc", rng.integers(-5, 6, 4)),
    ]
    tensor = builder.gate("conv", "conv", [tensor], constants, strides=[3, 3])
    tensor = builder.gate("mul", "square.1", [tensor, tensor])
    tensor = builder.gate("reshape", "flat", [tensor], shape=[256])
    for i, (inputs, outputs) in enumerate(((256, 64), (64, 10))):
        most = 1
        constants = [
            builder.constant(f"w{i}", rng.integers(-most, most + 1, (inputs, outputs))),
            builder.constant(f"b{i}", rng.integers(-5, 6, outputs)),
        ]
        tensor = builder.gate("dense", f"dense.{i}", [tensor], constants)
        if i == 0:
            tensor = builder.gate("mul", "square.2", [tensor, tensor])
    builder.output("y", tensor)
    return builder.build()


def inputs_of(circuit: Circuit, samples: int, seed: int = 1) -> IntArray:
    """Random integers within the input's bounds: int64 [samples, *shape]."""
    tensor = circuit.tensors[0]
    return np.random.default_rng(seed).integers(tensor.lo, tensor.hi + 1, (samples, *tensor.shape))


def expected(circuit: Circuit, inputs: IntArray) -> IntArray:
    """What the reference interpreter says: [samples, outputs]."""
    return evaluate(circuit, {circuit.inputs[0].name: inputs})[circuit.outputs[0].tensor].reshape(len(inputs), -1)


@cache
def session(preset: str) -> Session:
    """One session per preset for all tests."""
    from fhe.client import Session

    return Session(fhe.preset_of(preset))


@cache
def keys_for(plan: fhe.EncryptedPlan) -> bytes:
    """The session's keys for a plan."""
    return session(plan.preset.name).evaluation_keys(plan.interface)


def run(plan: fhe.EncryptedPlan, inputs: IntArray, seed: bytes | None = None) -> tuple[Any, bytes, bytes]:
    """Encrypt, evaluate in this process, decrypt: values, request, answer."""
    from fhe.evaluation import Evaluation

    client = session(plan.preset.name)
    request = client.encrypt(plan.interface, inputs)
    evaluation = Evaluation(plan, fhe.parse_keys(keys_for(plan)))
    answer = fhe.dump_ciphertexts(evaluation.run(fhe.parse_ciphertexts(request), seed))
    return client.decrypt(plan.interface, answer), request, answer


def linear(shape: Sequence[int], hi: int = 255, most: int = 127) -> Circuit:
    """One dense layer."""
    return mlp(tuple(shape), hi, most)
