# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every evidence format offers, and what it returns.

A format is a folder with a `FORMAT`: its type name, its members, and `appraise`, a pure function
(members, challenge, time, trust) -> `Appraisal`. Evidence is a mapping from member name to bytes in the
format's own native encoding. Time, trust anchors and challenge are arguments: no clock, no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from attestation.errors import MalformedError, OperationalError

Outcome = Literal["PASS", "FAIL", "SKIP"]

# A JSON value: None, bool, int, str, or lists and string-keyed dicts of these.
Claim = Any

MAX_CHALLENGE = 64
"""Bytes: no format here carries more than one SHA-512 digest of caller's data."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of an appraisal.

    `id` names the question, `code` the answer when it is not PASS. `bits` is the classical security level
    of the primitive that carried the check, where one did. `demanded` tells whether a SKIP leaves the
    appraisal incomplete; a FAIL always counts.
    """

    id: str
    outcome: Outcome
    observed: str
    required: str
    code: str = ""
    bits: int | None = None
    demanded: bool = True


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The outcome of appraising one piece of evidence.

    `claims` are what the evidence says; believe them only where `passed` is true.
    """

    type: str
    checks: tuple[Check, ...]
    claims: Mapping[str, Claim] = field(default_factory=dict)
    simulated: bool = False

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that are false."""
        return tuple(check for check in self.checks if check.outcome == "FAIL")

    @property
    def missing(self) -> tuple[Check, ...]:
        """Checks that were demanded and could not be made."""
        return tuple(check for check in self.checks if check.outcome == "SKIP" and check.demanded)

    @property
    def passed(self) -> bool:
        """True when at least one check was made, none is false and none that was demanded is missing.

        Simulated evidence never passes: it proves nothing, whatever its checks say.
        """
        made = any(check.outcome == "PASS" for check in self.checks)
        return made and not self.failed and not self.missing and not self.simulated


@dataclass(frozen=True, slots=True)
class Member:
    """A named part of a format's evidence: its size limit in bytes, and whether it must be there."""

    max_size: int
    required: bool
    media_type: str = "application/octet-stream"


class Appraise(Protocol):
    """The signature that each format's `appraise` has; `trust` is the format's own dataclass."""

    def __call__(self, members: Mapping[str, bytes], *, challenge: bytes, at: datetime, trust: Any) -> Appraisal: ...


@dataclass(frozen=True, slots=True)
class Format:
    """An evidence format: `type` is `name@version`, `trust_class` the class of what a policy must supply."""

    type: str
    members: Mapping[str, Member]
    appraise: Appraise
    trust_class: Callable[..., Any]
    simulated: bool = False


def check_arguments(challenge: bytes, at: datetime) -> None:
    """Refuse a caller's mistakes before any evidence is read.

    Raises `OperationalError` with `evidence.challenge-too-long` or `evidence.time-naive`.
    """
    if len(challenge) > MAX_CHALLENGE:
        raise OperationalError(
            "evidence.challenge-too-long", f"challenge of {len(challenge)} bytes; at most {MAX_CHALLENGE}"
        )
    if at.tzinfo is None or at.utcoffset() is None:
        raise OperationalError(
            "evidence.time-naive",
            "the appraisal time has no time zone",
            remedy="pass an aware datetime, for instance in UTC",
        )


def check_members(prefix: str, members: Mapping[str, bytes], declared: Mapping[str, Member]) -> None:
    """Refuse unknown, absent, empty and oversized members.

    Raises `MalformedError` with `<prefix>.member-unknown`, `.member-missing`, `.member-empty` or
    `.member-too-large`.
    """
    for name in members:
        if name not in declared:
            raise MalformedError(
                f"{prefix}.member-unknown",
                f"unknown member {name[:64]!r}; known: {', '.join(sorted(declared))}",
            )
    for name, member in declared.items():
        if name not in members:
            if member.required:
                raise MalformedError(f"{prefix}.member-missing", f"member {name!r} is missing")
            continue
        size = len(members[name])
        if size == 0:
            raise MalformedError(f"{prefix}.member-empty", f"member {name!r} is empty")
        if size > member.max_size:
            raise MalformedError(
                f"{prefix}.member-too-large", f"member {name!r} has {size} bytes; at most {member.max_size}"
            )
