# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the machine and the keys say of themselves: evidence over a challenge, and proof that the keys are ours."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attestation.channel.binding import channel_challenge
from node.errors import MalformedError
from verifier.keys import KeySet

if TYPE_CHECKING:
    from attestation.producers import Producer

KEYS_LABEL = b"affidavit/keys@v1\x00"
CHANNEL_KEYS_LABEL = b"affidavit/channel-keys@v1\x00"
CHALLENGE_BYTES = 32


@dataclass(frozen=True)
class Evidence:
    """One piece: its format, and its native parts by member name."""

    type: str
    members: Mapping[str, bytes]


def collect(producer: Producer | None, challenge: bytes) -> tuple[Evidence, ...]:
    """Fresh evidence over a 32-byte challenge; empty where the node has no source of any.

    Raises:
        attestation.EvidenceError: the source does not deliver.
    """
    if producer is None:
        return ()
    return (Evidence(producer.type, dict(producer.collect(challenge))),)


@dataclass(frozen=True)
class Identity:
    """A node's answer to "who are you?": both public keys, signed and vouched for, over the caller's challenge.

    Attributes:
        keys: the public keys.
        challenge: the caller's 32 bytes.
        signature: Ed25519 over :func:`keys_message`.
        evidence: over :func:`keys_digest`; none where the node has no source of any.
        channel_binding: ``tls-exporter`` where both are over the caller's TLS connection too, else ``None``.
    """

    keys: KeySet
    challenge: bytes
    signature: bytes
    evidence: tuple[Evidence, ...]
    channel_binding: str | None = None


def keys_message(challenge: bytes, keys: KeySet, exporter: bytes | None = None) -> bytes:
    """What a node signs to show that both public keys are its own, now (docs/spec/sealed-v1.md, section 4).

    ``"affidavit/keys@v1" || 0x00 || challenge (32) || signing key (32) || sealing key (32)``. The label keeps
    it apart from receipts (DSSE) and contexts.

    Over a channel (docs/spec/channel-v1.md, section 3), with the ``exporter`` of one's own TLS connection, the label is
    ``"affidavit/channel-keys@v1"``, and :func:`channel_challenge` of both stands in the challenge's place. Without a
    label of its own, whoever is in between would ask for the other answer with that value as its challenge.

    Raises:
        MalformedError: ``request.challenge.malformed`` unless the challenge has 32 bytes.
    """
    if len(challenge) != CHALLENGE_BYTES:
        raise MalformedError(
            "request.challenge.malformed",
            f"a challenge of {len(challenge)} bytes, required {CHALLENGE_BYTES}",
        )
    if exporter is None:
        return KEYS_LABEL + challenge + keys.signing + keys.sealing
    return CHANNEL_KEYS_LABEL + channel_challenge(challenge, exporter) + keys.signing + keys.sealing


def keys_digest(challenge: bytes, keys: KeySet, exporter: bytes | None = None) -> bytes:
    """SHA-256 of :func:`keys_message`, 32 bytes: the challenge for the machine's evidence."""
    return hashlib.sha256(keys_message(challenge, keys, exporter)).digest()
