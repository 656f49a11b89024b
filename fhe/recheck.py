# SPDX-License-Identifier: AGPL-3.0-or-later
"""Re-check of an encrypted execution: execute again on the ciphertexts and compare digests. No secret key is needed.

An evaluation is integer arithmetic on residues, so it gives the same bits on every machine; a skipped layer, a
swapped weight, a replayed or foreign ciphertext gives others. What a re-check does *not* say is what the
ciphertexts hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from fhe.errors import RejectedError
from fhe.planning import EncryptedPlan
from fhe.pool import EncryptedAnswer, EvaluationPool
from fhe.privacy import open_seed

__all__ = ["EncryptedClaim", "recheck_encrypted"]


@dataclass(frozen=True, slots=True)
class EncryptedClaim:
    """What a receipt says of an encrypted execution: digests of 32 bytes each.

    Attributes:
        circuit, interface, keys, request, answer: as :class:`fhe.pool.EncryptedAnswer` has them. The interface's digest
            covers which part of the circuit runs and how (:attr:`fhe.EncryptedPlan.digest`).
        seed_commitment: of a private plan's flooding seed, else None.
    """

    circuit: bytes
    interface: bytes
    keys: bytes
    request: bytes
    answer: bytes
    seed_commitment: bytes | None = None

    @staticmethod
    def of(plan: EncryptedPlan, answer: EncryptedAnswer, seed_commitment: bytes | None = None) -> EncryptedClaim:
        """The claim that goes with an answer."""
        return EncryptedClaim(
            plan.circuit_digest,
            answer.interface_digest,
            answer.keys_digest,
            answer.request_digest,
            answer.answer_digest,
            seed_commitment,
        )


def recheck_encrypted(
    claim: EncryptedClaim,
    plan: EncryptedPlan,
    request: bytes,
    keys: bytes,
    *,
    pool: EvaluationPool,
    seed: bytes | None = None,
) -> EncryptedAnswer:
    """Execute again and compare.

    Args:
        claim: from the receipt.
        plan: made by the auditor from its own copy of the circuit (:func:`fhe.planning.remake`).
        request, keys: the blobs that the receipt names.
        pool: where untrusted bytes are evaluated.
        seed: the opened flooding seed of a private plan.

    Returns:
        The auditor's own answer, equal to the node's.

    Raises:
        RejectedError: ``fhe.recheck.circuit``, ``.interface``, ``.keys``, ``.request``, ``.answer``;
            ``fhe.seed.mismatch``; and all that the evaluation of these blobs raises.
        OperationalError: says nothing about the claim.
    """
    if claim.circuit != plan.circuit_digest:
        raise _mismatch("circuit", claim.circuit, plan.circuit_digest)
    if claim.interface != plan.interface.digest:
        raise _mismatch("interface", claim.interface, plan.interface.digest)
    if seed is not None and claim.seed_commitment is not None:
        open_seed(seed, claim.seed_commitment)
    elif (claim.seed_commitment is not None) != plan.private or (seed is not None) != plan.private:
        raise RejectedError(
            "fhe.seed.mismatch", "seed, commitment and plan do not agree on whether replies are flooded"
        )
    own = pool.evaluate(plan, request, keys, seed=seed)
    for name, said, found in (
        ("keys", claim.keys, own.keys_digest),
        ("request", claim.request, own.request_digest),
        ("answer", claim.answer, own.answer_digest),
    ):
        if said != found:
            raise _mismatch(name, said, found)
    return own


def _mismatch(name: str, said: bytes, found: bytes) -> RejectedError:
    return RejectedError(f"fhe.recheck.{name}", f"the receipt says {said.hex()[:16]}..; found {found.hex()[:16]}..")
