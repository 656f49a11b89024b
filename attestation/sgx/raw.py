# SPDX-License-Identifier: AGPL-3.0-or-later
"""SGX evidence as files: the quote in binary, hex or base64, or under one of the names that it has in JSON."""

from __future__ import annotations

from attestation import raw
from attestation.intel.quote import SGX
from attestation.intel.raw import carrier, exact, text_bytes

TYPE = "sgx-quote@v1"
ID = "evidence.sgx"


def read(data: bytes) -> dict[str, bytes]:
    """Members of one file. Raises `MalformedError` (`evidence.sgx.raw-*`)."""
    members = raw.members(data, TYPE, ID)
    if members is not None:
        return members
    found = raw.document(data, ID)
    if found is None:
        return {"quote": exact(raw.binary(data, ID), SGX, ID)}
    _, quote = carrier(found if isinstance(found, dict) else {"": found}, SGX, ID)
    return {"quote": exact(text_bytes(quote, ID, "the quote"), SGX, ID)}
