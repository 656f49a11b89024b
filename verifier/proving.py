# SPDX-License-Identifier: AGPL-3.0-or-later
"""The succinct proof in an affidavit: bound to the receipt, then checked by :mod:`verifier.proof`.

In mode ``held`` the proof is about the weights of the circuit at hand.  In mode ``committed`` it is about the weights
under a commitment: the receipt names it, and it counts only where the policy or the caller names the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from circuits import Circuit
from verifier.affidavit import Affidavit
from verifier.answer import AnswerFinding
from verifier.errors import RejectedError, UnsupportedError
from verifier.identity import ModelFinding
from verifier.policy import Policy
from verifier.receipt import ProofClaim, proof_context
from verifier.verdict import Check, failed, passed, skipped

SYSTEM = "proof@v1"
MODES = ("held", "committed")
_REQUIRED = "a proof that the answer is the circuit's on this input"


@dataclass(frozen=True)
class ProvingFinding:
    """Checks ``proof.*``; ``proved`` when the whole circuit is."""

    checks: Sequence[Check]
    proved: bool


def check_proof(
    affidavit: Affidavit, policy: Policy, model: ModelFinding, answered: AnswerFinding, weights: bytes | None = None
) -> ProvingFinding:
    """Check the proof that the receipt names, against the circuit, input and answer at hand.

    Args:
        affidavit, policy, model, answered: what is known so far.
        weights: the commitment to the weights that the caller trusts; the policy may name it as well.

    Raises:
        MalformedError: ``proof.wire.*``, ``proof.statement.*``.
    """
    claim = affidavit.receipt.proof
    if claim is None:
        return ProvingFinding((), False)
    if claim.system != SYSTEM or claim.mode not in MODES:
        observed = f"{claim.system}, mode {claim.mode}"
        return _skip("proof.system.unsupported", observed, "use a newer verifier")
    blob = affidavit.blobs.get(claim.digest)
    if blob is None or len(blob) != claim.size:
        return _skip("proof.missing", "the proof is not in the file", "ask for the complete affidavit")
    if claim.mode == "committed" and (refused := _untrusted(claim, policy, model, affidavit, weights)) is not None:
        return ProvingFinding((refused,), False)
    circuit = model.circuit if claim.mode == "held" else model.described
    if circuit is None or not model.vouched:
        return _skip("proof.circuit.missing", "no circuit at hand", _remedy(claim, model))
    if answered.inputs is None or answered.outputs is None:
        return _skip("proof.statement.missing", "input or answer not at hand", "give --input, or the openings")
    return _check(affidavit, claim, circuit, blob, answered)


def _check(
    affidavit: Affidavit, claim: ProofClaim, circuit: Circuit, blob: bytes, answered: AnswerFinding
) -> ProvingFinding:
    from verifier.proof import verify_proof  # its compiled kernels take a while to load; most affidavits need none

    try:
        found = verify_proof(
            blob,
            circuit=circuit,
            inputs=answered.inputs or {},
            outputs=answered.outputs or {},
            context=proof_context(affidavit.receipt.rebuilt_context().digest, affidavit.receipt.evidence),
            weights_commitment=claim.weights,
        )
    except RejectedError as error:
        return ProvingFinding((failed("proof", error.code, error.message, _REQUIRED, remedy=error.remedy),), False)
    except UnsupportedError as error:
        return _skip(error.code, error.message, error.remedy)
    bits = floor(found.bits)
    about = "" if claim.weights is None else f", weights committed to as {claim.weights.hex()[:16]}"
    observed = f"{len(found.gates)} of {len(circuit.gates)} gates proved, {len(blob)} bytes{about}"
    proved = len(found.gates) == len(circuit.gates)
    return ProvingFinding((passed("proof", observed, _REQUIRED, method=SYSTEM, bits=bits),), proved)


def _untrusted(
    claim: ProofClaim, policy: Policy, model: ModelFinding, affidavit: Affidavit, own: bytes | None
) -> Check | None:
    """Why the commitment in the receipt does not count; ``None`` where it is the one that we were given."""
    # A commitment belongs to one circuit: weights of one may fit the outline of another.
    listed = policy.commitments.get(affidavit.receipt.model.circuit)
    claimed = (claim.weights or b"").hex()[:16]
    if not model.vouched or (listed is None and (own is None or not model.single)):
        return skipped(
            "proof",
            "proof.weights.unknown",
            f"weights committed to as {claimed}",
            "a commitment that policy or caller name",
            remedy="list it under [models.commitments], or give --model and --weights-commitment, from whoever made it",
        )
    other = next((known for known in (own, listed) if known is not None and known != claim.weights), None)
    if other is None:
        return None
    return failed(
        "proof",
        "proof.commitment.mismatch",
        f"weights committed to as {claimed}",
        f"{other.hex()[:16]} (trusted)",
        remedy="the proof is about other weights than those that you trust",
    )


def _remedy(claim: ProofClaim, model: ModelFinding) -> str:
    if claim.mode == "committed":
        return "ask for the complete affidavit, which carries the circuit's outline; or give --model"
    if model.outline is not None:
        return "the proof is for verifiers that hold the model: give --model, or ask for one made with --committed"
    return "give --model"


def _skip(code: str, observed: str, remedy: str) -> ProvingFinding:
    return ProvingFinding((skipped("proof", code, observed, _REQUIRED, remedy=remedy),), False)
