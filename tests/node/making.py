# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the node's tests share: small circuits, inputs, policies, and a real server on loopback."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import uvicorn

from attestation.producers import Producer
from attestation.simulated import SimulatedEvidence
from circuits import Circuit, CircuitBuilder, dump_circuit
from node.node import Node
from node.serve import configure, running
from node.settings import Settings
from tests.circuits.small import small_layers
from verifier.policy import Policy

AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def small_circuit(*, weight: int = 3) -> Circuit:
    """x (4,) float32 in [-1, 1] -> dense 4 -> 3, requantised -> dense 3 -> 2 -> y (2,)."""
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    x = builder.input("x", (4,), -128, 127, dtype="float32", scale=1 / 127, real_lo=-1.0, real_hi=1.0)
    return small_layers(builder, x, weight)


def integer_circuit() -> Circuit:
    """Two inputs: n (2,) uint8 and flag (2,) bool -> their sum."""
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    n = builder.input("n", (2,), 0, 200, dtype="uint8")
    flag = builder.input("flag", (2,), 0, 1, dtype="bool")
    one = builder.constant("one", np.array(1))
    zero = builder.constant("zero", np.array(0))
    total = builder.gate("affine", "sum", [n, flag], [one, one, zero])
    builder.output("total", total, dtype="int64")
    return builder.build()


def wide_circuit(width: int = 600, depth: int = 4) -> Circuit:
    """Enough work that a large batch takes a while: x (width,) through `depth` square dense layers."""
    rng = np.random.default_rng(1)
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    tensor = builder.input("x", (width,), -8, 7, dtype="float32", scale=0.125)
    for layer in range(depth):
        w = builder.constant(f"w{layer}", rng.integers(-8, 8, (width, width)))
        b = builder.constant(f"b{layer}", np.zeros(width, dtype=np.int64))
        tensor = builder.gate("dense", f"dense{layer}", [tensor], [w, b])
        shift = builder.constant(f"s{layer}", np.array([6]))
        tensor = builder.gate("requant", f"relu{layer}", [tensor], [shift], lo=-8, hi=7)
    builder.output("y", tensor, scale=0.125)
    return builder.build()


def inputs(batch: int = 2, seed: int = 7) -> dict[str, npt.NDArray[np.float32]]:
    """For :func:`small_circuit`."""
    return {"x": np.random.default_rng(seed).uniform(-1, 1, (batch, 4)).astype(np.float32)}


def prepare(folder: Path) -> None:
    """Make a node's data directory that knows :func:`small_circuit`."""
    Node(folder).models.put(dump_circuit(small_circuit()), name="small")


def trusting(*nodes: bytes, assurance: tuple[str, ...] = ("signed", "rechecked")) -> Policy:
    """A policy that lists the nodes' signing keys and lets the verifier recompute."""
    return Policy(name="test", profile="development", assurance=assurance, nodes=frozenset(nodes))


@dataclass
class Running:
    """A server in this process."""

    url: str
    settings: Settings
    server: uvicorn.Server


@contextlib.contextmanager
def serving(settings: Settings, producer: Producer | None = None) -> Iterator[Running]:
    """A real uvicorn on loopback, in a thread; on exit it stops in order."""
    with running(settings, producer or SimulatedEvidence()) as application:
        server = uvicorn.Server(configure(application, settings))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        waited = threading.Event()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            waited.wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Running(f"http://127.0.0.1:{port}", settings, server)
        finally:
            server.should_exit = True
            thread.join(20)


def assert_refused(response: httpx.Response, status: int, code: str) -> None:
    """Status, code, the three fields, and nothing of the node's inside."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    value = response.json()
    assert set(value) == {"code", "message", "remedy"} and value["code"] == code
    assert "Traceback" not in response.text and ".py" not in response.text


def everything_below(folder: Path) -> bytes:
    """All files of a folder, one behind the other: what a thief of the disk would read."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def snapshot(folder: Path) -> dict[str, bytes]:
    """Content by name, to see that nothing changed; leaves out what SQLite keeps beside its database."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }
