# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of certificates in a policy."""

from __future__ import annotations

from typing import Any

from attestation.collateral import recognise
from attestation.errors import EvidenceError
from attestation.pki.certificate import load_certificate
from verifier.errors import MalformedError
from verifier.fields import Fields

MAX_LIST = 256


def certificates(fields: Fields, key: str) -> tuple[bytes, ...]:
    """The PEM certificates of a list, as DER; empty where the key is absent."""
    if key not in fields.value:
        return ()

    def read(value: Any, path: str) -> bytes:
        text = value if isinstance(value, str) else ""
        try:
            items = recognise(text.encode()) if text.lstrip().startswith("-----BEGIN CERTIFICATE-----") else ()
            if len(items) != 1:
                raise MalformedError(fields.code, f"{path}: not one PEM certificate")
            load_certificate(items[0].data, "evidence.anchor", reordering=True)
        except (EvidenceError, UnicodeEncodeError) as error:
            raise MalformedError(fields.code, f"{path}: not a PEM certificate ({str(error)[:80]})") from None
        return items[0].data

    return fields.list(key, read, limit=MAX_LIST)
