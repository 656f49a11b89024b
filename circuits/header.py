# SPDX-License-Identifier: AGPL-3.0-or-later
"""The header of a circuit file: records to canonical CBOR and back.

Grammar and types only; `graph` checks the meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.canonical_cbor import CborValue, decode, encode
from circuits.circuit import Attribute, Constant, Gate, Port, Shape, Tensor
from circuits.errors import MalformedError, UnsupportedError
from circuits.limits import (
    MAX_CONSTANTS,
    MAX_DEPTH,
    MAX_GATES,
    MAX_HEADER,
    MAX_ITEMS,
    MAX_NAME,
    MAX_OPERANDS,
    MAX_PORTS,
    MAX_RANK,
    MAX_TENSORS,
)

FORMAT = "circuit@v1"
DTYPES = {"i8": "<i1", "i16": "<i2", "i32": "<i4", "i64": "<i8"}
"""Names of constant types, and numpy's."""

_FIELDS = {"format", "profile", "source", "tensors", "constants", "gates", "inputs", "outputs", "quality"}


@dataclass(frozen=True, slots=True)
class ConstantEntry:
    """What the header says of a constant."""

    name: str
    dtype: str
    shape: Shape
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A header with the right types everywhere, and nothing else checked."""

    profile: str
    source: Mapping[str, object]
    tensors: tuple[Tensor, ...]
    constants: tuple[ConstantEntry, ...]
    gates: tuple[Gate, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    quality: Mapping[str, object]


def dtype_name(constant: Constant) -> str:
    """i8, i16, i32 or i64."""
    return f"i{8 * constant.data.dtype.itemsize}"


def encode_header(
    profile: str,
    source: Mapping[str, object],
    tensors: Sequence[Tensor],
    constants: Sequence[Constant],
    gates: Sequence[Gate],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    quality: Mapping[str, object],
) -> bytes:
    """Canonical CBOR of the records. Raises MalformedError when it is larger than MAX_HEADER."""
    header = encode(
        {
            "format": FORMAT,
            "profile": profile,
            "source": source,
            "tensors": [[t.name, t.shape, t.lo, t.hi] for t in tensors],
            "constants": [[c.name, dtype_name(c), c.data.shape, c.sha256] for c in constants],
            "gates": [[g.kind, g.name, g.inputs, g.output, g.constants, g.attributes] for g in gates],
            "inputs": [_port_record(p) for p in inputs],
            "outputs": [_port_record(p) for p in outputs],
            "quality": quality,
        }
    )
    decode_header(header)  # what we write, we can read: caps hold
    return header


def decode_header(header: bytes) -> Header:
    """Typed records.

    Raises MalformedError (circuit.cbor.*, circuit.header.*), UnsupportedError (circuit.header.unknown-format).
    """
    if len(header) > MAX_HEADER:
        raise MalformedError("circuit.header.too-large", f"{len(header)} bytes; required at most {MAX_HEADER}")
    fields = decode(header, max_depth=MAX_DEPTH, max_items=MAX_ITEMS)
    if not isinstance(fields, dict):
        raise MalformedError("circuit.header.type", "the header is not a map")
    if fields.get("format") != FORMAT:
        raise UnsupportedError(
            "circuit.header.unknown-format", f"format {str(fields.get('format'))[:64]!r}; required {FORMAT!r}"
        )
    if set(fields) != _FIELDS:
        odd = sorted(set(fields) ^ _FIELDS)
        raise MalformedError("circuit.header.fields", f"missing or unknown fields {str(odd)[:200]}")
    return Header(
        text(fields["profile"], "profile"),
        mapping(fields["source"], "source"),
        tuple(_tensor(r) for r in records(fields["tensors"], "tensors", 4, MAX_TENSORS)),
        tuple(_constant(r) for r in records(fields["constants"], "constants", 4, MAX_CONSTANTS)),
        tuple(_gate(r) for r in records(fields["gates"], "gates", 6, MAX_GATES)),
        tuple(_port(r) for r in records(fields["inputs"], "inputs", 6, MAX_PORTS)),
        tuple(_port(r) for r in records(fields["outputs"], "outputs", 6, MAX_PORTS)),
        mapping(fields["quality"], "quality"),
    )


def _port_record(p: Port) -> list[object]:
    return [p.name, p.tensor, p.dtype, float(p.scale), float(p.real_lo), float(p.real_hi)]


def _tensor(r: list[CborValue]) -> Tensor:
    return Tensor(text(r[0], "tensor name"), indices(r[1], MAX_RANK), integer(r[2]), integer(r[3]))


def _constant(r: list[CborValue]) -> ConstantEntry:
    dtype = text(r[1], "constant dtype")
    if dtype not in DTYPES:
        raise MalformedError("circuit.header.type", f"constant dtype {dtype!r}; required one of {sorted(DTYPES)}")
    if not isinstance(r[3], bytes) or len(r[3]) != 32:
        raise MalformedError("circuit.header.type", "a constant's sha256 is not 32 bytes")
    return ConstantEntry(text(r[0], "constant name"), dtype, indices(r[2], MAX_RANK), r[3])


def _gate(r: list[CborValue]) -> Gate:
    attributes: dict[str, Attribute] = {}
    for name, value in mapping(r[5], "attributes").items():
        if isinstance(value, list):
            attributes[name] = tuple(integer(v) for v in value)
        else:
            attributes[name] = value if isinstance(value, bool) else integer(value)
    inputs, constants = indices(r[2], MAX_OPERANDS), indices(r[4], MAX_OPERANDS)
    return Gate(text(r[0], "gate kind"), text(r[1], "gate name"), inputs, integer(r[3]), constants, attributes)


def _port(r: list[CborValue]) -> Port:
    scale, lo, hi = (_float(v) for v in r[3:])
    return Port(text(r[0], "port name"), integer(r[1]), text(r[2], "port dtype"), scale, lo, hi)


def records(value: CborValue, what: str, length: int, most: int) -> list[list[CborValue]]:
    """A list of at most `most` lists of exactly `length` values."""
    if not isinstance(value, list) or len(value) > most:
        raise MalformedError("circuit.header.type", f"{what}: required a list of at most {most} records")
    rows = [row for row in value if isinstance(row, list) and len(row) == length]
    if len(rows) != len(value):
        raise MalformedError("circuit.header.type", f"{what}: every record has {length} fields")
    return rows


def text(value: object, what: str) -> str:
    """Printable text of 1 to MAX_NAME bytes."""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.encode()) <= MAX_NAME:
        raise MalformedError("circuit.header.name", f"{what}: required printable text of 1 to {MAX_NAME} bytes")
    return value


def mapping(value: object, what: str) -> dict[str, CborValue]:
    """A map."""
    if not isinstance(value, dict):
        raise MalformedError("circuit.header.type", f"{what}: required a map")
    return value


def integer(value: object) -> int:
    """An integer."""
    if type(value) is not int:
        raise MalformedError("circuit.header.type", f"{str(value)[:64]!r}: required an integer")
    return value


def indices(value: object, most: int) -> tuple[int, ...]:
    """At most `most` non-negative integers."""
    if not isinstance(value, list) or len(value) > most or any(type(v) is not int or v < 0 for v in value):
        raise MalformedError("circuit.header.type", f"required a list of at most {most} integers >= 0")
    return tuple(value)


def _float(value: object) -> float:
    if not isinstance(value, float):
        raise MalformedError("circuit.header.type", f"{str(value)[:64]!r}: required a float")
    return value
