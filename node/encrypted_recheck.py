# SPDX-License-Identifier: AGPL-3.0-or-later
"""A second party executes again on ciphertexts: the same answer bit for bit, or not. No secret key is needed.

It says that the answer is the circuit's on these ciphertexts under these keys; never what they hold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuits import Circuit
from node.keys import NodeKeys
from node.plans import Layout
from node.stages.frame import flooding_seed
from verifier import Affidavit, trace
from verifier.encrypted import EncryptedRequest, FheClaim, encrypted_gates
from verifier.errors import RejectedError, UnsupportedError
from verifier.private import METHOD
from verifier.recheck import RecheckStatement, receipt_digest

if TYPE_CHECKING:
    from fhe import EncryptedPlan
    from fhe.pool import EvaluationPool


@dataclass(frozen=True)
class EncryptedFinding:
    """What executing again showed.

    Attributes:
        agrees: the answer is the signed one.
        answer: SHA-256 of our own.
        root: of our own trace.
        receipt: digest of the receipt that was rechecked.
        gates: how many ran on ciphertexts.
    """

    agrees: bool
    answer: bytes
    root: bytes
    receipt: bytes
    gates: int

    def statement(self, rechecked_at: str) -> RecheckStatement:
        """To be signed by the rechecker; ``rechecked_at`` is its own clock, RFC 3339."""
        return RecheckStatement(self.receipt, self.root, self.agrees, METHOD, rechecked_at)


def recheck_encrypted(
    affidavit: Affidavit,
    circuit: Circuit,
    pool: EvaluationPool,
    *,
    request: bytes | None = None,
    keys: bytes | None = None,
    seed: bytes | None = None,
) -> EncryptedFinding:
    """Execute again and compare.

    Args:
        affidavit: parsed, not necessarily believed; of an encrypted execution.
        circuit: your own copy of the model.
        pool: where untrusted bytes are evaluated.
        request, keys: ciphertexts and evaluation keys; by default those that the affidavit carries.
        seed: of protected replies, opened by the node.

    Raises:
        RejectedError: ``model.circuit.mismatch``, ``private.{request,keys}.mismatch``: what you hold is not what the
            receipt speaks of. ``private.{preset,interface,layers}.mismatch``: what it speaks of is not this circuit's.
        UnsupportedError: ``recheck.{request,keys,seed}.missing``, ``private.section.missing``.
        fhe.FheError: what is wrong with request, keys, seed or circuit; ``fhe.worker.*``.
    """
    receipt, claim = affidavit.receipt, affidavit.receipt.fhe
    if claim is None:
        raise UnsupportedError("private.section.missing", "the receipt speaks of no execution on ciphertexts")
    if circuit.digest != receipt.model.circuit:
        raise RejectedError(
            "model.circuit.mismatch",
            f"the receipt names circuit {receipt.model.circuit.hex()[:16]}, yours is {circuit.digest.hex()[:16]}",
        )
    plan = layout_of(affidavit).plan(circuit)
    _compare_plan(claim, plan)
    parts = []
    for name, given, role, named in (
        ("request", request, "input", claim.inputs.request),
        ("keys", keys, "keys", claim.inputs.keys),
    ):
        data = affidavit.blob(role) if given is None else given
        if data is None:
            raise UnsupportedError(
                f"recheck.{name}.missing", f"the affidavit carries no {name}", remedy="give it as a file"
            )
        if hashlib.sha256(data).digest() != named:
            raise RejectedError(
                f"private.{name}.mismatch", f"SHA-256 of {name}: the receipt says {named.hex()[:16]}, yours differs"
            )
        parts.append(data)
    _check_seed(claim, seed)
    own = hashlib.sha256(pool.evaluate(plan, parts[0], parts[1], seed=seed).ciphertexts).digest()
    root = trace.root((claim.inputs.commitment, own))
    agrees = own == claim.answer == receipt.output and root == receipt.trace.root
    return EncryptedFinding(agrees, own, root, receipt_digest(affidavit.receipt_envelope.payload), len(claim.layers))


def layout_of(affidavit: Affidavit) -> Layout:
    """How the receipt says that the circuit ran. Raises UnsupportedError ``private.section.missing``."""
    claim = affidavit.receipt.fhe
    if claim is None:
        raise UnsupportedError("private.section.missing", "the receipt speaks of no execution on ciphertexts")
    return Layout(
        claim.preset,
        claim.packing,
        affidavit.receipt.batch,
        claim.protected,
        claim.first,
        claim.last,
        claim.magnitudes,
    )


def _compare_plan(claim: FheClaim, plan: EncryptedPlan) -> None:
    """The section's parameters, layout and layers are those of the circuit."""
    pairs = (
        ("preset", claim.parameters.hex(), plan.preset.digest.hex()),
        ("interface", claim.inputs.interface.hex(), plan.interface.digest.hex()),
        ("layers", claim.layers, encrypted_gates(plan.circuit, claim.first, claim.last)),
    )
    for name, said, own in pairs:
        if said != own:
            raise RejectedError(
                f"private.{name}.mismatch",
                f"{name}: the receipt says {str(said)[:40]}, the circuit gives {str(own)[:40]}",
            )


def _check_seed(claim: FheClaim, seed: bytes | None) -> None:
    if not claim.protected:
        if seed is not None:
            raise RejectedError("private.seed.mismatch", "a seed, and a receipt whose replies are bare")
        return
    if seed is None:
        raise UnsupportedError(
            "recheck.seed.missing",
            "the replies are protected, and executing them again takes the node's seed",
            remedy="have the node's operator run `affidavit node open-seed`, and give --seed",
        )
    from fhe import open_seed

    open_seed(seed, claim.inputs.seed)


def open_own_seed(affidavit: Affidavit, keys: NodeKeys) -> bytes:
    """The node's own seed of a protected reply, for an auditor. Whoever has it and the session's key learns the model.

    Raises:
        UnsupportedError: ``private.section.missing``: replies that are not protected have no seed.
        RejectedError: ``private.seed.mismatch``: not a reply of this node's.
    """
    from fhe import commit_seed

    claim = affidavit.receipt.fhe
    if claim is None or not claim.protected:
        raise UnsupportedError("private.section.missing", "the receipt speaks of no protected replies")
    bare = EncryptedRequest(claim.inputs.interface, claim.inputs.keys, claim.inputs.request)
    seed = flooding_seed(keys.sign, affidavit.receipt.nonce, bare)
    if commit_seed(seed) != claim.inputs.seed:
        raise RejectedError("private.seed.mismatch", "not a reply that this node's keys protected")
    return seed
