# SPDX-License-Identifier: AGPL-3.0-or-later
"""One vocabulary for verdicts, used by the core, the command line, the services and the tests.

=============  ====  ======================================================================
verdict        exit  meaning
=============  ====  ======================================================================
ACCEPT         0     every check that the policy requires passed
REJECT         10    at least one check is false
UNVERIFIABLE   20    something needed is missing or unsupported: neither fault nor success
MALFORMED      30    grammar or limits
ERROR          1     our own fault; never touches anyone's reputation
=============  ====  ======================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """The five possible outcomes of looking at an affidavit."""

    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    UNVERIFIABLE = "UNVERIFIABLE"
    MALFORMED = "MALFORMED"
    ERROR = "ERROR"

    @property
    def exit_code(self) -> int:
        """Process exit code of the command line for this verdict."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.ACCEPT: 0,
    Verdict.REJECT: 10,
    Verdict.UNVERIFIABLE: 20,
    Verdict.MALFORMED: 30,
    Verdict.ERROR: 1,
}


class Outcome(Enum):
    """What one check found. ``SKIP`` never counts as ``PASS``."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Check:
    """One line of the verdict.

    Attributes:
        id: stable name of the check, e.g. ``receipt.signature``.
        outcome: what was found.
        observed: what the affidavit shows, for people.
        required: what it was compared with, for people.
        code: why, when the outcome is not ``PASS``; empty otherwise. Listed in :mod:`verifier.codes`.
        method: the mechanism a ``PASS`` rests on (``ed25519``, ``sha-256``, ...); empty if none.
        bits: security of that mechanism in bits; ``None`` where it is not a cryptographic one.
        remedy: what would turn a ``SKIP`` into a decision, or what to do about a ``FAIL``.
        demanded: whether a ``SKIP`` keeps its layer from being reached; a verdict names such a one.
    """

    id: str
    outcome: Outcome
    observed: str
    required: str
    code: str = ""
    method: str = ""
    bits: int | None = None
    remedy: str = ""
    demanded: bool = True

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS

    def as_json(self) -> dict[str, object]:
        """A plain object for the JSON outputs; keys never change meaning."""
        return {
            "id": self.id,
            "result": self.outcome.value,
            "observed": self.observed,
            "required": self.required,
            "code": self.code,
            "method": self.method,
            "bits": self.bits,
            "remedy": self.remedy,
        }


def passed(check_id: str, observed: str, required: str, *, method: str = "", bits: int | None = None) -> Check:
    """A check that found what was required."""
    return Check(check_id, Outcome.PASS, observed, required, method=method, bits=bits)


def failed(check_id: str, code: str, observed: str, required: str, *, remedy: str = "") -> Check:
    """A check that is false."""
    return Check(check_id, Outcome.FAIL, observed, required, code=code, remedy=remedy)


def skipped(check_id: str, code: str, observed: str, required: str, *, remedy: str = "") -> Check:
    """A check that could not be made."""
    return Check(check_id, Outcome.SKIP, observed, required, code=code, remedy=remedy)
