# SPDX-License-Identifier: AGPL-3.0-or-later
"""The network, inputs and policies of these tests."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from circuits import Circuit, CircuitBuilder, decode_outputs, encode_inputs, evaluate
from node.node import Node
from tests.conftest import ROOT
from verifier import read_affidavit
from verifier.encrypted import FheClaim
from verifier.policy import Policy

SIZE, HIDDEN, CLASSES = 40, 12, 5


@functools.cache
def network(seed: int = 0) -> Circuit:
    """dense 40 -> 12, square, dense 12 -> 5 on real inputs in [0, 1]."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    x = builder.input("x", (SIZE,), 0, 15, dtype="float32", scale=1 / 15, real_lo=0.0, real_hi=1.0)
    w1 = builder.constant("w1", rng.integers(-31, 32, (SIZE, HIDDEN)))
    h = builder.gate("dense", "hidden", [x], [w1, builder.constant("b1", rng.integers(-50, 51, HIDDEN))])
    h = builder.gate("mul", "square", [h, h])
    w2 = builder.constant("w2", rng.integers(-31, 32, (HIDDEN, CLASSES)))
    y = builder.gate("dense", "logits", [h], [w2, builder.constant("b2", rng.integers(-50, 51, CLASSES))])
    builder.output("y", y, dtype="float32", scale=2.0**-20)
    return builder.build()


def inputs(samples: int = 1, seed: int = 1) -> dict[str, npt.NDArray[np.float32]]:
    return {"x": np.random.default_rng(seed).uniform(0, 1, (samples, SIZE)).astype(np.float32)}


def expected(arrays: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
    """What the reference interpreter answers."""
    tensors = evaluate(network(), encode_inputs(network(), arrays))
    return decode_outputs(network(), {"y": tensors[-1]})["y"].astype(np.float64)


def policy(node: Node, *assurance: str) -> Policy:
    """A policy that lists the node's key."""
    return Policy(name="test", assurance=assurance or ("signed", "private"), nodes=frozenset({node.keys.signing}))


def claim_of(affidavit: bytes) -> FheClaim:
    """The FHE section of an affidavit's receipt."""
    claim = read_affidavit(affidavit).receipt.fhe
    assert claim is not None
    return claim


def blob_of(affidavit: bytes, role: str) -> bytes:
    """What an affidavit carries in a role."""
    content = read_affidavit(affidavit).blob(role)
    assert content is not None
    return content


def now() -> datetime:
    return datetime.now(UTC)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A node in a process of its own, and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.node.server_process", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
