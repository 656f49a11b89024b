# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose keys are these? Checked before anything is sealed to them (docs/spec/sealed-v1.md, section 4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attestation
from affidavit.errors import RejectedError, UnsupportedError
from attestation import tpm2
from attestation.contract import Appraisal, Format
from attestation.formats import FORMATS
from node.evidence import Evidence, Identity, keys_digest, keys_message
from verifier.keys import KeySet, key_id, signature_valid
from verifier.policy import Policy


def check_identity(identity: Identity, challenge: bytes, *, policy: Policy, at: datetime) -> KeySet:
    """The node's keys, once the policy gives a reason to trust them.

    A reason is what would make its receipts acceptable: the signing key is listed, or evidence over both keys and our
    challenge is accepted; evidence is needed in any case where the policy demands ``attested``.

    Args:
        identity: what the node said.
        challenge: 32 bytes that the caller drew for this.
        policy: whom to trust.
        at: the time of the question, with a time zone.

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
    if (not policy.nodes or "attested" in policy.assurance) and not _attested(identity, policy, at):
        raise UnsupportedError(
            "client.keys.untrusted",
            f"nothing that the policy accepts vouches for the keys of node {short}",
            remedy="give a policy that lists the node's key, or the type and roots of its evidence",
        )
    return keys


def _attested(identity: Identity, policy: Policy, at: datetime) -> bool:
    digest = keys_digest(identity.challenge, identity.keys)
    return any(_counts(_appraise(piece, digest, policy, at), policy) for piece in identity.evidence)


def _appraise(piece: Evidence, digest: bytes, policy: Policy, at: datetime) -> Appraisal | None:
    scheme = FORMATS.get(piece.type)
    accepted = scheme is not None and (
        piece.type in policy.evidence or (scheme.simulated and policy.unsafe_accept_simulated)
    )
    if scheme is None or not accepted:
        return None
    try:
        return scheme.appraise(piece.members, challenge=digest, at=at, trust=_trust(scheme, policy))
    except (attestation.MalformedError, attestation.UnsupportedError):
        return None


def _trust(scheme: Format, policy: Policy) -> Any:
    if scheme is tpm2.FORMAT:
        return tpm2.Tpm2Trust(
            ek_roots=policy.tpm2.ek_roots,
            ak_issuers=policy.tpm2.ak_issuers,
            platform_ak_issuers=policy.tpm2.platform_ak_issuers,
            reference_pcrs={("sha256", index): values for index, values in policy.tpm2.pcrs.items()},
        )
    return scheme.trust_class()


def _counts(appraisal: Appraisal | None, policy: Policy) -> bool:
    if appraisal is None:
        return False
    if appraisal.simulated:
        return policy.unsafe_accept_simulated and not appraisal.failed
    return appraisal.passed
