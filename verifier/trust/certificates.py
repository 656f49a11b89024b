# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of certificates in a policy."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from verifier.errors import MalformedError
from verifier.fields import Fields

MAX_LIST = 256


def certificates(fields: Fields, key: str) -> tuple[bytes, ...]:
    """The PEM certificates of a list, as DER; empty where the key is absent."""
    if key not in fields.value:
        return ()

    def read(value: Any, path: str) -> bytes:
        try:
            return x509.load_pem_x509_certificate(str(value).encode()).public_bytes(Encoding.DER)
        except ValueError as error:
            raise MalformedError(fields.code, f"{path}: not a PEM certificate ({str(error)[:80]})") from None

    return fields.list(key, read, limit=MAX_LIST)
