# SPDX-License-Identifier: AGPL-3.0-or-later
"""The golden files: what must load, to which digests and values, and what must be refused, with which code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from circuits import CircuitError, dump_circuit, evaluate, load_circuit
from circuits.errors import MalformedError, RejectedError, UnsupportedError
from circuits.gates import RULES
from node.runtime import Runtime
from tests.vectors.circuit.generate import HERE, fixed_inputs, generate

MANIFEST: dict[str, Any] = json.loads((HERE / "manifest.json").read_text())
REJECTED = {"digest-mismatch", "shape-mismatch", "bounds-mismatch", "range-mismatch"}


@pytest.mark.parametrize("entry", MANIFEST["accept"], ids=lambda e: e["file"])
def test_accept(entry: dict[str, Any]) -> None:
    data = (HERE / entry["file"]).read_bytes()
    circuit = load_circuit(data)
    assert dump_circuit(circuit) == data
    assert circuit.digest.hex() == entry["digest"]
    assert circuit.weights_digest.hex() == entry["weights_digest"]
    inputs = fixed_inputs(circuit)
    for tensors in (evaluate(circuit, inputs), Runtime(circuit).trace(inputs)):
        trace = hashlib.sha256(b"".join(t.astype("<i8").tobytes() for t in tensors)).hexdigest()
        assert trace == entry["trace_sha256"]
        for port in circuit.outputs:
            assert tensors[port.tensor].ravel().tolist() == entry["outputs"][port.name]


@pytest.mark.parametrize("entry", MANIFEST["refuse"], ids=lambda e: e["file"])
def test_refuse(entry: dict[str, Any]) -> None:
    with pytest.raises(CircuitError) as caught:
        load_circuit((HERE / entry["file"]).read_bytes())
    assert caught.value.code == entry["code"]
    assert "\n" not in caught.value.message
    last = entry["code"].rsplit(".", 1)[1]
    kind = UnsupportedError if "unknown" in last else RejectedError if last in REJECTED else MalformedError
    assert type(caught.value) is kind


def test_every_gate_is_in_a_vector() -> None:
    circuit = load_circuit((HERE / "every-gate.circuit").read_bytes())
    assert {gate.kind for gate in circuit.gates} == set(RULES)


def test_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    generate(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (HERE / path.name).read_bytes(), path.name
    committed = {p.name for p in HERE.iterdir() if p.suffix in (".circuit", ".json")}
    assert committed == {p.name for p in tmp_path.iterdir()}
