# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPM evidence as files: the JSON form of its members."""

from __future__ import annotations

from attestation import raw
from attestation.errors import MalformedError

TYPE = "tpm2-quote@v1"
ID = "evidence.tpm2"


def read(data: bytes) -> dict[str, bytes]:
    """Members of one file. Raises `MalformedError` with `evidence.tpm2.raw-malformed` for anything else."""
    members = raw.members(data, TYPE, ID)
    if members is None:
        raise MalformedError(f"{ID}.raw-malformed", "not TPM evidence in a form that is known")
    return members
