# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bytes in, verdict out: the one function that decides whether an affidavit is believed.

The verifier rebuilds the claim from what it knows itself (nonce, input, circuit, policy) and compares. It
never takes the node's word: a value that only the file states is reported, and counts as SKIP where the
policy wants it known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy.typing as npt

import circuits
from attestation.clock import Counters
from circuits import Circuit
from verifier import answer, evidence, execution, identity, private, proving
from verifier.affidavit import Affidavit, read_affidavit
from verifier.errors import MalformedError, OperationalError, RejectedError, UnsupportedError
from verifier.ledger import Ledger, build_ledger
from verifier.policy import DEFAULT_POLICY, Policy
from verifier.private import KnownRequest
from verifier.receipt import Receipt
from verifier.score import Score, integrity_score
from verifier.tensors import IntArray, Opening
from verifier.verdict import Check, Outcome, Verdict, failed, passed, skipped


@dataclass(frozen=True)
class Known:
    """What the verifier knows by itself; each may be ``None``.

    Attributes:
        circuit: the model, from the verifier's own copy.
        inputs: the real-valued input arrays it sent, by input name, batch first.
        nonce: the 32 bytes it drew.
        openings: for private requests, the openings of the input and output commitments (with salt).
        digest: the circuit's digest, where the circuit itself is not held.
        weights_commitment: the commitment to the circuit's weights, from somebody who is trusted to have made it of
            that circuit; what proofs in mode ``committed`` must speak of.
        encrypted: of an encrypted request, what its client sent and what executing again gave.
        clocks: what TPMs said of their clocks before the nonce was drawn, by SHA-256 of the attestation key.
    """

    circuit: Circuit | None = None
    inputs: Mapping[str, npt.NDArray[Any]] | None = None
    nonce: bytes | None = None
    openings: tuple[Opening, ...] = ()
    digest: bytes | None = None
    weights_commitment: bytes | None = None
    encrypted: KnownRequest = field(default_factory=KnownRequest)
    clocks: Mapping[bytes, Counters] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """Everything the verifier found.

    Attributes:
        verdict, code: the decision, and the first reason against (empty on ACCEPT).
        message: one line for people.
        remedy: what to do about it; may be empty.
        checks: every line, in the order in which they were made.
        ledger, score: assurance per layer and gate; integrity score.
        answer: the decoded outputs (float64, batch first) on ACCEPT, else ``None``: nobody uses unverified
        bytes. ciphertexts: of an encrypted execution the answer, still encrypted, on ACCEPT; else ``None``.
        receipt: the parsed receipt, where there is one; claims, not facts, unless the verdict is
        ACCEPT. claims: what appraised evidence says, per piece of evidence. clocks: what TPMs signed over the
        context about their clocks, by SHA-256 of the attestation key.
    """

    verdict: Verdict
    code: str
    message: str
    remedy: str = ""
    checks: tuple[Check, ...] = ()
    ledger: Ledger = field(default_factory=lambda: build_ledger({}, ()))
    score: Score = field(default_factory=lambda: integrity_score(()))
    answer: Mapping[str, npt.NDArray[Any]] | None = None
    ciphertexts: bytes | None = None
    receipt: Receipt | None = None
    claims: tuple[Mapping[str, object], ...] = ()
    clocks: Mapping[bytes, Counters] = field(default_factory=dict)


def verify(data: bytes, *, at: datetime, policy: Policy = DEFAULT_POLICY, known: Known | None = None) -> Result:
    """Decide about one affidavit.

    Args:
        data: the file.
        at: the time for which the question is asked, with a time zone; the core has no clock.
        policy: what is demanded; the default one trusts nobody.
        known: what the caller knows independently of the file.

    Returns:
        A :class:`Result`; hostile bytes give MALFORMED, REJECT or UNVERIFIABLE, never an exception. ERROR means
        that the question could not be asked: the policy's own trust anchors cannot be used, for instance.
    """
    if at.tzinfo is None:
        raise ValueError("at: a time with a time zone is required")
    try:
        affidavit = read_affidavit(data)
        return _decide(affidavit, at, policy, known or Known())
    except (MalformedError, circuits.MalformedError) as error:
        return Result(Verdict.MALFORMED, error.code, error.message, error.remedy)
    except (RejectedError, circuits.RejectedError) as error:
        check = failed("affidavit.integrity", error.code, error.message, "content that matches its digests")
        return Result(
            Verdict.REJECT, error.code, error.message, error.remedy, (check,), score=integrity_score((check,))
        )
    except (OperationalError, circuits.OperationalError) as error:
        return Result(Verdict.ERROR, error.code, error.message, error.remedy)
    except (UnsupportedError, circuits.UnsupportedError) as error:
        check = skipped("affidavit.support", error.code, error.message, "something this verifier can check")
        return Result(
            Verdict.UNVERIFIABLE,
            error.code,
            error.message,
            error.remedy,
            (check,),
            score=integrity_score((check,)),
        )


def _decide(affidavit: Affidavit, at: datetime, policy: Policy, known: Known) -> Result:
    receipt = affidavit.receipt
    findings = evidence.appraise_all(affidavit, policy, at, known.clocks)
    signature = identity.check_signature(affidavit)
    signer = identity.check_signer(receipt, policy, attested=findings.reached)
    context = identity.check_context(receipt)
    basics = [
        signature,
        signer,
        context,
        identity.check_nonce(receipt, known.nonce, policy.request.nonce),
        *identity.check_times(receipt, policy, at),
    ]
    model = identity.check_model(affidavit, policy, known.circuit, known.digest)
    done = _check_done(affidavit, policy, model, known)
    extensions = [
        skipped(
            f"receipt.{name}",
            f"receipt.{name}.unsupported",
            "present",
            "a section that this version can check",
            remedy="use a newer verifier",
        )
        for name in receipt.extensions
    ]
    checks = [
        *basics, *model.checks, *done.checks, *findings.checks, *extensions,
    ]  # fmt: skip
    checks += [
        skipped(name, "affidavit.envelope.unknown", "an envelope of unknown type", "a known type")
        for name in affidavit.unknown
    ]
    ledger = build_ledger(
        {
            "signed": (signature.passed and signer.passed and context.passed, (signature, signer, context)),
            "attested": (findings.reached, findings.checks),
            **done.layers,
        },
        [(gate.name, gate.kind) for gate in model.described.gates] if model.described else (),
        encrypted=None if receipt.fhe is None else frozenset(receipt.fhe.layers),
    )
    score = integrity_score(checks, findings.score)
    demands = _demands(policy, ledger, score, checks, receipt)
    result = _conclude((*checks, *demands), _required_ids(policy), ledger)
    found = replace(result, ledger=ledger, score=score, receipt=receipt, claims=findings.claims, clocks=findings.clocks)
    if found.verdict is Verdict.ACCEPT:
        found = replace(found, ciphertexts=done.ciphertexts)
        if done.outputs is not None and model.described is not None:
            found = replace(found, answer=circuits.decode_outputs(model.described, done.outputs))
    return found


@dataclass(frozen=True)
class _Done:
    """What was computed, on what, and how far it is vouched for: by layer of assurance whether, and by which checks."""

    checks: Sequence[Check]
    layers: Mapping[str, tuple[bool, Sequence[Check]]]
    outputs: Mapping[str, IntArray] | None = None
    ciphertexts: bytes | None = None


def _check_done(affidavit: Affidavit, policy: Policy, model: identity.ModelFinding, known: Known) -> _Done:
    """Input, answer and execution: in clear, or on ciphertexts."""
    claim = affidavit.receipt.fhe
    if claim is not None:
        found = private.check_private(affidavit, claim, policy, model, known.encrypted)
        mine = [check for check in found.checks if check.id.startswith(("private.", "request.input"))]
        ran_again = [check for check in found.checks if check.id.startswith(("execution.", "trace."))]
        layers = {"private": (found.private, mine), "rechecked": (found.rechecked, ran_again)}
        return _Done(found.checks, layers, ciphertexts=found.ciphertexts)
    answered = answer.check_answer(affidavit, policy, model.described, known.inputs, known.openings)
    ran = execution.check_execution(affidavit, policy, model, answered)
    proven = proving.check_proof(affidavit, policy, model, answered, known.weights_commitment)
    return _Done(
        (*answered.checks, *ran.checks, *proven.checks),
        {"rechecked": (ran.rechecked, ran.checks), "proved": (proven.proved, proven.checks)},
        answered.outputs,
    )


def _required_ids(policy: Policy) -> frozenset[str]:
    """Checks that must PASS, beside the demands; the rest may be SKIP but never FAIL."""
    required = {"receipt.signature", "receipt.context", "answer.output"}
    if policy.require_nonce:
        required.add("request.nonce")
    if policy.require_input:
        required.add("request.input")
    if policy.require_model:
        required.add("model.circuit")  # its digest covers weights and profile
    return frozenset(required)


def _demands(policy: Policy, ledger: Ledger, score: Score, checks: list[Check], receipt: Receipt) -> list[Check]:
    """The policy's own lines: each layer it demands, sections nobody can check, and the score."""
    lines = []
    # Evidence first: a key that only evidence vouches for is unknown because the evidence is.
    for name in sorted(policy.assurance, key=lambda name: name != "attested"):
        if ledger.reached(name):
            lines.append(passed(f"policy.{name}", "reached", "reached"))
        else:
            reason = _why_not(name, checks)
            lines.append(
                skipped(
                    f"policy.{name}",
                    reason.code if reason else f"policy.{name}.not-reached",
                    "not reached",
                    "reached",
                    remedy=reason.remedy if reason else f"the affidavit carries nothing that reaches {name!r}",
                )
            )
    lines += [
        skipped(f"policy.{name}", f"receipt.{name}.unsupported", "present", "a section that can be checked")
        for name in receipt.extensions
    ]
    if score.permille < policy.minimum_score:
        observed, required = f"{score.permille / 1000:.3f}", f">= {policy.minimum_score / 1000:.3f}"
        lines.append(skipped("policy.score", "policy.score.too-low", observed, required))
    return lines


_REASONS = {
    "signed": ("receipt.",),
    "attested": ("evidence",),
    "rechecked": ("execution.", "trace."),
    "proved": ("proof",),
    "private": ("private.", "request.input"),
}


def _why_not(layer: str, checks: list[Check]) -> Check | None:
    about = _REASONS.get(layer, ("\x00",))
    return next((c for c in checks if c.id.startswith(about) and c.outcome is Outcome.SKIP and c.demanded), None)


def _conclude(checks: tuple[Check, ...], required: frozenset[str], ledger: Ledger) -> Result:
    for check in checks:
        if check.outcome is Outcome.FAIL:
            return Result(
                Verdict.REJECT,
                check.code,
                f"{check.id}: observed {check.observed}, required {check.required}",
                check.remedy,
                checks,
            )
    unasked = sorted(required - {check.id for check in checks})
    if unasked:  # a check that was not made is not a check that passed
        return Result(Verdict.UNVERIFIABLE, "policy.check.not-made", f"{unasked[0]} was not checked", "", checks)
    for check in checks:
        if check.outcome is Outcome.SKIP and (check.id in required or check.id.startswith("policy.")):
            return Result(
                Verdict.UNVERIFIABLE,
                check.code,
                f"{check.id}: observed {check.observed}, required {check.required}",
                check.remedy,
                checks,
            )
    weakest = ledger.weakest
    named = "none" if weakest is None else f"{weakest.method or weakest.name}, {weakest.bits or 0} bits"
    return Result(
        Verdict.ACCEPT, "", f"every check that the policy requires passed; weakest method: {named}", "", checks
    )
