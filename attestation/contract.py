# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every evidence format offers, and what it returns.

A format is a folder with a `FORMAT`: its type name, its members, `read` for the raw files of its sources, and
`appraise`, a pure function (members, collateral, challenge, time, trust) -> `Appraisal`. Evidence is a mapping
from member name to bytes in the format's own native encoding. Time, trust anchors, reference values and challenge
are arguments: no clock, no network.

Claims that mean the same in every format (each where the format has it; absent means unknown):

=========================  ==========================================================================================
`measurement`              hex: the digest that identifies the running software
`report_data`              hex: the caller's data in the evidence
`platform_id`              text or hex: which chip, TPM or instance
`debug`                    bool: whether an operator may look inside
`tcb_status`               text: `UpToDate`, `OutOfDate`, ... or the format's own words
`tcb_date`                 RFC 3339 date of the firmware or TCB level in use
`advisories`               list of published vulnerabilities that apply (`INTEL-SA-00615`)
`bulletins_as_of`          date up to which bulletins were held against the evidence, where no vendor signs a status
`unexpected_components`    list: boot components or measurements that no reference value explains
=========================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from attestation.clock import Counters
from attestation.collateral.bag import EMPTY, Collateral
from attestation.errors import MalformedError, OperationalError

Outcome = Literal["PASS", "FAIL", "SKIP"]

Category = Literal[
    "",
    "instance-identity",
    "configuration",
    "executables",
    "file-system",
    "hardware",
    "runtime-opaque",
    "storage-opaque",
    "sourced-data",
]
"""The trustworthiness claim (draft-ietf-rats-ar4si) that a check speaks for; empty for none in particular."""

# A JSON value: None, bool, int, str, or lists and string-keyed dicts of these.
Claim = Any

MAX_CHALLENGE = 64
"""Bytes: no format here carries more than one SHA-512 digest of caller's data."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of an appraisal.

    `id` names the question, `code` the answer when it is not PASS. `bits` is the classical security level
    of the primitive that carried the check, where one did. `demanded` tells whether a SKIP leaves the
    appraisal incomplete; a FAIL always counts. `category` is the trustworthiness claim that the check speaks for.
    `warning` marks a PASS that the policy tolerates although it is not as it should be (a TCB that needs
    configuration, say): the result is then no better than a warning.
    """

    id: str
    outcome: Outcome
    observed: str
    required: str
    code: str = ""
    bits: int | None = None
    demanded: bool = True
    category: Category = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The outcome of appraising one piece of evidence.

    `claims` are what the evidence says; believe them only where `passed` is true. `expires` is the earliest end of
    validity among the certificates and collateral that were relied upon; None where nothing of the kind was.
    `clocks`: what TPMs signed over the challenge about their clocks, by SHA-256 of the attestation key (32 bytes).
    """

    type: str
    checks: tuple[Check, ...]
    claims: Mapping[str, Claim] = field(default_factory=dict)
    simulated: bool = False
    expires: datetime | None = None
    clocks: Mapping[bytes, Counters] = field(default_factory=dict)

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
    """The signature that each format's `appraise` has; `trust` is the format's own dataclass.

    `challenge` None means that the caller asks for no freshness: the format's check of it is then a SKIP that is not
    demanded (`attestation.freshness` makes that line).
    """

    def __call__(
        self,
        members: Mapping[str, bytes],
        *,
        challenge: bytes | None,
        at: datetime,
        trust: Any,
        collateral: Collateral = EMPTY,
    ) -> Appraisal: ...


class Read(Protocol):
    """Turns one file, in a raw form in which the format's sources give evidence, into members.

    Binary, hex, base64 and vendors' JSON are told apart by content. Raises `MalformedError`.
    """

    def __call__(self, data: bytes) -> dict[str, bytes]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """An evidence format.

    `type` is `name@version`, `name` what people type for it, `trust_class` the class of what a policy supplies
    (default: the vendor's pinned roots and the strictest settings, or nothing at all). `signed` takes the bytes that
    the evidence's signature covers out of members that were read: by these, and not by how they are wrapped, a replay
    is known. `statements` takes them apart where they are several, each with a signature of its own: one of them seen
    before is a replay, whatever else stands beside it. `clock_keys` takes out of the members the SHA-256 of each
    attestation key whose TPM's clock the evidence states; it raises as the parsers do. `complete` adds members that a
    file lacks because its source keeps them in files of their own, from among the collateral.
    """

    type: str
    name: str
    members: Mapping[str, Member]
    appraise: Appraise
    read: Read
    trust_class: Callable[..., Any]
    simulated: bool = False
    signed: Callable[[Mapping[str, bytes]], bytes] | None = None
    statements: Callable[[Mapping[str, bytes]], tuple[bytes, ...]] | None = None
    clock_keys: Callable[[Mapping[str, bytes]], frozenset[bytes]] | None = None
    complete: Callable[[Mapping[str, bytes], Collateral], dict[str, bytes]] | None = None


def check_arguments(challenge: bytes | None, at: datetime) -> None:
    """Refuse a caller's mistakes before any evidence is read.

    Raises `OperationalError` with `evidence.challenge-too-long` or `evidence.time-naive`.
    """
    if challenge is not None and len(challenge) > MAX_CHALLENGE:
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
