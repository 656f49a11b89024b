# SPDX-License-Identifier: AGPL-3.0-or-later
"""A challenge that only one TLS connection can have asked (channel@v1, section 2)."""

from __future__ import annotations

import hashlib

from attestation.errors import OperationalError

TLS_EXPORTER = "tls-exporter"
"""The channel binding type of RFC 9266, section 2."""

EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
EXPORTER_BYTES = 32
"""RFC 9266, section 2: this label without NUL, an empty context, this length."""

LABEL = b"affidavit/channel@v1\x00"
NONCE_BYTES = range(1, 65)


def channel_challenge(nonce: bytes, exporter: bytes) -> bytes:
    """What evidence has to be bound to so that it answers ``nonce`` over one connection, 32 bytes.

    ::

        SHA-256("affidavit/channel@v1" || 0x00 || u8 len(type) || type || u8 len(nonce) || nonce || exporter)

    Args:
        nonce: drawn by whoever asks, 1 to 64 bytes.
        exporter: the TLS exporter's value of one's own connection, 32 bytes.

    Raises:
        OperationalError: ``evidence.channel.malformed``: other sizes are the caller's mistake.
    """
    if len(nonce) not in NONCE_BYTES or len(exporter) != EXPORTER_BYTES:
        raise OperationalError(
            "evidence.channel.malformed",
            f"a nonce of {len(nonce)} and an exporter of {len(exporter)} bytes, required 1 to 64 and {EXPORTER_BYTES}",
        )
    kind = TLS_EXPORTER.encode("ascii")
    framed = bytes([len(kind)]) + kind + bytes([len(nonce)]) + nonce
    return hashlib.sha256(LABEL + framed + exporter).digest()
