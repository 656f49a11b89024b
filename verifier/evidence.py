# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the machine says of itself: every piece of evidence appraised against the policy's roots.

The challenge is the context that *we* rebuild from the receipt's fields, so evidence of another request,
model, input or key set does not fit. A key found inside evidence is never a trust anchor: roots come from
the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import attestation.errors
from attestation.collateral import Collateral, sort_collateral
from attestation.contract import Appraisal
from attestation.formats import FORMATS
from verifier.affidavit import Affidavit
from verifier.errors import MalformedError, OperationalError
from verifier.policy import Policy
from verifier.receipt import EvidenceClaim
from verifier.verdict import Check, Outcome, failed, skipped


@dataclass(frozen=True)
class EvidenceFinding:
    """Checks ``evidence[i].*``, whether the layer `attested` is reached, and what the evidence claims."""

    checks: Sequence[Check]
    reached: bool
    claims: tuple[Mapping[str, object], ...]


@dataclass(frozen=True)
class Piece:
    """One piece of evidence, appraised: its checks, whether it counts as attestation, and what it claims."""

    checks: Sequence[Check]
    counts: bool
    claims: Mapping[str, object] | None = None


def appraise_piece(
    kind: str,
    members: Mapping[str, bytes] | None,
    *,
    challenge: bytes,
    policy: Policy,
    at: datetime,
    here: str = "evidence[0]",
) -> Piece:
    """Appraise one piece of evidence.

    Args:
        kind: its type, ``name@version``.
        members: its native parts; ``None`` when one of them is missing.
        challenge: the 32 bytes that it must be bound to.
        policy, at: what is trusted, and the time of the question.
        here: prefix of the checks' ids.

    Raises:
        MalformedError: a part breaks its format's grammar.
        OperationalError: what the policy says to trust cannot be used.
    """
    scheme = FORMATS.get(kind)
    if scheme is None:
        return Piece([skipped(here, "evidence.type.unsupported", kind, f"one of {sorted(FORMATS)}")], False)
    if members is None:
        missing = skipped(
            here,
            "evidence.member.missing",
            f"{kind}: a part is not in the file",
            "every part",
            remedy="the evidence was taken out of this file; ask for the complete affidavit",
        )
        return Piece([missing], False)
    if kind not in policy.evidence and not (scheme.simulated and policy.unsafe_accept_simulated):
        refused = skipped(
            here,
            "evidence.type.not-accepted",
            kind,
            f"one of {sorted(policy.evidence) or 'nothing'}",
            remedy="list the type in the policy's [evidence] accept, with its roots",
        )
        return Piece([refused], False)
    try:
        native, collateral = _split(members)
        trust = policy.trust.get(scheme.name) or scheme.trust_class()
        appraisal = scheme.appraise(native, challenge=challenge, at=at, trust=trust, collateral=collateral)
    except attestation.errors.MalformedError as error:
        raise MalformedError(error.code, f"{here}: {error.message}", remedy=error.remedy) from None
    except attestation.errors.UnsupportedError as error:
        return Piece([skipped(here, error.code, error.message, "evidence this version can appraise")], False)
    except attestation.errors.RejectedError as error:
        return Piece([failed(here, error.code, error.message, "evidence that holds", remedy=error.remedy)], False)
    except attestation.errors.OperationalError as error:  # the policy's trust, not the evidence
        raise OperationalError(error.code, f"{here}: {error.message}", remedy=error.remedy) from None
    claims = {"type": appraisal.type, "simulated": appraisal.simulated, **appraisal.claims}
    return Piece(_lines(appraisal, here), _counts(appraisal, policy), claims)


COLLATERAL_MEMBER = "collateral."
"""Members of this name hold what others say about the evidence (CRLs, TCB information), so that an audit needs no
network."""


def _split(members: Mapping[str, bytes]) -> tuple[dict[str, bytes], Collateral]:
    native = {name: data for name, data in members.items() if not name.startswith(COLLATERAL_MEMBER)}
    return native, sort_collateral(data for name, data in members.items() if name not in native)


def _lines(appraisal: Appraisal, here: str) -> list[Check]:
    return [
        Check(
            f"{here}.{check.id.removeprefix('evidence.')}",
            Outcome(check.outcome),
            check.observed,
            check.required,
            code=check.code,
            method=appraisal.type,
            bits=0 if appraisal.simulated else check.bits,
            demanded=check.demanded,
        )
        for check in appraisal.checks
    ]


def _counts(appraisal: Appraisal, policy: Policy) -> bool:
    if appraisal.simulated:
        return policy.unsafe_accept_simulated and not appraisal.failed
    return appraisal.passed


def _members(affidavit: Affidavit, claim: EvidenceClaim) -> dict[str, bytes] | None:
    if not set(claim.members.values()) <= affidavit.blobs.keys():
        return None
    return {name: affidavit.blobs[digest] for name, digest in claim.members.items()}


def appraise_all(affidavit: Affidavit, policy: Policy, at: datetime) -> EvidenceFinding:
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
        )
        for index, claim in enumerate(affidavit.receipt.evidence)
    ]
    return EvidenceFinding(
        [check for piece in pieces for check in piece.checks],
        any(piece.counts for piece in pieces),
        tuple(piece.claims for piece in pieces if piece.claims is not None),
    )
