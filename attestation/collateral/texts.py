# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates in the texts of JSON files, as metadata services and attestation bundles give them.

For instance Azure's host metadata of a confidential VM (THIM): `{"vcekCert": PEM, "certificateChain": PEM, ...}`.
"""

from __future__ import annotations

import json
from typing import Any

from attestation.collateral.bag import Collateral
from attestation.collateral.recognition import recognise
from attestation.errors import EvidenceError

MAX_FILES = 16
MAX_JSON = 1 << 18
MAX_TEXTS = 64
MAX_NESTING = 6
MIN_TEXT = 256
"""Files and the bytes of all, texts of one file that are looked into, levels; characters of a certificate at least."""
MAX_VALUES = 8192
"""Values in all files: JSON of many small ones takes much longer to read than its bytes tell."""


def certificates_in_texts(collateral: Collateral) -> tuple[bytes, ...]:
    """Certificates (DER) that stand as PEM, or as DER in base64 or hex, in JSON. Never raises."""
    found: dict[bytes, None] = {}
    files = 0
    left, values = MAX_JSON, MAX_VALUES
    for data in collateral.of("json"):
        # Every value but the first of its list or object stands behind a comma, and that behind a bracket.
        count = sum(map(data.count, (b",", b"[", b"{")))
        if files == MAX_FILES or len(data) > left or count > values:
            continue
        files, left, values = files + 1, left - len(data), values - count
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            continue
        for text in _texts(value):
            try:
                items = recognise(text.encode("utf-8", "replace"))
            except EvidenceError:
                continue
            found |= dict.fromkeys(item.data for item in items if item.kind == "x509")
    return tuple(found)


def _texts(value: Any) -> list[str]:
    """Long texts in a JSON value, outermost first."""
    texts: list[str] = []
    level = [value]
    for _ in range(MAX_NESTING):
        texts += [node for node in level if isinstance(node, str) and len(node) >= MIN_TEXT]
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return texts[:MAX_TEXTS]
