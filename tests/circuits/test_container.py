# SPDX-License-Identifier: AGPL-3.0-or-later
"""The file: round trips, every bit flip, hostile bytes, caps."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits import (
    CircuitBuilder,
    CircuitError,
    MalformedError,
    RejectedError,
    container,
    dump_circuit,
    graph,
    load_circuit,
)
from circuits.header import encode_header
from tests.circuits.samples import every_gate, small_net, tiny
from tests.circuits.strategies import SEEDS, random_circuit
from tests.fuzz.fuzz_circuit import fuzz_circuit

GOOD = dump_circuit(tiny())
HEADER_START = 12
HEADER_END = HEADER_START + len(tiny().header)


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_round_trip(seed: int) -> None:
    circuit = random_circuit(seed)
    data = dump_circuit(circuit)
    loaded = load_circuit(data)
    assert dump_circuit(loaded) == data
    assert loaded.digest == circuit.digest
    assert loaded.weights_digest == circuit.weights_digest
    for field in ("profile", "source", "tensors", "gates", "inputs", "outputs", "quality"):
        assert getattr(loaded, field) == getattr(circuit, field)
    for a, b in zip(loaded.constants, circuit.constants, strict=True):
        assert a.name == b.name
        assert a.data.dtype == b.data.dtype
        assert np.array_equal(a.data, b.data)
        assert not a.data.flags.writeable
        assert not b.data.flags.writeable


def test_building_twice_gives_the_same_bytes() -> None:
    assert dump_circuit(every_gate()) == dump_circuit(every_gate())


def test_digest_covers_weights() -> None:
    assert tiny().digest != small_net().digest
    assert tiny().weights_digest != small_net().weights_digest


def test_every_bit_of_the_prefix_matters() -> None:
    for bit in range(8 * HEADER_START):
        with pytest.raises(CircuitError):
            load_circuit(flip(GOOD, bit))


def test_every_bit_of_the_header_matters() -> None:
    accepted = 0
    for bit in range(8 * HEADER_START, 8 * HEADER_END):
        try:
            loaded = load_circuit(flip(GOOD, bit))
        except CircuitError:
            continue
        accepted += 1
        assert loaded.digest != tiny().digest
    assert accepted > 0  # names and real ranges may change: that is another circuit, with another digest


def test_every_bit_of_the_constants_matters() -> None:
    for bit in range(8 * HEADER_END, 8 * len(GOOD)):
        with pytest.raises(RejectedError) as caught:
            load_circuit(flip(GOOD, bit))
        assert caught.value.code == "circuit.constant.digest-mismatch"


def test_every_truncation_is_malformed() -> None:
    for size in range(len(GOOD)):
        with pytest.raises(MalformedError):
            load_circuit(GOOD[:size])


@pytest.mark.fuzz
@given(data=st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    fuzz_circuit(data)
    fuzz_circuit(b"AFFCIRC1" + len(data).to_bytes(4, "little") + data)


@pytest.mark.fuzz
@given(data=st.data())
def test_mutated_files(data: st.DataObject) -> None:
    good = dump_circuit(every_gate())
    at = data.draw(st.integers(0, len(good)))
    cut = data.draw(st.integers(0, 20))
    fuzz_circuit(good[:at] + data.draw(st.binary(max_size=20)) + good[at + cut :])


def test_file_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_FILE", len(GOOD) - 1)
    with pytest.raises(MalformedError) as caught:
        load_circuit(GOOD)
    assert caught.value.code == "circuit.container.too-large"


def test_constant_reads_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MAX_CONSTANT_READS", 8)  # tiny's dense gate reads 6 + 2, its requant 1 more
    with pytest.raises(MalformedError) as caught:
        load_circuit(GOOD)
    assert caught.value.code == "circuit.graph.too-large"


def test_constants_count_as_large_as_they_are_broadcast(monkeypatch: pytest.MonkeyPatch) -> None:
    b = CircuitBuilder()
    x = b.input("x", [8, 8], 0, 1)
    row, column = b.constant("row", np.zeros((8, 1), int)), b.constant("column", np.zeros((1, 8), int))
    b.output("y", b.gate("affine", "y", [x], [row, column]))
    good = dump_circuit(b.build())
    load_circuit(good)
    monkeypatch.setattr(graph, "MAX_CONSTANT_READS", 127)  # two constants, 64 elements each when broadcast
    with pytest.raises(MalformedError) as caught:
        load_circuit(good)
    assert caught.value.code == "circuit.graph.too-large"


def test_header_cap_when_writing() -> None:
    circuit = tiny()
    rows = (circuit.tensors, circuit.constants, circuit.gates, circuit.inputs, circuit.outputs)
    with pytest.raises(MalformedError) as caught:
        encode_header(circuit.profile, {"padding": "x" * (1 << 22)}, *rows, circuit.quality)
    assert caught.value.code == "circuit.header.too-large"


def test_import_closure_is_small() -> None:
    """Loading and evaluating needs numpy; nothing that compiles, runs or talks."""
    code = "import sys, circuits; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "circuits.reference" in loaded
    assert not loaded & {"circuits.emission", "circuits.compiler", "circuits.ops"}
    assert not loaded & {"onnx", "onnxruntime", "google.protobuf", "cryptography", "socket", "sqlite3", "asyncio"}
