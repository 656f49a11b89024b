# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: every piece under its own format, each against the challenge that binds it to all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from attestation.clock import Counters, merge
from attestation.cmw.collection import ID, MAX_COLLECTION, TYPE, Collection, Piece, parse
from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Claim, Member, check_arguments, check_members
from attestation.errors import OperationalError, UnsupportedError
from attestation.freshness import freshness

MEMBERS: Mapping[str, Member] = {"collection": Member(MAX_COLLECTION, required=True, media_type="application/cmw+cbor")}

_STATUSES = (
    "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
    "OutOfDateConfigurationNeeded", "Revoked",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CmwTrust:
    """What a policy says of the pieces.

    `trusts`: trust by format name; a format that is not in it has its own default. `accept`: types that may be in a
    collection; None for every one but simulated. `required`: types that must be.
    """

    trusts: Mapping[str, Any] = field(default_factory=dict)
    accept: frozenset[str] | None = None
    required: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse trust that could never be met. Raises `OperationalError` with `evidence.cmw.trust-invalid`."""
        if TYPE in self.required or (self.accept is not None and not self.required <= self.accept):
            raise OperationalError(
                f"{ID}.trust-invalid", "a required type that is not accepted, or a collection itself"
            )


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: CmwTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise a collection.

    Without a `challenge` of the caller the pieces are still held against the collection's own, so that they belong
    together; only when that was stays open. Raises as the pieces' formats do.
    """
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    collection = parse(members["collection"])
    present = {piece.type for piece in collection.pieces.values()}
    checks = [freshness(collection.session, challenge, f"{ID}.challenge", ID)]
    checks += [_required(type_, present) for type_ in sorted(trust.required)]
    found = {label: _piece(collection, label, at, trust, collateral) for label in sorted(collection.pieces)}
    for label, appraisal in found.items():
        checks += [replace(line, id=f"{ID}.{label}.{line.id.removeprefix('evidence.')}") for line in appraisal.checks]
    ends = [appraisal.expires for appraisal in found.values() if appraisal.expires is not None]
    return Appraisal(
        TYPE,
        tuple(checks),
        _claims(found),
        simulated=any(appraisal.simulated for appraisal in found.values()),
        expires=min(ends, default=None),
        clocks=_clocks(checks[0], found),
    )


def _clocks(session: Check, found: Mapping[str, Appraisal]) -> Mapping[bytes, Counters]:
    """What the pieces' TPMs said, where the session's challenge is the caller's: only then is it new."""
    every: Mapping[bytes, Counters] = {}
    if session.outcome == "PASS":
        for appraisal in found.values():
            every = merge(every, appraisal.clocks)
    return every


def _required(type_: str, present: set[str]) -> Check:
    there = type_ in present
    return Check(
        f"{ID}.required",
        "PASS" if there else "FAIL",
        f"{type_} {'is there' if there else 'is missing'}",
        f"a piece of type {type_}",
        "" if there else f"{ID}.piece-required",
    )


def _piece(collection: Collection, label: str, at: datetime, trust: CmwTrust, collateral: Collateral) -> Appraisal:
    from attestation.formats import FORMATS

    piece: Piece = collection.pieces[label]
    scheme = FORMATS.get(piece.type)
    if scheme is None or piece.type == TYPE:
        raise UnsupportedError(f"{ID}.piece-unsupported", f"{label}: a piece of type {piece.type!r}")
    accepted = not scheme.simulated if trust.accept is None else piece.type in trust.accept
    if not accepted:
        line = Check("evidence", "SKIP", piece.type, "a type that the policy accepts", f"{ID}.piece-not-accepted")
        return Appraisal(piece.type, (line,), simulated=scheme.simulated)
    chosen = trust.trusts.get(scheme.name)
    return scheme.appraise(
        piece.members,
        challenge=collection.challenge(label),
        at=at,
        trust=scheme.trust_class() if chosen is None else chosen,
        collateral=collateral,
    )


def _claims(found: Mapping[str, Appraisal]) -> dict[str, Claim]:
    """Of each piece its own; of the whole the worst."""
    pieces = {label: {"type": appraisal.type, **appraisal.claims} for label, appraisal in found.items()}
    claims: dict[str, Claim] = {"pieces": pieces}
    every: Sequence[Mapping[str, Claim]] = [appraisal.claims for appraisal in found.values()]
    debug = [each["debug"] for each in every if isinstance(each.get("debug"), bool)]
    if debug:
        claims["debug"] = any(debug)
    for name in ("advisories", "unexpected_components"):
        lists = [each[name] for each in every if isinstance(each.get(name), list)]
        if lists:
            claims[name] = sorted({str(entry) for entries in lists for entry in entries})
    dates = [each["tcb_date"] for each in every if isinstance(each.get("tcb_date"), str)]
    if dates:
        claims["tcb_date"] = min(dates)
    statuses = [each["tcb_status"] for each in every if each.get("tcb_status") in _STATUSES]
    if statuses:
        claims["tcb_status"] = max(statuses, key=_STATUSES.index)
    return claims
