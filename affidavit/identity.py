# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose keys are these? Checked before anything is sealed to them (docs/spec/sealed-v1.md, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from affidavit.errors import RejectedError, UnsupportedError
from attestation.clock import Counters
from node.evidence import Evidence, Identity, keys_digest, keys_message
from verifier.errors import MalformedError
from verifier.evidence import appraise_piece
from verifier.keys import KeySet, key_id, signature_valid
from verifier.policy import Policy


def check_identity(
    identity: Identity,
    challenge: bytes,
    *,
    policy: Policy,
    at: datetime,
    seen: Mapping[bytes, Counters] | None = None,
) -> KeySet:
    """The node's keys, once the policy gives a reason to trust them.

    A reason is what would make its receipts acceptable: the signing key is listed, or evidence over both keys and our
    challenge is accepted; evidence is needed in any case where the policy demands ``attested``.

    Args:
        identity: what the node said.
        challenge: 32 bytes that the caller drew for this.
        policy: whom to trust.
        at: the time of the question, with a time zone.
        seen: what TPMs had said of their clocks when the challenge was drawn.

    Raises:
        RejectedError: ``client.keys.challenge-mismatch``, ``client.keys.signature-invalid``,
            ``client.keys.not-allowed``.
        UnsupportedError: ``client.keys.untrusted``.
    """
    keys = identity.keys
    short = key_id(keys.signing)[:16]
    if identity.challenge != challenge:
        raise RejectedError("client.keys.challenge-mismatch", "the node answered another challenge")
    if not signature_valid(keys.signing, identity.signature, keys_message(challenge, keys)):
        raise RejectedError("client.keys.signature-invalid", f"node {short} did not sign the keys it gave")
    if policy.nodes and keys.signing not in policy.nodes:
        raise RejectedError("client.keys.not-allowed", f"node {short} is none that the policy lists")
    if (not policy.nodes or "attested" in policy.assurance) and not _attested(identity, policy, at, seen):
        raise UnsupportedError(
            "client.keys.untrusted",
            f"nothing that the policy accepts vouches for the keys of node {short}",
            remedy="give a policy that lists the node's key, or the type and roots of its evidence",
        )
    return keys


def _attested(identity: Identity, policy: Policy, at: datetime, seen: Mapping[bytes, Counters] | None) -> bool:
    digest = keys_digest(identity.challenge, identity.keys)
    return any(_counts(piece, digest, policy, at, seen) for piece in identity.evidence)


def _counts(
    piece: Evidence, digest: bytes, policy: Policy, at: datetime, seen: Mapping[bytes, Counters] | None
) -> bool:
    try:
        return appraise_piece(piece.type, piece.members, challenge=digest, policy=policy, at=at, seen=seen).counts
    except MalformedError:
        return False
