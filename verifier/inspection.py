# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a file claims, without believing any of it."""

from __future__ import annotations

from math import log2
from typing import Any

import circuits
from circuits import Circuit
from verifier.affidavit import Affidavit
from verifier.errors import VerifierError
from verifier.keys import key_id
from verifier.proof_file import MODES, ProofFile
from verifier.tensors import decode_tensors


def inspect_affidavit(affidavit: Affidavit, circuit: Circuit | None = None) -> dict[str, Any]:
    """The claims of a parsed affidavit as plain JSON values; nothing in here has been verified.

    `circuit` is the caller's own copy of the model, for what can be said of a proof only with it.

    Raises:
        MalformedError: an opening inside the affidavit breaks its grammar.
    """
    receipt = affidavit.receipt
    return {
        "trusted": False,
        "signer": key_id(receipt.keys.signing),
        "receipt": receipt.statement().predicate,
        "soundness": _soundness(affidavit, circuit),
        "unverifiable_sections": list(receipt.extensions),
        "rechecks": [
            {"envelope": name, "signer": envelope.key_id, "agrees": found.agrees, "engine": found.engine}
            for name, (envelope, found) in sorted(affidavit.rechecks.items())
        ],
        "unknown_envelopes": list(affidavit.unknown),
        "carries": {role: _describe(affidavit, role) for role in sorted(affidavit.roles)},
        "blobs": {digest.hex(): len(content) for digest, content in sorted(affidavit.blobs.items())},
    }


def inspect_proof_file(file: ProofFile, circuit: Circuit | None = None) -> dict[str, Any]:
    """The claims of a parsed proof file, in the same way."""
    batches = {len(array) for array in file.inputs.tensors.values()}
    return {
        "trusted": False,
        "circuit": file.circuit.hex(),
        "context": file.context.hex(),
        "mode": file.mode,
        "weights_commitment": None if file.weights is None else file.weights.hex(),
        "inputs": _shapes(file.inputs.tensors),
        "outputs": _shapes(file.outputs.tensors),
        "bytes": {"outline": len(file.outline), "proof": len(file.proof)},
        "soundness": _of(circuit, None, file.outline or None, file.circuit, min(batches, default=0), file.mode),
    }


def soundness_json(circuit: Circuit | None, digest: bytes, batch: int, mode: str) -> dict[str, Any]:
    """What a proof about `batch` samples of this circuit is worth: the accounting's terms, largest error first.

    Nothing of it comes from the proof.  Where it cannot be said, `unknown` is the code of the reason.
    """
    from verifier.proof.plan import MAX_BATCH, Mode
    from verifier.proof.soundness import REQUIRED_BITS, account, soundness_bits
    from verifier.proof.statement import prepare

    if circuit is None:
        return {"unknown": "proof.circuit.missing"}
    if circuit.digest != digest:
        return {"unknown": "model.circuit.mismatch"}
    if mode not in MODES:
        return {"unknown": "proof.system.unsupported"}
    if not 1 <= batch <= MAX_BATCH:
        return {"unknown": "proof.statement.batch"}
    known: Mode = "held" if mode == "held" else "committed"
    try:
        prepared = prepare(circuit, batch, known)
    except VerifierError as error:
        return {"unknown": error.code}
    terms = account(prepared.plan, prepared.code, prepared.weights.code, prepared.queries)
    return {
        "bits": round(soundness_bits(terms), 2),
        "required_bits": REQUIRED_BITS,
        "terms": [
            {"name": term.name, "bits": round(-log2(term.error), 2)}
            for term in sorted(terms, key=lambda term: -term.error)
            if term.error > 0
        ],
    }


def _soundness(affidavit: Affidavit, circuit: Circuit | None) -> dict[str, Any] | None:
    receipt = affidavit.receipt
    if receipt.proof is None:
        return None
    carried, outline = affidavit.blob("circuit"), affidavit.blob("outline")
    return _of(circuit, carried, outline, receipt.model.circuit, receipt.batch, receipt.proof.mode)


def _of(
    circuit: Circuit | None, carried: bytes | None, outline: bytes | None, digest: bytes, batch: int, mode: str
) -> dict[str, Any]:
    """`soundness_json` with the caller's circuit, or else with what the file carries, if it has the right digest."""
    from verifier.proof.outline import load_outline

    try:
        if circuit is None and carried is not None and circuits.stated_digest(carried) == digest:
            circuit = circuits.load_circuit(carried)
        if circuit is None and outline is not None and mode == "committed":
            circuit = load_outline(outline, digest)
    except (circuits.CircuitError, VerifierError) as error:
        return {"unknown": error.code}
    return soundness_json(circuit, digest, batch, mode)


def _shapes(tensors: Any) -> dict[str, list[int]]:
    return {name: list(array.shape) for name, array in tensors.items()}


def _describe(affidavit: Affidavit, role: str) -> dict[str, Any]:
    content = affidavit.blob(role) or b""
    found: dict[str, Any] = {"sha256": affidavit.roles[role].hex(), "bytes": len(content)}
    if role in ("input", "output") and affidavit.receipt.fhe is None:
        found["tensors"] = _shapes(decode_tensors(content).tensors)
    return found
