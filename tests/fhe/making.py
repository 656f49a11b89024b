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
from fhe.wire import Limbs

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


def noise_budget(client: Session, answer: bytes) -> int:
    """Least bits of noise budget left in a BFV answer, as SEAL finds them with the secret key."""
    loaded = client._loaded(fhe.parse_ciphertexts(answer))
    return min(int(client._decryptor.invariant_noise_budget(one)) for one in loaded)


def rich() -> Circuit:
    """Every linear gate, between squares."""
    rng = np.random.default_rng(7)
    b = CircuitBuilder()
    x = b.input("x", (2, 6, 6), -3, 9)
    c = [b.constant("cw", rng.integers(-3, 4, (4, 1, 3, 3))), b.constant("cb", rng.integers(-9, 9, 4))]
    t = b.gate("conv", "conv", [x], c, pads=[1, 0, 1, 2], strides=[2, 1], groups=2)
    size = b.tensor(t).shape
    t = b.gate("affine", "scale", [t], [b.constant("m", rng.integers(1, 4, (4, 1, 1))), b.constant("c", np.array(5))])
    u = b.gate("transpose", "turn", [t], perm=[1, 0, 2])
    u = b.gate("transpose", "back", [u], perm=[1, 0, 2])
    t = b.gate(
        "affine",
        "sum",
        [t, u],
        [b.constant("one", np.array(1)), b.constant("two", np.array(-2)), b.constant("zero", np.array(0))],
    )
    s = b.gate("mul", "square", [t, t])
    p = b.gate("pad", "pad", [s], pads=[0, 0, 0, 0, 0, 1], value=3)
    r = b.gate("reduce_sum", "pool", [p], axes=[2])
    q = b.gate("reshape", "flat", [s], shape=[size[0] * size[1] * size[2]])
    r = b.gate("reshape", "flat2", [r], shape=[size[0] * size[1]])
    t = b.gate("concat", "join", [q, r], axis=0)
    n = b.tensor(t).elements
    t = b.gate(
        "dense", "dense", [t], [b.constant("w", rng.integers(-2, 3, (n, 5))), b.constant("b", rng.integers(-9, 9, 5))]
    )
    b.output("y", t)
    return b.build()


def with_requant(lo: int, hi: int) -> Circuit:
    b = CircuitBuilder()
    x = b.input("x", (4,), 0, 15)
    t = b.gate("dense", "dense", [x], [b.constant("w", np.full((4, 2), 3)), b.constant("b", np.array([1, -1]))])
    t = b.gate("requant", "requant", [t], [b.constant("s", np.array([2, 1]))], lo=lo, hi=hi)
    t = b.gate("mul", "square", [t, t])
    b.output("y", b.gate("dense", "last", [t], [b.constant("v", np.array([[1], [2]])), b.constant("c", np.array([7]))]))
    return b.build()


def random_limbs(preset: fhe.Preset, shape: tuple[int, ...], moduli: tuple[int, ...], seed: int = 0) -> Limbs:
    """Residues [*shape, len(moduli), n]."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, q, (*shape, preset.n), np.uint64) for q in moduli], axis=-2)
