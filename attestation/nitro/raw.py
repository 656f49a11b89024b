# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attestation documents in the files in which others give them.

==========================  ===============================================================
the document itself         as the NSM emits it, or with the COSE_Sign1 tag (18) before it
the NSM's response          `{"Attestation": {"document": h'...'}}` in CBOR
dstack's envelope           SCALE: version 0, quote kind 2, length, document, then its own data
JSON                        an object with the document in base64 or hex under one of `KEYS`
this project's own form     `attestation.raw.members`
==========================  ===============================================================

Each binary form may stand in hex or base64.
"""

from __future__ import annotations

from typing import Any, NoReturn

from attestation import raw
from attestation.collateral.recognition import unarmoured
from attestation.errors import MalformedError
from attestation.nitro.appraisal import ID, TYPE
from attestation.nitro.cbor import read_bytes
from attestation.nitro.document import PREAMBLE
from attestation.wire import Reader

KEYS = ("attestation_document", "attestationDocument", "attestation_doc", "attestation", "document", "quote")

_TAG = b"\xd2"
_RESPONSE = b"\xa1\x6bAttestation\xa1\x68document"
_DSTACK = b"\x00\x02"


def read(data: bytes) -> dict[str, bytes]:
    """The member of one file. Raises `MalformedError` with `evidence.nitro.raw-*`."""
    found = raw.document(data, ID)
    if found is None:
        return {"document": _document(raw.binary(data, ID))}
    parts = raw.members(data, TYPE, ID)
    return parts if parts is not None else {"document": _document(_from_json(found))}


def _from_json(found: Any) -> bytes:
    texts = [found[key] for key in KEYS if isinstance(found.get(key), str)] if isinstance(found, dict) else []
    if len(texts) != 1:
        _refuse(f"JSON without exactly one text under {', '.join(KEYS)}")
    return unarmoured(texts[0].encode("utf-8", "surrogatepass"))


def _document(data: bytes) -> bytes:
    if data.startswith(_TAG + PREAMBLE[:1]):
        return data[1:]
    if data.startswith(_RESPONSE):
        reader = Reader(data[len(_RESPONSE) :], f"{ID}.raw")
        document = read_bytes(reader, "document")
        reader.done()
        return _document(document)
    if data.startswith(_DSTACK):
        return _from_dstack(data[len(_DSTACK) :])
    if not data.startswith(PREAMBLE[:1]):
        _refuse("no attestation document in a form that is known")
    return data


def _from_dstack(data: bytes) -> bytes:
    """The document, then dstack's own data in exact form: events, 64 bytes of report data, its settings.

    Events have a name and a payload. Nothing but the document is believed; the rest is read so that no bytes can
    hide behind it.
    """
    reader = Reader(data, f"{ID}.raw", "little")
    document = _counted(reader, "document")
    for _ in range(_compact(reader, "number of events")):
        _counted(reader, "an event's name")
        _counted(reader, "an event's payload")
    reader.take(64, "report data")
    _counted(reader, "settings")
    reader.done()
    return document


def _compact(reader: Reader, what: str) -> int:
    """A SCALE compact integer in its one-, two- or four-byte mode, shortest form."""
    mode = reader.integer(1, what)
    size = {0: 0, 1: 1, 2: 3}.get(mode & 3)
    if size is None:
        reader.fail(f"{what} beyond 30 bits")
    value = (mode | int.from_bytes(reader.take(size, what), "little") << 8) >> 2
    if size and value < {1: 1 << 6, 3: 1 << 14}[size]:
        reader.fail(f"{what} is not in its shortest form")
    return value


def _counted(reader: Reader, what: str) -> bytes:
    return reader.take(_compact(reader, f"length of {what}"), what)


def _refuse(message: str) -> NoReturn:
    raise MalformedError(f"{ID}.raw-malformed", message)
