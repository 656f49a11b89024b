# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the machine says of itself: every piece of evidence appraised against the policy's roots.

The challenge is the context that *we* rebuild from the receipt's fields, so evidence of another request,
model, input or key set does not fit. A key found inside evidence is never a trust anchor: roots come from
the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce

import attestation.errors
from attestation import statements
from attestation.clock import Counters, merge
from attestation.formats import FORMATS
from verifier.affidavit import Affidavit
from verifier.appraisal.carried import COLLATERAL_MEMBER, split_members
from verifier.appraisal.judgement import Judgement, judge
from verifier.errors import MalformedError, OperationalError
from verifier.policy import Policy
from verifier.receipt import EvidenceClaim
from verifier.verdict import Check, Outcome, Verdict, skipped


@dataclass(frozen=True)
class EvidenceFinding:
    """Checks ``evidence[i].*``, whether the layer `attested` is reached, and what the evidence claims.

    ``score``: the lowest integrity score among the pieces, in thousandths; 0 without any. ``clocks``: what TPMs signed
    over the context about their clocks, by SHA-256 of the attestation key.
    """

    checks: Sequence[Check]
    reached: bool
    claims: tuple[Mapping[str, object], ...]
    score: int = 0
    clocks: Mapping[bytes, Counters] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """One piece of evidence, appraised: its checks, whether it counts as attestation, what it claims, its score."""

    checks: Sequence[Check]
    counts: bool
    claims: Mapping[str, object] | None = None
    score: int = 0
    clocks: Mapping[bytes, Counters] = field(default_factory=dict)


def appraise_piece(
    kind: str,
    members: Mapping[str, bytes] | None,
    *,
    challenge: bytes,
    policy: Policy,
    at: datetime,
    here: str = "evidence[0]",
    seen: Mapping[bytes, Counters] | None = None,
) -> Piece:
    """Appraise one piece of evidence.

    Args:
        kind: its type, ``name@version``.
        members: its native parts; ``None`` when one of them is missing.
        challenge: the 32 bytes that it must be bound to.
        policy, at: what is trusted, and the time of the question.
        here: prefix of the checks' ids.
        seen: what the caller remembers of TPMs' clocks.

    Raises:
        MalformedError: a part breaks its format's grammar.
        OperationalError: what the policy says to trust cannot be used.
    """
    if members is None:
        missing = skipped(
            here,
            "evidence.member.missing",
            f"{kind}: a part is not in the file",
            "every part",
            remedy="the evidence was taken out of this file; ask for the complete affidavit",
        )
        return Piece([missing], False)
    try:
        native, collateral = split_members(members)
    except attestation.errors.MalformedError as error:
        raise MalformedError(error.code, f"{here}: {error.message}", remedy=error.remedy) from None
    found = judge(kind, native, challenge=challenge, at=at, policy=policy, collateral=collateral, seen=seen)
    if found.verdict is Verdict.MALFORMED:
        raise MalformedError(found.code, f"{here}: {found.message}", remedy=found.remedy)
    if found.verdict is Verdict.ERROR:  # the policy's trust, not the evidence
        raise OperationalError(found.code, f"{here}: {found.message}", remedy=found.remedy)
    claims = {"type": found.type, "simulated": found.simulated, **found.claims} if found.claims else None
    return Piece(_lines(found, here), found.verdict is Verdict.ACCEPT, claims, found.score.permille, found.clocks)


def _lines(found: Judgement, here: str) -> list[Check]:
    return [
        Check(
            here if check.id == "evidence" else f"{here}.{check.id.removeprefix('evidence.')}",
            Outcome(check.outcome),
            check.observed,
            check.required,
            code=check.code,
            method=found.type,
            bits=0 if found.simulated else check.bits,
            remedy=found.remedy if check.id == "evidence" else "",
            demanded=check.demanded,
        )
        for check in found.checks
    ]


def _members(affidavit: Affidavit, claim: EvidenceClaim) -> dict[str, bytes] | None:
    if not set(claim.members.values()) <= affidavit.blobs.keys():
        return None
    return {name: affidavit.blobs[digest] for name, digest in claim.members.items()}


def appraise_all(
    affidavit: Affidavit, policy: Policy, at: datetime, seen: Mapping[bytes, Counters] | None = None
) -> EvidenceFinding:
    """Appraise each piece of evidence that the receipt names; raises as :func:`appraise_piece` does."""
    if not affidavit.receipt.evidence:
        absent = skipped(
            "evidence",
            "evidence.absent",
            "no evidence",
            "evidence of the machine",
            remedy="ask a node with a TPM or confidential hardware, or list the node's key in the policy",
        )
        return EvidenceFinding([absent], False, ())
    context = affidavit.receipt.rebuilt_context().digest
    pieces = [
        appraise_piece(
            claim.type,
            _members(affidavit, claim),
            challenge=context,
            policy=policy,
            at=at,
            here=f"evidence[{index}]",
            seen=seen,
        )
        for index, claim in enumerate(affidavit.receipt.evidence)
    ]
    return EvidenceFinding(
        [check for piece in pieces for check in piece.checks],
        any(piece.counts for piece in pieces),
        tuple(piece.claims for piece in pieces if piece.claims is not None),
        min(piece.score for piece in pieces),
        reduce(merge, (piece.clocks for piece in pieces)),
    )


def clock_keys(affidavit: Affidavit) -> frozenset[bytes]:
    """The attestation keys whose TPMs' clocks the evidence states, by SHA-256; nothing of it is checked."""
    found: frozenset[bytes] = frozenset()
    for claim in affidavit.receipt.evidence:
        scheme, members = FORMATS.get(claim.type), _members(affidavit, claim)
        if scheme is not None and members is not None:
            native = {name: part for name, part in members.items() if not name.startswith(COLLATERAL_MEMBER)}
            found |= statements.clock_keys(scheme, native)
    return found
