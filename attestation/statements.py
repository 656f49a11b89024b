# SPDX-License-Identifier: AGPL-3.0-or-later
"""What evidence states, and whose clocks, by which a replay and a clock that went backwards are known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attestation.contract import Format, check_members
from attestation.errors import EvidenceError


def clock_keys(format_: Format, members: Mapping[str, bytes]) -> frozenset[bytes]:
    """Whose clocks the evidence states, before anything of it is believed; none where it cannot be read."""
    if format_.clock_keys is None:
        return frozenset()
    try:
        check_members(f"evidence.{format_.name}", members, format_.members)
        return format_.clock_keys(members)
    except EvidenceError:
        return frozenset()


def signed_body(format_: Format, members: Mapping[str, bytes]) -> bytes:
    """SHA-256 (32 bytes) of what the evidence's own signature covers, under its type: by it a replay is known.

    A format without `signed` counts by all of its members, so that another encoding of the same statement is another
    body.
    """
    if format_.signed is not None:
        parts = [format_.signed(members)]
    else:
        parts = [part for name in sorted(members) for part in (name.encode("utf-8"), members[name])]
    digest = hashlib.sha256(f"affidavit/signed-body@v1\0{format_.type}\0".encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def signed_statements(format_: Format, members: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """What each signature in the evidence covers; of a format without signatures `signed_body`, as the only one."""
    if format_.statements is not None:
        return format_.statements(members)
    return (signed_body(format_, members) if format_.signed is None else format_.signed(members),)


def statement_digests(format_: Format, members: Mapping[str, bytes]) -> frozenset[bytes]:
    """SHA-256 (32 bytes) of each of `signed_statements`, the same in whatever type of evidence it stands."""
    label = b"affidavit/signed-statement@v1\0"
    return frozenset(hashlib.sha256(label + part).digest() for part in signed_statements(format_, members))
