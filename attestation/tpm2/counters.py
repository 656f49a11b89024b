# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clock, reset count and restart count of a TPM, against what it said earlier.

A TPM's clock only goes forward, until TPM2_Clear; the reset count grows with every boot, the restart count with every
resume since (TPM 2.0 Library, Part 1, 36). So a quote that is behind an earlier one under the same key was made
before it, or by a TPM that was cleared: a replay, a rolled-back virtual TPM, or a new owner.

For most keys a TPM adds to both counts a secret constant of the key, modulo 2^32 (Part 1, 36.7). They are therefore
compared modulo 2^32: less than 2^31 ahead is forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attestation.contract import Check
from attestation.errors import OperationalError
from attestation.tpm2.attest import Attest

ID = "evidence.tpm2.counters"
_REQUIRED = "clock, reset and restart counts not behind those seen earlier of this AK"
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

    def __str__(self) -> str:
        return f"clock {self.clock_ms} ms, resets {self.reset_count}, restarts {self.restart_count}"


def check_counters(attest: Attest, earlier: Counters | None) -> Check:
    """PASS when nothing is behind; FAIL with `evidence.tpm2.counters-backwards`; SKIP, not demanded, when nothing of
    this key was seen earlier (`evidence.tpm2.counters-unknown`).

    After a reset, a clock that the TPM itself calls unsafe may be behind, by as much as it had not yet written to
    its memory when power was lost: a warning.
    """
    now = Counters(attest.clock, attest.reset_count, attest.restart_count)
    if earlier is None:
        return Check(ID, "SKIP", str(now), _REQUIRED, f"{ID}-unknown", demanded=False)
    resets = _ahead(now.reset_count, earlier.reset_count)
    restarts = _ahead(now.restart_count, earlier.restart_count)
    behind = resets < 0 or (resets == 0 and restarts < 0)
    clock_behind = now.clock_ms < earlier.clock_ms
    tolerated = clock_behind and resets > 0 and not attest.safe
    if behind or (clock_behind and not tolerated):
        return Check(ID, "FAIL", str(now), f"{_REQUIRED}: {earlier}", f"{ID}-backwards")
    return Check(ID, "PASS", str(now), f"{_REQUIRED}: {earlier}", warning=tolerated)


def _ahead(now: int, earlier: int) -> int:
    difference = (now - earlier) % (1 << 32)
    return difference if difference < 1 << 31 else difference - (1 << 32)
