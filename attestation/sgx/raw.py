# SPDX-License-Identifier: AGPL-3.0-or-later
"""SGX evidence as files: the quote in binary, hex or base64, or in JSON as `quote`."""

from __future__ import annotations

from attestation import raw
from attestation.errors import MalformedError
from attestation.intel.quote import SGX
from attestation.intel.raw import exact, text_bytes

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
    if not isinstance(found, dict) or "quote" not in found:
        raise MalformedError(f"{ID}.raw-malformed", "JSON without `quote` is no SGX evidence")
    return {"quote": exact(text_bytes(found["quote"], ID, "the quote"), SGX, ID)}
