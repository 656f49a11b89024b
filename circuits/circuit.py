# SPDX-License-Identifier: AGPL-3.0-or-later
"""The circuit: an ordered graph of exact integer gates. Plain immutable records, no behaviour.

Tensors are numbered: first the inputs, in port order, then one per gate, in gate order. Shapes are per
sample; at run time every array has one more leading axis, the batch, of any size >= 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

IntArray: TypeAlias = npt.NDArray[np.int64]
Shape: TypeAlias = tuple[int, ...]
Attribute: TypeAlias = int | bool | tuple[int, ...]

PROFILE = "int-shift-floor@v1"
"""Exact integers; requantisation is an arithmetic right shift (floor), then a clamp."""

CIRCUIT_LABEL = b"affidavit/circuit@v1\0"
WEIGHTS_LABEL = b"affidavit/weights@v1\0"


def circuit_digest(header: bytes) -> bytes:
    """SHA-256 of the label and the header: 32 bytes."""
    return hashlib.sha256(CIRCUIT_LABEL + header).digest()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the circuit: per-sample `shape`, and bounds `lo <= x <= hi` that hold for every element."""

    name: str
    shape: Shape
    lo: int
    hi: int

    @property
    def magnitude(self) -> int:
        """max |x| over the bounds."""
        return max(abs(self.lo), abs(self.hi))

    @property
    def elements(self) -> int:
        """Number of elements per sample."""
        return int(np.prod(self.shape, dtype=object)) if self.shape else 1


@dataclass(frozen=True, eq=False, slots=True)
class Constant:
    """A named read-only integer array: int8, int16, int32 or int64, C order."""

    name: str
    data: npt.NDArray[np.signedinteger]

    @property
    def sha256(self) -> bytes:
        """Digest of the raw little-endian bytes."""
        return hashlib.sha256(self.raw).digest()

    @property
    def raw(self) -> bytes:
        """Little-endian bytes in C order."""
        return self.data.astype(self.data.dtype.newbyteorder("<"), copy=False).tobytes()


@dataclass(frozen=True, slots=True)
class Gate:
    """One operation: reads tensors `inputs` and constants `constants` by index, produces tensor `output`."""

    kind: str
    name: str
    inputs: tuple[int, ...]
    output: int
    constants: tuple[int, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Port:
    """How the outside sees a tensor: real value = integer * `scale`.

    `dtype` is numpy's name of the real-valued array (``float32``, ``uint8``, ...). An input is accepted in
    [`real_lo`, `real_hi`] only; for an output these are the bounds times the scale.
    """

    name: str
    tensor: int
    dtype: str
    scale: float
    real_lo: float
    real_hi: float


@dataclass(frozen=True, eq=False)
class Circuit:
    """A checked circuit. Made by `CircuitBuilder.build` and `load_circuit` only.

    `header` is the canonical CBOR that the file carries and the digest covers. `source` says what it was
    compiled from, `quality` what was measured at compile time; neither has a meaning for execution.
    """

    profile: str
    source: Mapping[str, object]
    tensors: tuple[Tensor, ...]
    constants: tuple[Constant, ...]
    gates: tuple[Gate, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    quality: Mapping[str, object]
    header: bytes

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the label and the header (which names every constant by SHA-256): 32 bytes."""
        return circuit_digest(self.header)

    @cached_property
    def weights_digest(self) -> bytes:
        """SHA-256 of the label and the SHA-256 of every constant, in order: 32 bytes."""
        return hashlib.sha256(WEIGHTS_LABEL + b"".join(c.sha256 for c in self.constants)).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Circuit) and other.header == self.header

    def __hash__(self) -> int:
        return hash(self.digest)
