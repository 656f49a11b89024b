# SPDX-License-Identifier: AGPL-3.0-or-later
"""A collection of evidence of one session: CMW (RFC 9999) with one challenge and a binding over all of its pieces.

::

    manifest  = SHA-256(u16 n || field*)                            field = u16 length || bytes, sorted by label
                over label_1, type_1, ..., label_n, type_n
    challenge of piece i = SHA-256("affidavit/cmw@v1" || 0x00 || session challenge (32) || manifest (32) || label_i)

The challenge of every piece depends on the session's challenge, on which pieces there are, and on its own label: a
piece of another session, a piece taken away, added, renamed or swapped leaves the others bound to something else.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from attestation import raw
from attestation.armour import decode_base64
from attestation.cbor import decode
from attestation.errors import MalformedError, UnsupportedError
from attestation.statements import clock_keys, signed_body, signed_statements

ID = "evidence.cmw"
TYPE = "cmw-collection@v1"
COLLECTION_TYPE = "tag:affidavit,2026:cmw-collection@v1"
COLLECTION_TAG = 1668547091
SESSION, SESSION_MEDIA = "session", "application/vnd.affidavit.challenge"
EVIDENCE_MEDIA = "application/vnd.affidavit.evidence"
EVIDENCE = 4
"""The indicator's bit for evidence (RFC 9999, section 3.1)."""

CHALLENGE_BYTES = 32
MAX_PIECES = 16
MAX_COLLECTION = 8 << 20
LABEL = b"affidavit/cmw@v1\x00"

_CODE = f"{ID}.collection-malformed"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_MEDIA = re.compile(rf'{re.escape(EVIDENCE_MEDIA)}; type="([a-z0-9][a-z0-9-]{{0,63}}@v[0-9]{{1,4}})"\Z')


@dataclass(frozen=True)
class Piece:
    """One piece: its `type` (`name@version`) and its native parts."""

    type: str
    members: Mapping[str, bytes]


@dataclass(frozen=True)
class Collection:
    """The session's challenge (32 bytes) and its pieces by label."""

    session: bytes
    pieces: Mapping[str, Piece]

    def challenge(self, label: str) -> bytes:
        """What the piece of this label has to be bound to, 32 bytes."""
        return piece_challenges(self.session, {name: piece.type for name, piece in self.pieces.items()})[label]


def piece_challenges(session: bytes, types: Mapping[str, str]) -> dict[str, bytes]:
    """The challenge for each piece, by label, from the session's and from the types of all pieces.

    Raises `MalformedError` for a session challenge that is not 32 bytes, or labels outside their grammar.
    """
    _check_shape(session, types)
    manifest = hashlib.sha256(struct.pack(">H", len(types)))
    for label in sorted(types):
        for field in (label.encode("ascii"), types[label].encode("utf-8")):
            manifest.update(struct.pack(">H", len(field)) + field)
    head = LABEL + session + manifest.digest()
    return {label: hashlib.sha256(head + label.encode("ascii")).digest() for label in types}


def encode(collection: Collection) -> bytes:
    """The one encoding as CBOR: deterministic, without tag."""
    _check_shape(collection.session, collection.pieces)
    records: dict[str, Any] = {"__cmwc_t": COLLECTION_TYPE, SESSION: [SESSION_MEDIA, collection.session, EVIDENCE]}
    for label, piece in collection.pieces.items():
        body = cbor2.dumps(dict(piece.members), canonical=True)
        records[label] = [f'{EVIDENCE_MEDIA}; type="{piece.type}"', body, EVIDENCE]
    return cbor2.dumps(records, canonical=True)


def parse(data: bytes) -> Collection:
    """Read what `encode` wrote, and nothing else.

    Raises `MalformedError` (`evidence.cmw.collection-malformed`), `UnsupportedError` (`.piece-unsupported`).
    """
    collection = _collection(decode(data, _CODE, "collection"), lambda kind, body: _members(body))
    if encode(collection) != data:
        raise _malformed("not in its one encoding")
    return collection


def read(data: bytes) -> dict[str, bytes]:
    """A collection as CBOR or JSON in any encoding, normalised; pieces may be in the raw forms of their formats.

    Raises `MalformedError` with `evidence.cmw.raw-*` and `.collection-malformed`, `UnsupportedError`.
    """
    own = raw.members(data, TYPE, ID)
    if own is not None:
        return own
    found = raw.document(data, ID)
    if found is None:
        found = decode(raw.binary(data, ID), _CODE, "collection", tags=frozenset({COLLECTION_TAG}))
        if isinstance(found, cbor2.CBORTag):
            found = found.value
    return {"collection": encode(_collection(found, _raw_members))}


def _raw_members(kind: str, body: bytes) -> dict[str, bytes]:
    from attestation.formats import FORMATS

    scheme = FORMATS.get(kind)
    if scheme is None or kind == TYPE:
        raise UnsupportedError(f"{ID}.piece-unsupported", f"a piece of type {kind[:64]!r}")
    try:
        return _members(body)
    except MalformedError:
        return scheme.read(body)


def signed_pieces(members: Mapping[str, bytes]) -> bytes:
    """What the pieces' own signatures cover, by label: 32 bytes each. Raises as `parse` and the formats do."""
    from attestation.formats import find_format

    pieces = parse(members["collection"]).pieces
    return b"".join(signed_body(find_format(pieces[label].type), pieces[label].members) for label in sorted(pieces))


def each_statement(members: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """What each signature in each piece covers. Raises as `signed_pieces` does."""
    from attestation.formats import find_format

    pieces = parse(members["collection"]).pieces
    found = [signed_statements(find_format(pieces[label].type), pieces[label].members) for label in sorted(pieces)]
    return tuple(part for parts in found for part in parts)


def clock_keys_of_pieces(members: Mapping[str, bytes]) -> frozenset[bytes]:
    """The attestation keys of the pieces whose TPMs' clocks they state, by SHA-256. Raises as `parse` does."""
    from attestation.formats import FORMATS

    pieces = parse(members["collection"]).pieces.values()
    known = [piece for piece in pieces if piece.type in FORMATS and piece.type != TYPE]
    return frozenset().union(*(clock_keys(FORMATS[piece.type], piece.members) for piece in known))


def _members(body: bytes) -> dict[str, bytes]:
    found = decode(body, _CODE, "piece")
    if not isinstance(found, dict) or not found:
        raise _malformed("a piece that is no map of members")
    for name, part in found.items():
        if not isinstance(name, str) or not isinstance(part, bytes):
            raise _malformed("a piece whose members are not byte strings by name")
    return dict(found)


def _collection(value: Any, members: Any) -> Collection:
    if not isinstance(value, Mapping):
        raise _malformed("not a collection")
    kind = value.get("__cmwc_t")
    if isinstance(kind, str) and kind != COLLECTION_TYPE:
        raise UnsupportedError(
            f"{ID}.collection-unsupported",
            f"a collection of type {kind[:80]!r}; {COLLECTION_TYPE} is the one whose pieces are bound to each other",
            remedy="appraise its pieces one by one, each under its own type",
        )
    if kind != COLLECTION_TYPE:
        raise _malformed(f"not a collection of type {COLLECTION_TYPE}")
    session, pieces = None, {}
    for label, record in value.items():
        if label == "__cmwc_t":
            continue
        kind, body = _record(label, record)
        if label == SESSION:
            if kind != SESSION_MEDIA:
                raise _malformed(f"the session's challenge is of type {kind[:80]!r}")
            session = body
            continue
        found = _MEDIA.match(kind)
        if found is None:
            raise UnsupportedError(f"{ID}.piece-unsupported", f"{label[:40]}: message of type {kind[:80]!r}")
        pieces[label] = Piece(found[1], members(found[1], body))
    if session is None:
        raise _malformed("no session challenge")
    _check_shape(session, pieces)
    return Collection(session, pieces)


def _record(label: object, record: object) -> tuple[str, bytes]:
    """Type and value of one record, `[type, value, indicator]`; a nested collection is not taken."""
    if not isinstance(label, str) or not _NAME.match(label):
        raise _malformed(f"a piece labelled {str(label)[:40]!r}")
    if not isinstance(record, list | tuple) or len(record) != 3:  # cbor2 gives tuples below a tag
        raise _malformed(f"{label[:40]}: a record [type, value, {EVIDENCE}] required")
    kind, body, indicator = record
    if isinstance(body, str):
        try:
            decoded = decode_base64(body)
        except ValueError:
            raise _malformed(f"{label[:40]}: a value that is not base64url") from None
        body = decoded
    if not isinstance(kind, str) or not isinstance(body, bytes):
        raise _malformed(f"{label[:40]}: a type as text and a value as bytes required")
    if type(indicator) is not int or indicator != EVIDENCE:
        raise UnsupportedError(
            f"{ID}.piece-unsupported", f"{label[:40]}: indicator {indicator!r}, evidence is {EVIDENCE}"
        )
    return kind, body


def _check_shape(session: bytes, labels: Mapping[str, object]) -> None:
    if len(session) != CHALLENGE_BYTES:
        raise _malformed(f"a session challenge of {len(session)} bytes; {CHALLENGE_BYTES} required")
    if not 1 <= len(labels) <= MAX_PIECES:
        raise _malformed(f"{len(labels)} pieces; 1 to {MAX_PIECES}")
    for label in labels:
        if not _NAME.match(label) or label == SESSION:
            raise _malformed(f"a piece labelled {label[:40]!r}")


def _malformed(message: str) -> MalformedError:
    return MalformedError(_CODE, message)
