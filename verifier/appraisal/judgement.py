# SPDX-License-Identifier: AGPL-3.0-or-later
"""The decision about one piece of evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import attestation.errors
from attestation.clock import Counters
from attestation.collateral import EMPTY, Collateral, sort_collateral
from attestation.contract import Appraisal, Check, Format
from attestation.ear.tiers import Tier
from attestation.formats import FORMATS
from attestation.statements import clock_keys
from verifier.appraisal.carried import split_members
from verifier.appraisal.demands import demanded, policy_lines, score_line
from verifier.appraisal.remedies import UNKNOWN, UNREADABLE, remedy_for
from verifier.appraisal.score import NO_SCORE, OPEN_CAP, AppraisalScore, appraisal_score
from verifier.appraisal.trust import has_own_table, trust_for
from verifier.appraisal.trustworthiness import status_of, vector_of
from verifier.errors import MalformedError, OperationalError
from verifier.policy import Policy
from verifier.verdict import Verdict


@dataclass(frozen=True)
class Judgement:
    """Everything found about one piece of evidence.

    Attributes:
        type: of the evidence, ``name@version``.
        verdict, code, message, remedy: the decision and the first reason against; ``code`` is empty on ACCEPT.
        status: the tier that relying parties act on; ``vector`` its reasons by category.
        checks: the format's lines in its own order, then the policy's.
        claims: what the evidence says; believe it only where the verdict is ACCEPT.
        score: the integrity score with its components.
        simulated: the evidence proves nothing, whatever the verdict.
        expires: the earliest end of validity among what was relied upon; ``None`` where nothing ends.
        at: the time of the question.
        clocks: what TPMs signed over the challenge about their clocks, by SHA-256 of the attestation key.
    """

    type: str
    verdict: Verdict
    code: str
    message: str
    at: datetime
    remedy: str = ""
    status: Tier = Tier.NONE
    vector: Mapping[str, Tier] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    score: AppraisalScore = NO_SCORE
    simulated: bool = False
    expires: datetime | None = None
    clocks: Mapping[bytes, Counters] = field(default_factory=dict)


def judge(
    kind: str,
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    policy: Policy,
    collateral: Collateral = EMPTY,
    reference: Mapping[str, Any] | None = None,
    seen: Mapping[bytes, Counters] | None = None,
) -> Judgement:
    """Appraise one piece of evidence and decide about it.

    Args:
        kind: its type, ``name@version``.
        members: its native parts.
        challenge: what it must be bound to; ``None`` asks for no freshness.
        at: the time of the question, aware.
        policy: whom to trust, and what to demand (``policy.demands``).
        collateral: what others say about it.
        reference: reference values over the policy's table of this format, see :mod:`verifier.appraisal.trust`.
        seen: what the caller remembers of TPMs' clocks, by SHA-256 of the attestation key.

    Returns:
        A judgement for any bytes; ERROR only where the caller's own arguments cannot be used.
    """
    scheme = FORMATS.get(kind)
    if scheme is None:
        known = f"one of {', '.join(FORMATS)}"
        return _open(kind, at, "evidence.type.unsupported", f"evidence of type {kind[:64]!r}", known)
    if kind not in policy.evidence and not (scheme.simulated and policy.unsafe_accept_simulated):
        accepted = f"one of {', '.join(sorted(policy.evidence)) or 'nothing'}"
        remedy = "list the type in the policy's [evidence] accept, with its roots"
        if scheme.simulated:
            remedy = "ask a machine with a root of trust; a development policy can take it by unsafe_accept_simulated"
        return _open(kind, at, "evidence.type.not-accepted", kind, accepted, remedy)
    try:
        trust = trust_for(scheme, policy, reference, seen or {})
        appraisal = scheme.appraise(members, challenge=challenge, at=at, trust=trust, collateral=collateral)
    except (attestation.errors.MalformedError, MalformedError) as error:
        return _malformed(kind, at, error)
    except (attestation.errors.OperationalError, OperationalError) as error:
        return Judgement(kind, Verdict.ERROR, error.code, error.message, at, error.remedy)
    except attestation.errors.UnsupportedError as error:
        return _open(kind, at, error.code, error.message, "evidence this version can appraise", _or_unknown(error))
    except attestation.errors.RejectedError as error:
        line = Check("evidence", "FAIL", error.message, "evidence that holds", error.code)
        return conclude(Appraisal(kind, (line,)), (line,), at, remedy=error.remedy)
    own_table = has_own_table(scheme, policy, reference)
    checks = demanded(appraisal.checks, policy.demands)
    score = appraisal_score(checks, appraisal.claims, at, simulated=appraisal.simulated)
    lines = policy_lines(appraisal, collateral, at, policy.demands, own_table=own_table)
    lines += score_line(score, policy.demands)
    excused = appraisal.simulated and policy.unsafe_accept_simulated
    return conclude(appraisal, (*checks, *lines), at, excused=excused, score=score)


def judge_file(
    scheme: Format,
    data: bytes,
    *,
    challenge: bytes | None,
    at: datetime,
    policy: Policy,
    collateral: Iterable[bytes] | Collateral = EMPTY,
    reference: Mapping[str, Any] | None = None,
    remember: Callable[[frozenset[bytes]], Mapping[bytes, Counters]] | None = None,
) -> tuple[Judgement, dict[str, bytes] | None]:
    """Judge one file, in a raw form in which the format's sources give evidence; also its members, where it was read.

    ``collateral``: a bag, or files to make one of. ``remember``: asked for what is known of the clocks of these
    attestation keys; otherwise as :func:`judge`.
    """
    kind = scheme.type
    try:
        members, carried = split_members(scheme.read(data))
        own = collateral if isinstance(collateral, Collateral) else sort_collateral(collateral)
        # The caller's own first: formats look at so many pieces and no more, and whoever is judged chose the others.
        bag = own + carried
        if scheme.complete is not None:
            members = scheme.complete(members, bag)
    except attestation.errors.MalformedError as error:
        return _malformed(kind, at, error), None
    except attestation.errors.OperationalError as error:
        return Judgement(kind, Verdict.ERROR, error.code, error.message, at, error.remedy), None
    except attestation.errors.EvidenceError as error:
        return _open(kind, at, error.code, error.message, "evidence this version can read", _or_unknown(error)), None
    keys = clock_keys(scheme, members) if remember else frozenset()
    found = judge(
        kind, members, challenge=challenge, at=at, policy=policy, collateral=bag, reference=reference,
        seen=remember(keys) if remember and keys else {},
    )  # fmt: skip
    return found, members


def conclude(
    appraisal: Appraisal,
    checks: tuple[Check, ...],
    at: datetime,
    *,
    excused: bool = False,
    score: AppraisalScore = NO_SCORE,
    remedy: str = "",
) -> Judgement:
    """Verdict, vector and status from the lines alone.

    ``excused``: the policy takes simulated evidence for what it is; then the status is a warning at best.
    """
    failed = next((line for line in checks if line.outcome == "FAIL"), None)
    missing = next((line for line in checks if line.outcome == "SKIP" and line.demanded), None)
    verdict, reason = Verdict.ACCEPT, _ACCEPTED
    if failed is not None:
        verdict, reason = Verdict.REJECT, failed
        score = replace(score, permille=0, reason="a check is false")
    elif not excused:
        if missing is None and appraisal.simulated:
            missing = _SIMULATED
        # What the policy adds says nothing about what was shown.
        if missing is None and not any(line.outcome == "PASS" and not line.id.startswith("policy.") for line in checks):
            missing = _NOTHING
        if missing is not None:
            verdict, reason = Verdict.UNVERIFIABLE, missing
            if score.permille > OPEN_CAP:
                score = replace(score, permille=OPEN_CAP, reason="a demanded check is open")
    vector = vector_of(checks, verdict)
    at_best = Tier.WARNING if excused or appraisal.claims.get("debug") is True else Tier.AFFIRMING
    return Judgement(
        appraisal.type,
        verdict,
        reason.code,
        reason.observed if reason is _ACCEPTED else _sentence(reason),
        at,
        remedy or remedy_for(reason.code),
        status_of(vector, verdict, at_best=at_best),
        vector,
        checks,
        appraisal.claims,
        score,
        appraisal.simulated,
        appraisal.expires,
        appraisal.clocks,
    )


def worsen(found: Judgement, lines: Sequence[Check]) -> Judgement:
    """The judgement with further lines behind its own. It can only become worse; what was not understood stays so."""
    if found.verdict in (Verdict.MALFORMED, Verdict.ERROR):
        return found
    appraisal = Appraisal(found.type, found.checks, found.claims, found.simulated, found.expires, found.clocks)
    excused = found.simulated and found.verdict is Verdict.ACCEPT
    open_ = any(line.outcome == "SKIP" and line.demanded for line in lines)
    fails = found.verdict is not Verdict.REJECT and any(line.outcome == "FAIL" for line in lines)
    return conclude(
        appraisal, (*found.checks, *lines), found.at,
        excused=excused and not open_, score=found.score, remedy="" if fails else found.remedy,
    )  # fmt: skip


_ACCEPTED = Check("", "PASS", "every check that the policy demands passed", "")
_NOTHING = Check("evidence", "SKIP", "no check was made", "at least one", "policy.check.not-made")
_SIMULATED = Check(
    "evidence", "SKIP", "simulated: nothing vouches for the machine", "a hardware root of trust",
    "evidence.simulated.proves-nothing",
)  # fmt: skip


def _malformed(kind: str, at: datetime, error: attestation.errors.MalformedError | MalformedError) -> Judgement:
    remedy = error.remedy or remedy_for(error.code) or (UNREADABLE if error.code.startswith("evidence.") else "")
    return Judgement(kind, Verdict.MALFORMED, error.code, error.message, at, remedy)


def _or_unknown(error: attestation.errors.EvidenceError) -> str:
    return error.remedy or remedy_for(error.code) or UNKNOWN


def _sentence(line: Check) -> str:
    return f"{line.id}: observed {line.observed}, required {line.required}"


def _open(kind: str, at: datetime, code: str, observed: str, required: str, remedy: str = "") -> Judgement:
    line = Check("evidence", "SKIP", observed, required, code)
    return Judgement(
        kind, Verdict.UNVERIFIABLE, code, _sentence(line), at, remedy,
        vector=vector_of((line,), Verdict.UNVERIFIABLE), checks=(line,),
    )  # fmt: skip
