# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPM evidence as files: this project's JSON of members, and the forms in which others write it.

==========================  ======================================================
form                        read by
==========================  ======================================================
`{"type", "members"}`       `attestation.raw`, `dumps.from_tools`
TPMS_ATTEST, TPM2B_ATTEST  here; the other files of the quote lie among the collateral: `pieces`
go-tpm-tools attestation    `gotpm`: protobuf, its text format, its JSON
Trustee, go-attestation     `dumps`: JSON
Keylime                     `keylime`: JSON
==========================  ======================================================

Binary may be in hex or base64. What a file leaves out (CA certificates, CRLs, logs) is taken from collateral.
"""

from __future__ import annotations

import re

from attestation import raw
from attestation.errors import EvidenceError, MalformedError
from attestation.tpm2 import gotpm
from attestation.tpm2.attest import TPM_GENERATED
from attestation.tpm2.dumps import (
    from_tools,
    read_anolis,
    read_go_attestation,
    read_platform_parameters,
    read_trustee,
)
from attestation.tpm2.keylime import is_keylime, read_keylime

TYPE = "tpm2-quote@v1"
ID = "evidence.tpm2"
_MAGIC = TPM_GENERATED.to_bytes(4, "big")
_TEXT = re.compile(rb"(?:\s|#[^\n]*\n)*[a-z_]+\s*(?::|\{|<)")


def read(data: bytes) -> dict[str, bytes]:
    """Members of one file.

    Raises `MalformedError` with `evidence.tpm2.raw-malformed`, `.raw-empty` or `.raw-too-large`.
    """
    try:
        found = _read(data)
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedError(f"{ID}.raw-malformed", f"TPM evidence: {str(error)[:160]}") from None
    except EvidenceError as error:
        if error.code.startswith(f"{ID}.raw-"):
            raise
        raise MalformedError(f"{ID}.raw-malformed", f"TPM evidence: {error.message[:160]}") from None
    if found is None:
        raise MalformedError(f"{ID}.raw-malformed", "not TPM evidence in a form that is known")
    return found


def bare_attest(data: bytes) -> bytes:
    """TPMS_ATTEST as `tpm2_quote -m` writes it, some tools with its TPM2B length before it; empty for anything else."""
    sized = data[2:6] == _MAGIC and int.from_bytes(data[:2], "big") == len(data) - 2
    return data[2:] if sized else data if data[:4] == _MAGIC else b""


def _read(data: bytes) -> dict[str, bytes] | None:
    payload = raw.binary(data, ID)
    if attest := bare_attest(payload):
        return {"attest": attest}
    if payload[:1] == b"\n":  # field 1 of a message; white space in front of anything else
        try:
            return gotpm.read_wire(payload)
        except ValueError:
            pass
    members = raw.members(data, TYPE, ID)
    if members is not None:
        return from_tools(members)
    found = raw.document(data, ID)
    if isinstance(found, list):
        return None
    if found is not None:
        if "tpm_quote" in found and "ak_public" in found:
            return read_trustee(found)
        if "AK" in found and "Quote" in found:
            return read_go_attestation(found)
        if "Quotes" in found and "PCRs" in found and "Public" in found:
            return read_platform_parameters(found)
        if "ak_pubkey" in found and isinstance(found.get("quote"), dict):
            return read_anolis(found)
        if is_keylime(found):
            return read_keylime(found)
        return gotpm.read_json(found) if "quotes" in found else None
    return gotpm.read_text(payload.decode("utf-8")) if _TEXT.match(payload) else gotpm.read_wire(payload)
