# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a TPM says of its clock and its counts, and which of two sayings is the later one.

A TPM's clock only goes forward, until TPM2_Clear; the reset count grows with every boot, the restart count with every
resume since (TPM 2.0 Library, Part 1, 36; Part 2, 10.11.1). For most keys a TPM adds to both counts a secret constant
of the key, modulo 2^32 (Part 1, 36.7). They are therefore compared modulo 2^32: less than 2^31 ahead is forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attestation.errors import OperationalError

_LIMITS = {"clock_ms": 1 << 64, "reset_count": 1 << 32, "restart_count": 1 << 32}


@dataclass(frozen=True, slots=True)
class Counters:
    """What one quote said. `clock_ms` in milliseconds."""

    clock_ms: int
    reset_count: int
    restart_count: int

    def __post_init__(self) -> None:
        """Raises `OperationalError` with `evidence.tpm2.trust-invalid` for numbers that no quote has."""
        for name, limit in _LIMITS.items():
            if not 0 <= getattr(self, name) < limit:
                raise OperationalError("evidence.tpm2.trust-invalid", f"{name} of a quote is out of range")

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> Counters:
        """Of the claims of an appraisal that passed, to be remembered for the next one."""
        return cls(claims["clock_ms"], claims["reset_count"], claims["restart_count"])

    def boots_since(self, earlier: Counters) -> tuple[int, int]:
        """Resets since `earlier`, and restarts where there was no reset; negative for what is behind."""
        resets = _ahead(self.reset_count, earlier.reset_count)
        return resets, 0 if resets else _ahead(self.restart_count, earlier.restart_count)

    def __str__(self) -> str:
        return f"clock {self.clock_ms} ms, resets {self.reset_count}, restarts {self.restart_count}"


def later(one: Counters | None, other: Counters) -> Counters:
    """The one that the TPM said last: more resets, then more restarts, then the higher clock."""
    if one is None:
        return other
    boots = other.boots_since(one)
    return other if (*boots, other.clock_ms - one.clock_ms) > (0, 0, 0) else one


def merge(one: Mapping[bytes, Counters], other: Mapping[bytes, Counters]) -> dict[bytes, Counters]:
    """Of each key in either, what was said last."""
    found = dict(one)
    for key, said in other.items():
        found[key] = later(found.get(key), said)
    return found


def _ahead(now: int, earlier: int) -> int:
    difference = (now - earlier) % (1 << 32)
    return difference if difference < 1 << 31 else difference - (1 << 32)
