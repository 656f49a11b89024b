# SPDX-License-Identifier: AGPL-3.0-or-later
"""Azure evidence in the files in which verifiers pass it around.

=======================================  =============================================================
file                                     content
=======================================  =============================================================
HCL report                               as read from NV index 0x01400001, padded or not; hex, base64
Trustee evidence, versions 0, 1, 2       `tpm_quote` or `quote`, `hcl_report` or `report`, `vcek` or `td_quote`;
                                         lists of numbers (version 0), hex and base64url (later)
attestation-rs                           the same under `evidence`
=======================================  =============================================================

Trustee's quote has the bare RSASSA-SHA-256 signature and the values of the quoted PCRs in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attestation.armour import decode_base64, decode_hex
from attestation.azure.hcl import SIGNATURE, without_padding
from attestation.errors import EvidenceError, MalformedError
from attestation.raw import binary, document
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.pcrs import encode_pcrs
from attestation.tpm2.signature import Signature

MAX_OCTETS = 1 << 20


@dataclass(frozen=True, slots=True)
class AzureParts:
    """What one file held: the HCL report without padding; the quote as members of `tpm2-quote@v1`, or nothing.

    `extra` are the bytes of other parts by their name in the file: `vcek` (PEM or DER), `td_quote`.
    """

    hcl_report: bytes
    quote: Mapping[str, bytes]
    extra: Mapping[str, bytes]


def read_azure(data: bytes, prefix: str) -> AzureParts | None:
    """The parts in one file, or None where it is none of these.

    Raises `MalformedError` with `<prefix>.raw-malformed`, `.raw-empty` or `.raw-too-large`.
    """
    found = document(data, prefix)
    if found is None:
        payload = binary(data, prefix)
        return AzureParts(without_padding(payload), {}, {}) if payload[:4] == SIGNATURE else None
    if isinstance(found, dict) and isinstance(found.get("evidence"), dict):
        found = found["evidence"]
    if not isinstance(found, dict):
        return None
    report, quote = found.get("hcl_report", found.get("report")), found.get("tpm_quote", found.get("quote"))
    if report is None or not isinstance(quote, dict):
        return None
    try:
        return AzureParts(
            without_padding(_octets(report)),
            _quote(quote),
            {name: _octets(found[name]) for name in ("vcek", "td_quote") if found.get(name) is not None},
        )
    except (ValueError, EvidenceError) as error:
        raise MalformedError(f"{prefix}.raw-malformed", f"Azure evidence: {str(error)[:160]}") from None


def _quote(quote: Mapping[str, Any]) -> dict[str, bytes]:
    message, value = _hex_octets(quote.get("message")), _hex_octets(quote.get("signature"))
    info = parse_attest(message).quote
    values = quote.get("pcrs")
    if info is None or not isinstance(values, list):
        raise ValueError("the quote is no quote, or its PCRs are no list")
    selected = info.selected()
    if len(selected) != len(values):
        raise ValueError(f"{len(values)} PCRs given, {len(selected)} quoted")
    listing = encode_pcrs({key: _hex_octets(text) for key, text in zip(selected, values, strict=True)})
    return {"attest": message, "signature": Signature(alg.RSASSA, "sha256", value=value).encode(), "pcrs": listing}


def _hex_octets(value: Any) -> bytes:
    return decode_hex(value) if isinstance(value, str) else _octets(value)


def _octets(value: Any) -> bytes:
    """Bytes of a list of numbers, of PEM text (as it is), or of base64 in either alphabet."""
    if isinstance(value, list):
        if len(value) > MAX_OCTETS or not all(type(octet) is int for octet in value):
            raise ValueError("not a list of octets")
        return bytes(value)
    if not isinstance(value, str):
        raise ValueError(f"octets expected, not {type(value).__name__}")
    if value.startswith("-----BEGIN "):
        return value.encode("ascii")
    return decode_base64(value)
