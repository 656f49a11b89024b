# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clock, reset count and restart count of a TPM, against what it said earlier.

A quote that is behind an earlier one under the same key was made before it, or by a TPM that was cleared: a replay, a
rolled-back virtual TPM, or a new owner. Source: TPM 2.0 Library, Part 1, 36 (Clock), Part 2, 10.11.1 (TPMS_CLOCK_INFO).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attestation.clock import Counters
from attestation.contract import Check
from attestation.tpm2.attest import Attest

__all__ = ["MAX_LOST_MS", "Counters", "check_counters", "stated"]

ID = "evidence.tpm2.counters"
MAX_LOST_MS = 1 << 22
"""How far a clock may fall back when power is lost: it goes to memory at least once in 2^22 ms (Part 2, 10.11.1)."""

_REQUIRED = "clock, reset and restart counts not behind those seen earlier of this AK"
_VOUCHED = (
    "evidence.tpm2.quote-magic",
    "evidence.tpm2.quote-type",
    "evidence.tpm2.challenge",
    "evidence.tpm2.signature",
)


def check_counters(attest: Attest, earlier: Counters | None) -> Check:
    """PASS when nothing is behind; FAIL with `evidence.tpm2.counters-backwards`; SKIP, not demanded, when nothing of
    this key was seen earlier (`evidence.tpm2.counters-unknown`).

    After a reset, a clock that the TPM itself calls unsafe may be behind, by as much as it had not yet written to
    its memory when power was lost: a warning. `safe` means that no higher value was ever reported.
    """
    now = _of(attest)
    if earlier is None:
        return Check(ID, "SKIP", str(now), _REQUIRED, f"{ID}-unknown", demanded=False)
    resets, restarts = now.boots_since(earlier)
    lost = earlier.clock_ms - now.clock_ms
    tolerated = 0 < lost <= MAX_LOST_MS and resets > 0 and not attest.safe
    if resets < 0 or restarts < 0 or (lost > 0 and not tolerated):
        return Check(ID, "FAIL", str(now), f"{_REQUIRED}: {earlier}", f"{ID}-backwards")
    return Check(ID, "PASS", str(now), f"{_REQUIRED}: {earlier}", warning=tolerated)


def stated(key: bytes, attest: Attest, lines: Iterable[Check]) -> Mapping[bytes, Counters]:
    """What to remember of the key with this SHA-256: nothing unless the TPM signed it over the caller's challenge.

    So nobody but the holder of a key can move what is remembered of it. A key that may sign anything (its attributes
    are a FAIL) says nothing of a TPM.
    """
    outcomes = {line.id: line.outcome for line in lines}
    vouched = all(outcomes.get(name) == "PASS" for name in _VOUCHED)
    if not vouched or outcomes.get("evidence.tpm2.ak-attributes") == "FAIL":
        return {}
    return {key: _of(attest)}


def _of(attest: Attest) -> Counters:
    return Counters(attest.clock, attest.reset_count, attest.restart_count)
