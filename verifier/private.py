# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks of an execution on ciphertexts: what ran, on which ciphertexts, under whose keys, in which parameters.

No check here reads a ciphertext or a key, and none needs a secret. Whether the answer is what the circuit gives on
those ciphertexts is a matter of executing again, outside this core: by the caller, who then says which answer it got
(``KnownRequest.reexecuted``), or by a rechecker whom the policy lists, in a signed statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.affidavit import Affidavit
from verifier.encrypted import PRESETS, SECURITY_BITS, EncryptedRequest, FheClaim, encrypted_gates
from verifier.execution import check_statements
from verifier.identity import HASH_BITS, ModelFinding
from verifier.policy import Policy
from verifier.verdict import Check, failed, passed, skipped

METHOD = "re-execution on ciphertexts"


@dataclass(frozen=True)
class KnownRequest:
    """What the verifier knows of an encrypted request by itself.

    Attributes:
        sent: digests of what the client encrypted and sent; ``None`` for an auditor, who did not.
        reexecuted: SHA-256 of the answer that the caller got by executing again on the request's ciphertexts, with the
            request's keys and the caller's own circuit; ``None`` where it did not.
    """

    sent: EncryptedRequest | None = None
    reexecuted: bytes | None = None


@dataclass(frozen=True)
class PrivateFinding:
    """Checks of an encrypted execution.

    Attributes:
        checks: ``private.*``, ``request.input``, ``answer.output``, ``trace.root``, ``execution.*``.
        private: the input was encrypted in parameters that hold, and is the one that somebody outside the file sent.
        rechecked: somebody trusted executed it again and got the same answer.
        ciphertexts: the signed answer, still encrypted; ``None`` where it is not in the file or not the signed one.
    """

    checks: Sequence[Check]
    private: bool
    rechecked: bool
    ciphertexts: bytes | None


def check_private(
    affidavit: Affidavit, claim: FheClaim, policy: Policy, model: ModelFinding, known: KnownRequest
) -> PrivateFinding:
    """Check the section and what follows from it."""
    preset, bound, layers = _preset(claim), _bound(affidavit, claim), _layers(claim, model)
    sent, answer = _sent(affidavit, claim, policy, known.sent), _answer(affidavit, claim)
    carried = [line for line in (_carried(affidavit, claim, role) for role in ("input", "keys")) if line is not None]
    own = _reexecuted(claim, known.reexecuted)
    statements, agreed = check_statements(affidavit, policy)
    resting = (preset, bound, layers, sent)
    return PrivateFinding(
        (*resting, *carried, answer, _trace(affidavit, claim), own, *statements),
        all(check.passed for check in resting),
        own.passed or agreed,
        affidavit.blob("output") if answer.passed else None,
    )


def _preset(claim: FheClaim) -> Check:
    """Parameters that this verifier knows to be secure; whatever else a node names is not."""
    known = PRESETS.get(claim.preset)
    required = f"a preset of this version, {SECURITY_BITS}-bit secure"
    if known is None:
        return skipped(
            "private.preset", "private.preset.unknown", claim.preset, required, remedy="use a newer verifier"
        )
    if known != (claim.scheme, claim.parameters.hex()):
        observed = f"{claim.preset}: {claim.scheme} {claim.parameters.hex()[:16]}"
        return failed("private.preset", "private.preset.mismatch", observed, f"{known[0]} {known[1][:16]}")
    observed = f"{claim.preset} ({claim.scheme})"
    return passed("private.preset", observed, required, method="ring learning with errors", bits=SECURITY_BITS)


def _bound(affidavit: Affidavit, claim: FheClaim) -> Check:
    """The commitment in the context is that of the section, so evidence speaks of these ciphertexts and keys."""
    own, stated = claim.inputs.commitment.hex()[:16], affidavit.receipt.input
    if stated == claim.inputs.commitment:
        return passed("private.input", own, f"{own} (the section's)", method="sha-256", bits=HASH_BITS)
    return failed("private.input", "private.input.mismatch", stated.hex()[:16], f"{own} (the section's)")


def _layers(claim: FheClaim, model: ModelFinding) -> Check:
    """What the section says ran is what lies between its two tensors in the circuit: nothing left out."""
    circuit = model.described
    said = f"{len(claim.layers)} gates, tensors {claim.first} to {claim.last}"
    if circuit is None:
        return skipped(
            "private.layers", "private.circuit.missing", said, "the gates of the circuit", remedy="give --model"
        )
    if claim.last >= len(circuit.tensors):
        return failed("private.layers", "private.layers.mismatch", said, f"{len(circuit.tensors)} tensors")
    expected = encrypted_gates(circuit, claim.first, claim.last)
    if claim.layers != expected:
        other = sorted(set(expected) ^ set(claim.layers)) or ["the order"]
        return failed(
            "private.layers", "private.layers.mismatch", f"differs in {other[0][:60]!r}", f"all {len(expected)} gates"
        )
    return passed("private.layers", said, f"all {len(expected)} gates between them")


def _sent(affidavit: Affidavit, claim: FheClaim, policy: Policy, sent: EncryptedRequest | None) -> Check:
    """The ciphertexts, keys and layout are the client's own: the first part that differs gives the code."""
    stated, pinned = affidavit.receipt.input, policy.request.input
    short = stated.hex()[:16]
    if pinned is not None and pinned != stated:
        required = f"{pinned.hex()[:16]} (pinned in the policy)"
        return failed("request.input", "request.input.mismatch", short, required)
    if sent is not None:
        for name in ("interface", "keys", "request", "seed"):
            said, own = getattr(claim.inputs, name), getattr(sent, name)
            if said != own and not (name == "seed" and sent.seed == bytes(32)):
                return failed(
                    "request.input",
                    f"private.{name}.mismatch",
                    said.hex()[:16],
                    f"{own.hex()[:16]} (this request's)",
                    remedy="the node computed on something else than was sent",
                )
    if sent is None and pinned is None:
        return skipped(
            "request.input",
            "request.input.unknown",
            short,
            "the request that the client encrypted",
            remedy="give the request as its client kept it, or pin its commitment in the policy",
        )
    return passed("request.input", short, f"{short} (as sent)", method="sha-256", bits=HASH_BITS)


def _carried(affidavit: Affidavit, claim: FheClaim, role: str) -> Check | None:
    """Ciphertexts or keys that travel in the file for whoever executes again."""
    offered = affidavit.roles.get(role)
    named = claim.inputs.request if role == "input" else claim.inputs.keys
    if offered is None:
        return None
    if offered == named:
        return passed(f"private.carried-{role}", named.hex()[:16], "as signed", method="sha-256", bits=HASH_BITS)
    return failed(
        f"private.carried-{role}", "private.carried.mismatch", offered.hex()[:16], f"{named.hex()[:16]} (signed)"
    )


def _answer(affidavit: Affidavit, claim: FheClaim) -> Check:
    offered, signed = affidavit.roles.get("output"), affidavit.receipt.output
    short = f"{signed.hex()[:16]} (signed)"
    if claim.answer != signed:
        return failed("answer.output", "private.answer.mismatch", claim.answer.hex()[:16], short)
    if offered is None:
        return skipped("answer.output", "answer.output.missing", "no answer in the file", f"ciphertexts {short}")
    if offered != signed:
        return failed("answer.output", "answer.output.mismatch", offered.hex()[:16], short)
    return passed("answer.output", offered.hex()[:16], short, method="sha-256", bits=HASH_BITS)


def _trace(affidavit: Affidavit, claim: FheClaim) -> Check:
    said = affidavit.receipt.trace
    stated, own = said.root.hex()[:16], claim.root.hex()[:16]
    if said.leaves != hashlib.sha256(b"".join(claim.leaves)).digest():
        return failed("trace.root", "trace.leaves.mismatch", said.leaves.hex()[:16], "request and answer")
    if said.root != claim.root:
        return failed("trace.root", "trace.root.mismatch", stated, f"{own} (request and answer)")
    return passed("trace.root", stated, f"{own} (request and answer)", method="sha-256", bits=HASH_BITS)


def _reexecuted(claim: FheClaim, found: bytes | None) -> Check:
    required = "the answer that executing again gives"
    if found is None:
        return skipped(
            "execution.recheck",
            "recheck.encrypted.outside",
            "not executed again",
            required,
            remedy="have it executed again with `affidavit recheck`",
        )
    if found == claim.answer:
        return passed("execution.recheck", found.hex()[:16], required, method=METHOD, bits=HASH_BITS)
    return failed(
        "execution.recheck",
        "recheck.encrypted.mismatch",
        claim.answer.hex()[:16],
        f"{found.hex()[:16]} ({METHOD})",
        remedy="the node did not compute this circuit on these ciphertexts",
    )
