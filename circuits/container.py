# SPDX-License-Identifier: AGPL-3.0-or-later
"""The `circuit@v1` file: magic, header length, header, constants. The page is docs/spec/circuit-v1.md."""

from __future__ import annotations

import hashlib

import numpy as np

from circuits.circuit import Circuit, Constant, circuit_digest
from circuits.constants import check_constant
from circuits.errors import MalformedError, RejectedError, UnsupportedError
from circuits.graph import check_graph, check_profile
from circuits.header import DTYPES, ConstantEntry, decode_header
from circuits.limits import MAX_CONSTANT_ELEMENTS, MAX_FILE, MAX_HEADER

MAGIC = b"AFFCIRC1"
_PREFIX = len(MAGIC) + 4


def dump_circuit(circuit: Circuit) -> bytes:
    """The file: MAGIC, u32 LE header length, header, raw constants in table order."""
    parts = [MAGIC, len(circuit.header).to_bytes(4, "little"), circuit.header]
    return b"".join(parts + [c.raw for c in circuit.constants])


def load_circuit(data: bytes) -> Circuit:
    """Parse and check a circuit file completely; what comes back has every property that the spec page
    promises.

    Total on hostile bytes: raises only MalformedError (circuit.container.*, .cbor.*, .header.*, .graph.*,
    .gate.*, .tensor.*, .bounds.*, .port.*, .constant.*), RejectedError (circuit.constant.digest-mismatch,
    .tensor.shape-mismatch, .tensor.bounds-mismatch, .port.range-mismatch) and UnsupportedError
    (circuit.container.unknown-version, .header.unknown-format, .profile.unknown, .gate.unknown).
    """
    raw = _read_header(data)
    header = decode_header(raw)
    check_profile(header.profile)
    constants = _read_constants(memoryview(data)[_PREFIX + len(raw) :], header.constants)
    check_graph(header.tensors, constants, header.gates, header.inputs, header.outputs)
    return Circuit(
        header.profile,
        header.source,
        header.tensors,
        constants,
        header.gates,
        header.inputs,
        header.outputs,
        header.quality,
        raw,
    )


def stated_digest(data: bytes) -> bytes:
    """What `digest` of this file's circuit will be if it loads; nothing but the header's place is checked.

    Raises as `load_circuit` does for circuit.container.* and circuit.header.too-large.
    """
    return circuit_digest(_read_header(data))


def _read_header(data: bytes) -> bytes:
    if len(data) > MAX_FILE:
        raise MalformedError("circuit.container.too-large", f"{len(data)} bytes; required at most {MAX_FILE}")
    if len(data) < _PREFIX:
        raise MalformedError("circuit.container.truncated", f"{len(data)} bytes; required at least {_PREFIX}")
    _check_magic(data[: len(MAGIC)])
    size = int.from_bytes(data[len(MAGIC) : _PREFIX], "little")
    if size > MAX_HEADER:
        raise MalformedError("circuit.header.too-large", f"header of {size} bytes; required at most {MAX_HEADER}")
    raw = bytes(data[_PREFIX : _PREFIX + size])
    if len(raw) < size:
        raise MalformedError("circuit.container.truncated", f"{len(raw)} bytes of header; required {size}")
    return raw


def _check_magic(magic: bytes) -> None:
    if magic == MAGIC:
        return
    if magic[:7] == MAGIC[:7]:
        raise UnsupportedError("circuit.container.unknown-version", f"magic {magic!r}; required {MAGIC!r}")
    raise MalformedError("circuit.container.magic", f"magic {magic!r}; required {MAGIC!r}", "is this a circuit file?")


def _read_constants(body: memoryview, entries: tuple[ConstantEntry, ...]) -> tuple[Constant, ...]:
    sizes = []
    for entry in entries:
        count = int(np.prod(entry.shape, dtype=object)) if entry.shape else 1
        if not 0 < count <= MAX_CONSTANT_ELEMENTS:
            raise MalformedError(
                "circuit.constant.shape",
                f"constant {entry.name!r} is {list(entry.shape)}; required 1 to {MAX_CONSTANT_ELEMENTS} elements",
            )
        sizes.append(count * np.dtype(DTYPES[entry.dtype]).itemsize)
    if sum(sizes) != len(body):
        code = "truncated" if len(body) < sum(sizes) else "trailing"
        raise MalformedError(
            f"circuit.container.{code}", f"{len(body)} bytes of constants; required exactly {sum(sizes)}"
        )
    constants, at = [], 0
    for entry, size in zip(entries, sizes, strict=True):
        raw = bytes(body[at : at + size])
        at += size
        if hashlib.sha256(raw).digest() != entry.sha256:
            raise RejectedError(
                "circuit.constant.digest-mismatch", f"constant {entry.name!r} is not what its SHA-256 says"
            )
        array = np.frombuffer(raw, dtype=DTYPES[entry.dtype]).reshape(entry.shape)
        constant = Constant(entry.name, array.astype(array.dtype.newbyteorder("="), copy=False))
        check_constant(constant)
        constants.append(constant)
    return tuple(constants)
