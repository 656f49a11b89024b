# SPDX-License-Identifier: AGPL-3.0-or-later
"""Models come in whole or not at all, are known by digest, and stay loaded within a bound."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

import circuits
from circuits import dump_circuit
from node.errors import MalformedError, OperationalError, UnsupportedError
from node.models import ModelStore
from node.sessions import Sessions, memory_estimate
from tests.node.making import small_circuit, snapshot

CIRCUIT = small_circuit()
FILE = dump_circuit(CIRCUIT)


def test_put_and_found_again(tmp_path: Path) -> None:
    model = ModelStore(tmp_path).put(FILE, name="small")
    store = ModelStore(tmp_path)
    assert store.list() == (model,) == (store.about(CIRCUIT.digest),)
    assert store.file(model.digest) == FILE
    assert store.path(model.digest).read_bytes() == FILE
    assert store.circuit(model.digest) == CIRCUIT
    assert (model.name, model.size, model.file) == ("small", len(FILE), hashlib.sha256(FILE).digest())
    assert model.inputs[0]["shape"] == [4] and model.inputs[0]["dtype"] == "float32"


def test_put_twice_keeps_the_first(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    store.put(FILE, name="first")
    before = snapshot(tmp_path)
    assert store.put(FILE, name="second").name == "first"
    assert snapshot(tmp_path) == before


def test_without_a_name_the_digest_serves(tmp_path: Path) -> None:
    assert CIRCUIT.digest.hex()[:12] in ModelStore(tmp_path).put(FILE).name


@pytest.mark.parametrize("data", [b"", b"not a circuit", FILE[:-1], FILE + b"\0"])
def test_what_is_no_circuit_leaves_nothing(tmp_path: Path, data: bytes) -> None:
    store = ModelStore(tmp_path)
    with pytest.raises(circuits.CircuitError):
        store.put(data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 81, "line\nbreak", "\x1b[31m"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        ModelStore(tmp_path).put(FILE, name=name)
    assert caught.value.code == "node.model.name-malformed"
    assert list(tmp_path.iterdir()) == []


def test_unknown_and_removed(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    store.put(FILE)
    store.remove(CIRCUIT.digest)
    store.remove(CIRCUIT.digest)
    assert list(tmp_path.iterdir()) == []
    for ask in (store.about, store.file, store.path, store.circuit):
        with pytest.raises(UnsupportedError) as caught:
            ask(CIRCUIT.digest)
        assert caught.value.code == "request.model.unknown"


@pytest.mark.parametrize("part", ["model.circuit", "about.json"])
@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_damage_on_disk_is_noticed(tmp_path: Path, part: str, damage: bytes | None) -> None:
    store = ModelStore(tmp_path)
    store.put(FILE)
    path = tmp_path / CIRCUIT.digest.hex() / part
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    with pytest.raises(OperationalError) as caught:
        store.circuit(CIRCUIT.digest)
    assert caught.value.code == "node.model.damaged"
    assert str(tmp_path) not in caught.value.message


def test_many_putting_at_once(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    barrier, names = threading.Barrier(6), []

    def put(index: int) -> None:
        barrier.wait()
        names.append(store.put(FILE, name=f"name-{index}").name)

    threads = [threading.Thread(target=put, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 6 and len(set(names)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [CIRCUIT.digest.hex()]


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    a, b, c = (small_circuit(weight=weight) for weight in (1, 2, 3))
    for circuit in (a, b, c):
        store.put(dump_circuit(circuit))
    sessions = Sessions(store, memory=2 * memory_estimate(a) + 1, threads=1)
    sessions.circuit(a.digest)
    sessions.circuit(b.digest)
    sessions.circuit(a.digest)
    sessions.circuit(c.digest)
    assert set(sessions.loaded) == {a.digest, c.digest}
    assert sessions.runtime(a.digest) is sessions.runtime(a.digest)


def test_a_model_beyond_the_bound_is_refused_and_not_kept(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    store.put(FILE)
    sessions = Sessions(store, memory=memory_estimate(CIRCUIT) - 1)
    with pytest.raises(OperationalError) as caught:
        sessions.circuit(CIRCUIT.digest)
    assert caught.value.code == "node.model.too-large"
    assert sessions.loaded == ()
    with pytest.raises(UnsupportedError):
        sessions.circuit(bytes(32))
    assert sessions.loaded == ()
