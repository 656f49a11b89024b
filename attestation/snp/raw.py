# SPDX-License-Identifier: AGPL-3.0-or-later
"""SEV-SNP evidence in the files in which its sources give it.

=====================================  ===============================================================
file                                   content
=====================================  ===============================================================
report                                 1184 bytes; in hex or base64
extended report                        a report, and a certificate table behind it
dstack's envelope                      `attestation.dstack`; also as hex under `attestation`
JSON of this project                   `{"type": "snp-report@v1", "members": {...}}`
JSON with a report in it               `report`, `attestation_report`, `snp_report` or `quote`, in hex, base64 or as
                                       fields (`fields`); beside it certificates, under one of `_CERTIFICATES`: a text,
                                       or a list or object of texts; possibly all under `evidence` (attestation-rs)
a report as fields                     JSON, by itself (`fields`)
Azure Attestation's request            `report`: base64 of JSON with `SnpReport` and `VcekCertChain`
other JSON                             the one report under such a name, on whatever level
TSM report, in JSON or CBOR            `outblob`, and `auxblob` as above
=====================================  ===============================================================
"""

from __future__ import annotations

from typing import Any

from attestation import dstack, raw
from attestation.collateral.recognition import unarmoured
from attestation.errors import EvidenceError, MalformedError
from attestation.pki.certificate import load_certificate
from attestation.snp.bundle import arrange
from attestation.snp.fields import assemble, is_report
from attestation.snp.report import REPORT_SIZE
from attestation.snp.vek import common_name

TYPE = "snp-report@v1"
ID = "evidence.snp"
PAGE = 4096
"""A host without certificates leaves the pages for its table as they are: zero."""
_REPORTS = ("report", "attestation_report", "snp_report", "SnpReport", "quote", "outblob")
_NAMES = frozenset(map(raw.plain_name, _REPORTS))
_CERTIFICATES = (
    *("certificates", "cert_chain", "vcek", "vlek", "auxblob", "vcek_cert", "vlek_cert"),
    *("VcekCertChain", "vcekCert", "certificateChain"),
)
_TEXT_SIZES = (2 * REPORT_SIZE, 1579, 1580)
"""Characters of a report in hex, and in base64 without and with its padding."""
_ENTRIES = {"VCEK": "SEV-VCEK", "VLEK": "SEV-VLEK", "ASK": "SEV-", "ARK": "ARK-"}
"""Kinds of the library `sev`, and how the names of their subjects begin."""


def read(data: bytes) -> dict[str, bytes]:
    """Members of one file. Raises `MalformedError` with `evidence.snp.raw-malformed`, `-empty` or `-too-large`.

    Certificates are put into the form of the member (`bundle.arrange`).
    """
    members = raw.members(data, TYPE, ID)
    if members is not None:
        return members
    found = raw.document(data, ID)
    if found is None:
        found = raw.tsm_report(data, ID)
    if found is None:
        return _from_binary(raw.binary(data, ID))
    while isinstance(found, dict) and isinstance(found.get("evidence"), dict):
        found = found["evidence"]
    if isinstance(found, dict):
        raw.check_tsm_report(found, ID)
    try:
        if isinstance(found, dict) and set(found) == {"attestation"}:
            return _from_binary(_octets(found["attestation"]))
        return _from_document(found if isinstance(found, dict) else {"": found})
    except (ValueError, EvidenceError) as error:
        raise MalformedError(f"{ID}.raw-malformed", f"not SEV-SNP evidence: {str(error)[:160]}") from None


def _from_binary(data: bytes) -> dict[str, bytes]:
    if not dstack.is_envelope(data):
        return split(data)
    found = dstack.read_snp(data, f"{ID}.raw")
    if len(found.report) != REPORT_SIZE:
        raise MalformedError(f"{ID}.raw-malformed", f"{len(found.report)} bytes; a report has {REPORT_SIZE}")
    try:
        certificates = arrange(b"".join(arrange(each) for each in found.certificates))
    except (ValueError, EvidenceError) as error:
        raise MalformedError(f"{ID}.raw-malformed", f"dstack's certificates: {str(error)[:160]}") from None
    return {"report": found.report, **({"certificates": certificates} if certificates else {})}


def split(data: bytes, table: bytes = b"") -> dict[str, bytes]:
    """Members of a binary report, with the certificate table that came with it or stands behind it.

    Raises `MalformedError` with `evidence.snp.raw-malformed`, or as `arrange` does.
    """
    if len(data) < REPORT_SIZE:
        raise MalformedError(f"{ID}.raw-malformed", f"{len(data)} bytes; a report has {REPORT_SIZE}")
    report, behind = data[:REPORT_SIZE], data[REPORT_SIZE:]
    if behind and not any(behind) and len(behind) % PAGE:
        raise MalformedError(f"{ID}.raw-malformed", f"{len(behind)} zeros behind a report; a table has whole pages")
    rest = behind or table
    certificates = arrange(rest) if rest else b""
    return {"report": report, **({"certificates": certificates} if certificates else {})}


def _from_document(found: dict[str, Any]) -> dict[str, bytes]:
    if is_report(found):
        return {"report": assemble(found)}
    report = next((found[name] for name in _REPORTS if isinstance(found.get(name), str | bytes | list | dict)), None)
    if report is None:
        found, report = _nested(found)
    elif isinstance(report, str) and isinstance(inner := raw.document(report.encode("ascii"), ID), dict):
        return _from_document(inner)
    members = {"report": assemble(report)} if isinstance(report, dict) else split(_octets(report))
    pieces = [piece for name in _CERTIFICATES for piece in _pieces(found.get(name))]
    arranged = arrange(b"".join(arrange(piece) for piece in pieces))
    return {**members, "certificates": arranged} if arranged else members


def _nested(found: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The object that holds the one report, on whatever level, and the report."""
    held = raw.nested(found, _NAMES, _resembles)
    if not held or any(value != held[0][1] for _, value in held):
        raise ValueError(f"{len(held) or 'no'} reports in it; exactly one expected")
    return held[0]


def _resembles(value: Any) -> bool:
    """A report as fields, or a text of 1184 octets that begins as a report does, signature algorithm included."""
    if not isinstance(value, str):
        return is_report(value)
    if len(value.removeprefix("0x")) not in _TEXT_SIZES or not value.isascii():
        return False
    data = unarmoured(value.encode("ascii"))
    return len(data) == REPORT_SIZE and data[1:4] == bytes(3) and data[0x34:0x38] == b"\1\0\0\0"


def _pieces(value: Any) -> list[bytes]:
    """Files in a text, a list of octets, or a list or object of those."""
    if isinstance(value, dict) and "data" in value:
        return _entry(value)
    if isinstance(value, dict):
        return [piece for inner in value.values() for piece in _pieces(inner)]
    if isinstance(value, list) and not all(type(octet) is int for octet in value):
        return [piece for inner in value for piece in _pieces(inner)]
    return [_octets(value)] if value else []


def _entry(value: dict[str, Any]) -> list[bytes]:
    """The certificate in `{"cert_type": "VCEK", "data": ...}`, which must be one of that kind.

    Revocation lists and whatever has a GUID of its own (`{"OTHER": ...}`) are left out.
    """
    kind = value.get("cert_type")
    if kind == "CRL" or (isinstance(kind, dict) and kind.keys() == {"OTHER"}):
        return []
    if value.keys() != {"cert_type", "data"} or not isinstance(kind, str) or kind not in _ENTRIES:
        raise ValueError("an entry of no kind of certificate")
    certificate = arrange(_octets(value["data"]))
    if not common_name(load_certificate(certificate, f"{ID}.certificates").subject).startswith(_ENTRIES[kind]):
        raise ValueError(f"a certificate that is no {kind}")
    return [certificate]


def _octets(value: Any) -> bytes:
    """Bytes of PEM text, of hex or base64 in either alphabet, or of a list of numbers."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        if not all(type(octet) is int for octet in value):
            raise ValueError("a list that is not of octets alone")
        return bytes(value)
    if not isinstance(value, str):
        raise ValueError(f"octets expected, not {type(value).__name__}")
    text = value.encode("ascii")
    return text if text.lstrip().startswith(b"-----BEGIN") else unarmoured(text)
