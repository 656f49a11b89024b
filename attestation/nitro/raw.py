# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attestation documents in the files in which others give them.

==========================  ===============================================================
the document itself         as the NSM emits it, or with the COSE_Sign1 tag (18) before it
the NSM's response          `{"Attestation": {"document": h'...'}}` in CBOR
dstack's envelope           `attestation.dstack`
JSON                        an object with the document in base64 or hex under one of `KEYS`; where none is on top,
                            the one text under `NAMES`, on whatever level, that begins as a document does
this project's own form     `attestation.raw.members`
==========================  ===============================================================

Each binary form may stand in hex or base64.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from attestation import dstack, raw
from attestation.collateral.recognition import unarmoured
from attestation.errors import MalformedError
from attestation.nitro.appraisal import ID, TYPE
from attestation.nitro.cbor import read_bytes
from attestation.nitro.document import PREAMBLE
from attestation.wire import Reader

KEYS = ("attestation_document", "attestationDocument", "attestation_doc", "attestation", "document", "quote")
NAMES = frozenset({"attestationdocument", "attestationdoc", "attestation", "document", "report", "quote"})
"""As `attestation.raw.plain_name` has them."""

_TAG = b"\xd2"
_BEGINNING = re.compile(r"hEShATgi|0oREoQE4Ig|([dD]2)?8444[aA]1013822")
"""Of a document in base64 or hex, tagged or not."""
_RESPONSE = b"\xa1\x6bAttestation\xa1\x68document"


def read(data: bytes) -> dict[str, bytes]:
    """The member of one file. Raises `MalformedError` with `evidence.nitro.raw-*`."""
    found = raw.document(data, ID)
    if found is None:
        return {"document": _document(raw.binary(data, ID))}
    parts = raw.members(data, TYPE, ID)
    return parts if parts is not None else {"document": _document(_from_json(found))}


def _from_json(found: Any) -> bytes:
    texts = [found[key] for key in KEYS if isinstance(found.get(key), str)] if isinstance(found, dict) else []
    if not texts:
        texts = list(dict.fromkeys(text for _, text in raw.nested(found, NAMES, _begins)))
    if len(texts) != 1:
        _refuse(f"JSON with {len(texts) or 'no'} attestation documents; exactly one expected")
    return unarmoured(texts[0].encode("utf-8", "surrogatepass"))


def _begins(value: Any) -> bool:
    return isinstance(value, str) and bool(_BEGINNING.match(value))


def _document(data: bytes) -> bytes:
    if data.startswith(_TAG + PREAMBLE[:1]):
        return data[1:]
    if data.startswith(_RESPONSE):
        reader = Reader(data[len(_RESPONSE) :], f"{ID}.raw")
        document = read_bytes(reader, "document")
        reader.done()
        return _document(document)
    if dstack.is_envelope(data):
        return dstack.read_nitro(data, f"{ID}.raw")
    if not data.startswith(PREAMBLE[:1]):
        _refuse("no attestation document in a form that is known")
    return data


def _refuse(message: str) -> NoReturn:
    raise MalformedError(f"{ID}.raw-malformed", message)
