# SPDX-License-Identifier: AGPL-3.0-or-later
"""The succinct proof in an affidavit: bound to the receipt, then checked by :mod:`verifier.proof`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from verifier.affidavit import Affidavit
from verifier.answer import AnswerFinding
from verifier.errors import RejectedError, UnsupportedError
from verifier.identity import ModelFinding
from verifier.receipt import proof_context
from verifier.verdict import Check, failed, passed, skipped

SYSTEM = "proof@v1"
_REQUIRED = "a proof that the answer is the circuit's on this input"


@dataclass(frozen=True)
class ProvingFinding:
    """Checks ``proof.*``; ``proved`` when the whole circuit is."""

    checks: Sequence[Check]
    proved: bool


def check_proof(affidavit: Affidavit, model: ModelFinding, answered: AnswerFinding) -> ProvingFinding:
    """Check the proof that the receipt names, against the circuit, input and answer at hand.

    Raises:
        MalformedError: ``proof.wire.*``, ``proof.statement.*``.
    """
    claim = affidavit.receipt.proof
    if claim is None:
        return ProvingFinding((), False)
    if claim.system != SYSTEM or claim.mode != "held":
        observed = f"{claim.system}, mode {claim.mode}"
        return _skip("proof.system.unsupported", observed, "use a newer verifier")
    blob = affidavit.blobs.get(claim.digest)
    if blob is None or len(blob) != claim.size:
        return _skip("proof.missing", "the proof is not in the file", "ask for the complete affidavit")
    circuit = model.circuit
    if circuit is None or not model.vouched:
        return _skip("proof.circuit.missing", "no circuit at hand", "give --model")
    if answered.inputs is None or answered.outputs is None:
        return _skip("proof.statement.missing", "input or answer not at hand", "give --input, or the openings")
    from verifier.proof import verify_proof  # its compiled kernels take a while to load; most affidavits need none

    try:
        found = verify_proof(
            blob,
            circuit=circuit,
            inputs=answered.inputs,
            outputs=answered.outputs,
            context=proof_context(affidavit.receipt.rebuilt_context().digest, affidavit.receipt.evidence),
        )
    except RejectedError as error:
        return ProvingFinding((failed("proof", error.code, error.message, _REQUIRED, remedy=error.remedy),), False)
    except UnsupportedError as error:
        return _skip(error.code, error.message, error.remedy)
    bits = floor(found.bits)
    observed = f"{len(found.gates)} of {len(circuit.gates)} gates proved, {len(blob)} bytes"
    proved = len(found.gates) == len(circuit.gates)
    return ProvingFinding((passed("proof", observed, _REQUIRED, method=SYSTEM, bits=bits),), proved)


def _skip(code: str, observed: str, remedy: str) -> ProvingFinding:
    return ProvingFinding((skipped("proof", code, observed, _REQUIRED, remedy=remedy),), False)
