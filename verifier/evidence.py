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
from typing import Any

import attestation.errors
from attestation import tpm2
from attestation.contract import Appraisal, Format
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


def _trust(scheme: Format, policy: Policy) -> Any:
    if scheme is tpm2.FORMAT:
        return tpm2.Tpm2Trust(
            ek_roots=policy.tpm2.ek_roots,
            ak_issuers=policy.tpm2.ak_issuers,
            platform_ak_issuers=policy.tpm2.platform_ak_issuers,
            reference_pcrs={("sha256", index): values for index, values in policy.tpm2.pcrs.items()},
        )
    return scheme.trust_class()


def _lines(appraisal: Appraisal, index: int) -> list[Check]:
    return [
        Check(
            f"evidence[{index}].{check.id.removeprefix('evidence.')}",
            Outcome(check.outcome),
            check.observed,
            check.required,
            code=check.code,
            method=appraisal.type,
            bits=0 if appraisal.simulated else check.bits,
        )
        for check in appraisal.checks
    ]


def _counts(appraisal: Appraisal, policy: Policy) -> bool:
    if appraisal.simulated:
        return policy.unsafe_accept_simulated and not appraisal.failed
    return appraisal.passed


def _members(affidavit: Affidavit, claim: EvidenceClaim) -> dict[str, bytes] | None:
    members = {name: affidavit.blobs.get(digest) for name, digest in claim.members.items()}
    return (
        {n: content for n, content in members.items() if content is not None} if None not in members.values() else None
    )


def appraise_all(affidavit: Affidavit, policy: Policy, at: datetime) -> EvidenceFinding:
    """Appraise each piece of evidence that the receipt names.

    Raises:
        MalformedError: a part of the evidence breaks its format's grammar.
        OperationalError: what the policy says to trust cannot be used.
    """
    context = affidavit.receipt.rebuilt_context().digest
    checks: list[Check] = []
    claims: list[Mapping[str, object]] = []
    reached = False
    for index, claim in enumerate(affidavit.receipt.evidence):
        scheme, members = FORMATS.get(claim.type), _members(affidavit, claim)
        here = f"evidence[{index}]"
        if scheme is None:
            checks.append(skipped(here, "evidence.type.unsupported", claim.type, f"one of {sorted(FORMATS)}"))
        elif members is None:
            checks.append(
                skipped(
                    here,
                    "evidence.member.missing",
                    f"{claim.type}: a part is not in the file",
                    "every part",
                    remedy="the evidence was taken out of this file; ask for the complete affidavit",
                )
            )
        elif claim.type not in policy.evidence and not (scheme.simulated and policy.unsafe_accept_simulated):
            checks.append(
                skipped(
                    here,
                    "evidence.type.not-accepted",
                    claim.type,
                    f"one of {sorted(policy.evidence) or 'nothing'}",
                    remedy="list the type in the policy's [evidence] accept, with its roots",
                )
            )
        else:
            try:
                appraisal = scheme.appraise(members, challenge=context, at=at, trust=_trust(scheme, policy))
            except attestation.errors.MalformedError as error:
                raise MalformedError(error.code, f"{here}: {error}", remedy=error.remedy) from None
            except attestation.errors.UnsupportedError as error:
                checks.append(skipped(here, error.code, error.message, "evidence this version can appraise"))
                continue
            except attestation.errors.RejectedError as error:
                checks.append(failed(here, error.code, error.message, "evidence that holds", remedy=error.remedy))
                continue
            except attestation.errors.OperationalError as error:  # the policy's trust, not the evidence
                raise OperationalError(error.code, f"{here}: {error.message}", remedy=error.remedy) from None
            checks += _lines(appraisal, index)
            claims.append({"type": appraisal.type, "simulated": appraisal.simulated, **appraisal.claims})
            reached = reached or _counts(appraisal, policy)
    if not affidavit.receipt.evidence:
        checks.append(
            skipped(
                "evidence",
                "evidence.absent",
                "no evidence",
                "evidence of the machine",
                remedy="ask a node with a TPM or confidential hardware, or list the node's key in the policy",
            )
        )
    return EvidenceFinding(checks, reached, tuple(claims))
