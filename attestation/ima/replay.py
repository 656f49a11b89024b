# SPDX-License-Identifier: AGPL-3.0-or-later
"""The part of an IMA list that a quoted register vouches for, and the boot aggregate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attestation.ima.entries import HASH_SIZES, SHA1_SIZE, ImaList

DEFAULT_REGISTER = 10
"""CONFIG_IMA_MEASURE_PCR_IDX."""
BEFORE_KERNEL_5_8 = range(8)
SINCE_KERNEL_5_8 = range(10)
"""PCRs of the boot aggregate; with SHA-1, the first at any time."""


def covered_prefix(measured: ImaList, algorithm: str, quoted: bytes, *, register: int = DEFAULT_REGISTER) -> int | None:
    """How many entries, from the first, replay to the quoted value of `register`; None where no prefix does.

    Entries of other registers may stand in between: they are counted, and vouched for by nothing. 0 where the register
    is in its initial state.
    """
    value = bytes(HASH_SIZES[algorithm])
    if value == quoted:
        return 0
    for index, entry in enumerate(measured.entries):
        if entry.register != register:
            continue
        value = _extended(algorithm, value, entry.extends(algorithm))
        if value == quoted:
            return index + 1
    return None


def padded_prefix(measured: ImaList, algorithm: str, quoted: bytes, *, register: int = DEFAULT_REGISTER) -> int | None:
    """As `covered_prefix`, for kernels before 5.8, which extended every bank with SHA-1 digests and zeros behind."""
    size = HASH_SIZES[algorithm]
    value = bytes(size)
    for index, entry in enumerate(measured.entries):
        if entry.register != register:
            continue
        digest = b"\xff" * size if entry.violation else entry.listed.ljust(size, b"\0")
        value = _extended(algorithm, value, digest)
        if value == quoted and size > SHA1_SIZE:
            return index + 1
    return None


def boot_aggregates(algorithm: str, registers: Mapping[int, bytes]) -> tuple[bytes, ...]:
    """The values that the boot aggregate may have with these PCRs of that bank; none without PCRs 0 to 7."""
    found = []
    ranges = (BEFORE_KERNEL_5_8,) if algorithm == "sha1" else (SINCE_KERNEL_5_8, BEFORE_KERNEL_5_8)
    for indices in ranges:
        if all(index in registers for index in indices):
            data = b"".join(registers[index] for index in indices)
            found.append(hashlib.new(algorithm, data, usedforsecurity=algorithm != "sha1").digest())
    return tuple(found)


def _extended(algorithm: str, value: bytes, digest: bytes) -> bytes:
    return hashlib.new(algorithm, value + digest, usedforsecurity=algorithm != "sha1").digest()
