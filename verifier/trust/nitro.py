# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.nitro]``: roots, reference values and limits for ``nitro-document@v1``.

=====================  ======================================================================
`roots`                PEM certificates; absent: AWS's root G1 of the commercial partition
`pcrs`                 table of PCR index to a list of allowed values, 48 bytes in lower-case hex
`challenge_field`      "nonce" (default) or "user_data"
`max_age_seconds`      how old a document may be (default 10800)
`max_skew_seconds`     how far ahead it may be (default 60)
`kind`                 "enclave" (default), or "tpm": documents of an EC2 instance's NitroTPM
`require_crl`          whether certificates that name a CRL need a current one (default false)
=====================  ======================================================================
"""

from __future__ import annotations

import re
from typing import Any

from attestation.nitro import NitroTrust
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.trust.certificates import MAX_LIST, certificates

_SHA384 = re.compile(r"[0-9a-f]{96}\Z")
_KEYS = {"roots", "pcrs", "challenge_field", "max_age_seconds", "max_skew_seconds", "require_crl", "kind"}
MAX_SECONDS = 366 * 24 * 3600


def read(fields: Fields) -> NitroTrust:
    """The trust of one table; an absent key keeps its default. Raises `MalformedError`."""
    fields.exactly((), optional=_KEYS)
    settings: dict[str, Any] = {}
    if "roots" in fields.value:
        settings["roots"] = certificates(fields, "roots")
    if "pcrs" in fields.value:
        settings["reference_pcrs"] = _pcrs(fields.object("pcrs"), zeros=fields.value.get("kind") == "tpm")
    if "kind" in fields.value:
        if (kind := fields.text("kind")) not in ("enclave", "tpm"):
            raise fields.fail("kind", "'enclave' or 'tpm'")
        settings["kind"] = kind
    if "challenge_field" in fields.value:
        if (field := fields.text("challenge_field")) not in ("nonce", "user_data"):
            raise fields.fail("challenge_field", "'nonce' or 'user_data'")
        settings["challenge_field"] = field
    for key in ("max_age", "max_skew"):
        if f"{key}_seconds" in fields.value:
            settings[key] = fields.integer(f"{key}_seconds", 0, MAX_SECONDS)
    if "require_crl" in fields.value:
        settings["require_crl"] = fields.boolean("require_crl")
    return NitroTrust(**settings)


def _pcrs(fields: Fields, *, zeros: bool) -> dict[int, frozenset[bytes]]:
    out = {}
    for key in fields.value:
        if not (key.isascii() and key.isdigit() and len(key) <= 2 and int(key) < 32 and str(int(key)) == key):
            raise MalformedError(fields.code, f"{fields.path}.{key[:20]}: PCR index 0 to 31 expected")
        values = frozenset(fields.list(key, lambda value, path: _digest(value, path, fields.code), limit=MAX_LIST))
        if not values:
            raise MalformedError(fields.code, f"{fields.path}.{key}: at least one allowed value expected")
        if int(key) < 3 and bytes(48) in values and not zeros:
            raise MalformedError(fields.code, f"{fields.path}.{key}: zero is what debug enclaves have")
        out[int(key)] = values
    return out


def _digest(value: Any, path: str, code: str) -> bytes:
    if not isinstance(value, str) or not _SHA384.match(value):
        raise MalformedError(code, f"{path}: expected 48 bytes in lower-case hex")
    return bytes.fromhex(value)
