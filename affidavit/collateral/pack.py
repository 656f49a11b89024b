# SPDX-License-Identifier: AGPL-3.0-or-later
"""`collateral-pack@v1`: collateral for machines without network, in one file with one encoding and a date.

::

    the zip of affidavit@v1, section 1 (any unzip opens it; the same pieces give the same bytes)
      manifest.json         {"as_of": "2026-06-01T12:00:00Z", "expires": "2026-06-30T00:00:00Z" or null,
                             "format": "collateral-pack@v1", "items": {"<SHA-256>": {"expires": .., "size": ..}}}
      blobs/sha256/<SHA-256>

`as_of` is when the oldest of its pieces was fetched: what was revoked or published later is not in it. `expires` is
the earliest end of a piece. Neither is signed, nor is the pack: its pieces are judged one by one, as always.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from affidavit.collateral.lifetime import earliest, expires
from attestation.collateral import Collateral, recognise, sort_collateral
from attestation.collateral.bag import MAX_ITEM, MAX_ITEMS
from attestation.errors import MalformedError as MalformedCollateral
from verifier import strict_json
from verifier.container import read_container, write_container
from verifier.errors import MalformedError, UnsupportedError

FORMAT = "collateral-pack@v1"
MAX_PACK = 96 << 20
MANIFEST, BLOBS = "manifest.json", "blobs/sha256/"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")


@dataclass(frozen=True)
class Pack:
    """A pack's content. `expires` None where no piece says."""

    files: Mapping[str, bytes]
    as_of: datetime
    expires: datetime | None

    @property
    def collateral(self) -> Collateral:
        """The bag. Raises `attestation.errors.MalformedError` with `evidence.collateral.*`."""
        return sort_collateral(self.files.values())


def is_pack(data: bytes) -> bool:
    """Whether a file could be a pack, by its first bytes."""
    return data[:4] == b"PK\x03\x04"


def make_pack(files: Iterable[bytes], as_of: datetime) -> tuple[bytes, Pack]:
    """The pack of these files, each once, as of a time (to the second).

    Raises:
        UnsupportedError: ``collateral.pack.empty``.
        attestation.errors.MalformedError: ``evidence.collateral.*``, beyond the limits of a bag.
    """
    distinct = {hashlib.sha256(data).hexdigest(): data for data in files if recognise(data)}
    if not distinct:
        raise UnsupportedError("collateral.pack.empty", "no collateral to pack", remedy="name folders that have some")
    pack = Pack(distinct, as_of.astimezone(UTC).replace(microsecond=0), earliest(map(expires, distinct.values())))
    pack.collateral  # noqa: B018 - its limits
    members = {MANIFEST: _manifest(pack)} | {BLOBS + digest: data for digest, data in distinct.items()}
    return write_container(members), pack


def read_pack(data: bytes) -> Pack:
    """A pack's content.

    Raises:
        MalformedError: ``collateral.pack.malformed`` for whatever `make_pack` would not have written.
    """
    try:
        members = read_container(data)
    except MalformedError as error:
        raise _malformed(error.message) from None
    files = {name.removeprefix(BLOBS): content for name, content in members.items() if name.startswith(BLOBS)}
    if len(files) != len(members) - 1 or MANIFEST not in members or not 1 <= len(files) <= MAX_ITEMS:
        raise _malformed("a manifest and pieces expected, nothing else")
    if any(len(content) > MAX_ITEM for content in files.values()):
        raise _malformed(f"a piece of more than {MAX_ITEM} bytes")
    if any(hashlib.sha256(content).hexdigest() != digest for digest, content in files.items()):
        raise _malformed("a piece that is not what its name says")
    try:
        if not all(recognise(content) for content in files.values()):
            raise _malformed("a piece without content")
        pack = Pack(files, _as_of(members[MANIFEST]), earliest(map(expires, files.values())))
        pack.collateral  # noqa: B018 - its limits
    except MalformedCollateral as error:
        raise _malformed(error.message) from None
    if _manifest(pack) != members[MANIFEST]:
        raise _malformed("the manifest is not the one of these pieces")
    return pack


def _as_of(manifest: bytes) -> datetime:
    value: Any = strict_json.loads(manifest, code="collateral.pack.malformed", what="manifest")
    text = value.get("as_of") if isinstance(value, dict) else None
    try:
        if not isinstance(text, str) or not _TIME.match(text):
            raise ValueError
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _malformed("a manifest without as_of") from None


def _manifest(pack: Pack) -> bytes:
    items = {
        digest: {"size": len(data), "expires": _text(expires(data))} for digest, data in sorted(pack.files.items())
    }
    return strict_json.dumps(
        {"format": FORMAT, "as_of": _text(pack.as_of), "expires": _text(pack.expires), "items": items}
    )


def _text(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _malformed(message: str) -> MalformedError:
    return MalformedError("collateral.pack.malformed", message, remedy="make it with: affidavit collateral bundle")
