# SPDX-License-Identifier: AGPL-3.0-or-later
"""The statement: text in, text out, no key and no secret anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from attestation import raw
from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Member, check_arguments, check_members
from attestation.errors import MalformedError, OperationalError
from attestation.freshness import freshness

TYPE = "simulated@v1"
MEMBERS: Mapping[str, Member] = {"statement": Member(1024, required=True, media_type="text/plain")}

_HEAD = (
    b"simulated@v1\nThis is not evidence. No hardware vouches for it, and anybody could have written it.\nchallenge "
)


@dataclass(frozen=True, slots=True)
class SimulatedTrust:
    """There is nothing to trust; the class exists so that every format has one."""


class SimulatedEvidence:
    """The producer for machines without any root of trust."""

    type = TYPE
    simulated = True

    def describe(self) -> str:
        """One line for people."""
        return "simulated: no TPM vouches for this machine"

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The members for a challenge of 1 to 64 bytes."""
        if not 1 <= len(challenge) <= 64:
            raise OperationalError("evidence.challenge-too-long", f"challenge of {len(challenge)} bytes; 1 to 64")
        return {"statement": _HEAD + challenge.hex().encode("ascii") + b"\n"}

    def close(self) -> None:
        """Nothing to release."""


def read(data: bytes) -> dict[str, bytes]:
    """The statement itself, or the JSON form of its members."""
    return raw.members(data, TYPE, "evidence.simulated") or {"statement": data}


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: SimulatedTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Check form and challenge, and say that it is simulated.

    Raises `MalformedError` (`evidence.simulated.statement-malformed` and the member codes). `trust` and `collateral`
    have no content and `at` no effect.
    """
    check_arguments(challenge, at)
    check_members("evidence.simulated", members, MEMBERS)
    stated = _parse(members["statement"])
    checks = (
        freshness(stated, challenge, "evidence.simulated.challenge", "evidence.simulated"),
        Check(
            "evidence.simulated.root-of-trust",
            "SKIP",
            "simulated: nothing vouches for the machine",
            "a hardware root of trust",
            "evidence.simulated.proves-nothing",
        ),
    )
    claims = {"challenge": stated.hex(), "simulated": True}
    return Appraisal(TYPE, checks, claims, simulated=True)


def _parse(statement: bytes) -> bytes:
    try:
        text = statement.removeprefix(_HEAD).removesuffix(b"\n").decode("ascii")
        challenge = bytes.fromhex(text)
    except ValueError:
        challenge = b""
    if not challenge or _HEAD + challenge.hex().encode("ascii") + b"\n" != statement:
        raise MalformedError("evidence.simulated.statement-malformed", "not a simulated@v1 statement in canonical form")
    return challenge
