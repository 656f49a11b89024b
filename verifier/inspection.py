# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a file claims, without believing any of it."""

from __future__ import annotations

from typing import Any

from verifier.affidavit import Affidavit
from verifier.keys import key_id
from verifier.tensors import decode_tensors


def inspect_affidavit(affidavit: Affidavit) -> dict[str, Any]:
    """The claims of a parsed affidavit as plain JSON values; nothing in here has been verified."""
    receipt = affidavit.receipt
    return {
        "trusted": False,
        "signer": key_id(receipt.keys.signing),
        "receipt": receipt.statement().predicate,
        "unverifiable_sections": list(receipt.extensions),
        "rechecks": [
            {"envelope": name, "signer": envelope.key_id, "agrees": found.agrees, "engine": found.engine}
            for name, (envelope, found) in sorted(affidavit.rechecks.items())
        ],
        "unknown_envelopes": list(affidavit.unknown),
        "carries": {role: _describe(affidavit, role) for role in sorted(affidavit.roles)},
        "blobs": {digest.hex(): len(content) for digest, content in sorted(affidavit.blobs.items())},
    }


def _describe(affidavit: Affidavit, role: str) -> dict[str, Any]:
    content = affidavit.blob(role) or b""
    found: dict[str, Any] = {"sha256": affidavit.roles[role].hex(), "bytes": len(content)}
    if role in ("input", "output"):
        opening = decode_tensors(content)
        found["tensors"] = {name: list(array.shape) for name, array in opening.tensors.items()}
    return found
