# SPDX-License-Identifier: AGPL-3.0-or-later
"""The circuits that a node has on disk, each under its own digest.

::

    models/<circuit digest>/model.circuit      the file, byte for byte
    models/<circuit digest>/about.json         name, digests, size, signature: derived once, when it was put

A model comes in whole or not at all: it is checked, written beside its place, and moved there in one step.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import circuits
from circuits import Circuit, Port, load_circuit
from node.errors import MalformedError, OperationalError, UnsupportedError
from node.files import TEMPORARY, sync_directory, write_private
from node.limits import MAX_MODEL_NAME

_FILE, _ABOUT = "model.circuit", "about.json"


@dataclass(frozen=True)
class StoredModel:
    """What is known of a model without loading it.

    Attributes:
        digest, weights, file: circuit digest, weights digest, SHA-256 of the file; 32 bytes each.
        name: for people.
        profile: arithmetic profile id.
        size: bytes of the file.
        inputs, outputs: the signature as JSON objects: name, per-sample shape, dtype, scale, range.
    """

    digest: bytes
    weights: bytes
    file: bytes
    name: str
    profile: str
    size: int
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """A plain object; digests in hex."""
        return {
            "digest": self.digest.hex(),
            "weights": self.weights.hex(),
            "file": self.file.hex(),
            "name": self.name,
            "profile": self.profile,
            "size": self.size,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
        }


def port_json(circuit: Circuit, port: Port) -> dict[str, Any]:
    """An input or output as a plain object."""
    return {
        "name": port.name,
        "shape": list(circuit.tensors[port.tensor].shape),
        "dtype": port.dtype,
        "scale": port.scale,
        "low": port.real_lo,
        "high": port.real_hi,
    }


def _about(circuit: Circuit, data: bytes, name: str) -> StoredModel:
    return StoredModel(
        circuit.digest,
        circuit.weights_digest,
        hashlib.sha256(data).digest(),
        name,
        circuit.profile,
        len(data),
        tuple(port_json(circuit, port) for port in circuit.inputs),
        tuple(port_json(circuit, port) for port in circuit.outputs),
    )


class ModelStore:
    """A folder of circuits; safe for several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes, *, name: str = "") -> StoredModel:
        """Check a circuit file and keep it; one that is here already stays as it is, name included.

        Args:
            data: the file.
            name: for people, at most 80 printable characters; by default made of the digest.

        Raises:
            circuits.CircuitError: the file is not a circuit (``circuit.*``).
            MalformedError: ``node.model.name-malformed``.
            OperationalError: ``node.model.unwritable``.
        """
        circuit = load_circuit(data)
        about = _about(circuit, data, name or f"circuit-{circuit.digest.hex()[:12]}")
        if len(about.name) > MAX_MODEL_NAME or not about.name.isprintable():
            raise MalformedError(
                "node.model.name-malformed",
                f"a model name of at most {MAX_MODEL_NAME} printable characters required",
            )
        place = self._place(circuit.digest)
        if place.exists():
            return self.about(circuit.digest)
        temporary = self._folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            temporary.mkdir(mode=0o700)
            write_private(temporary / _FILE, data)
            write_private(temporary / _ABOUT, json.dumps(about.as_json(), sort_keys=True).encode())
            sync_directory(temporary)
            _move(temporary, place)
            sync_directory(self._folder)
        except OSError as error:
            raise OperationalError(
                "node.model.unwritable",
                f"the model cannot be written ({error.strerror or type(error).__name__})",
            ) from None
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return self.about(circuit.digest)

    def remove(self, digest: bytes) -> None:
        """Forget a model; no error when it is not there."""
        place = self._place(digest)
        if place.exists():
            aside = self._folder / f"{TEMPORARY}{secrets.token_hex(8)}"
            place.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)

    def list(self) -> tuple[StoredModel, ...]:
        """All models, by digest."""
        names = sorted(entry.name for entry in self._folder.iterdir() if not entry.name.startswith("."))
        return tuple(self.about(bytes.fromhex(name)) for name in names if len(name) == 64)

    def about(self, digest: bytes) -> StoredModel:
        """What is known of a model.

        Raises:
            UnsupportedError: ``request.model.unknown``.
            OperationalError: ``node.model.damaged``.
        """
        try:
            value = json.loads(self._read(digest, _ABOUT))
            return StoredModel(
                bytes.fromhex(value["digest"]),
                bytes.fromhex(value["weights"]),
                bytes.fromhex(value["file"]),
                value["name"],
                value["profile"],
                value["size"],
                tuple(value["inputs"]),
                tuple(value["outputs"]),
            )
        except (ValueError, KeyError, TypeError):
            raise _damaged(digest) from None

    def file(self, digest: bytes) -> bytes:
        """The circuit file, checked against the SHA-256 noted when it was put."""
        data = self._read(digest, _FILE)
        if hashlib.sha256(data).digest() != self.about(digest).file:
            raise _damaged(digest)
        return data

    def path(self, digest: bytes) -> Path:
        """Where the circuit file lies; the same errors as :meth:`about`."""
        self.about(digest)
        return self._place(digest) / _FILE

    def circuit(self, digest: bytes) -> Circuit:
        """The circuit, loaded and checked completely."""
        try:
            circuit = load_circuit(self.file(digest))
        except circuits.CircuitError:
            raise _damaged(digest) from None
        if circuit.digest != digest:
            raise _damaged(digest)
        return circuit

    def _place(self, digest: bytes) -> Path:
        return self._folder / digest.hex()

    def _read(self, digest: bytes, file: str) -> bytes:
        try:
            return (self._place(digest) / file).read_bytes()
        except OSError:
            if self._place(digest).exists():
                raise _damaged(digest) from None
            raise UnsupportedError(
                "request.model.unknown",
                f"model {digest.hex()[:16]} is not at this node",
                remedy="list the node's models, or have its operator put this one there",
            ) from None


def _move(source: Path, target: Path) -> None:
    """Rename a directory; of two writers of the same model the second one finds it there."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _damaged(digest: bytes) -> OperationalError:
    return OperationalError(
        "node.model.damaged",
        f"the node's copy of model {digest.hex()[:16]} is not what it was when it came in",
        remedy="its operator should remove the model and put it again",
    )
