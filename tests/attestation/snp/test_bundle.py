# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates around a report: the member's one encoding, and the forms from which it is made."""

from __future__ import annotations

from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation import snp
from attestation.errors import MalformedError
from attestation.snp.bundle import MAX_ENTRIES, TABLE_GUIDS, arrange, load_bundle
from attestation.snp.raw import split
from tests.attestation.snp.paper import ark, ask, der, judge, report, vek

GUIDS = {name: UUID(text).bytes for text, name in TABLE_GUIDS.items()}
VEK = vek()
CHAIN = der(VEK, ask(), ark())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def table(*entries: tuple[bytes, bytes], end: bytes = bytes(24)) -> bytes:
    """A certificate table as a host fills it, padded to a page."""
    head, body = b"", b""
    start = len(entries) * 24 + len(end)
    for guid, data in entries:
        head += guid + (start + len(body)).to_bytes(4, "little") + len(data).to_bytes(4, "little")
        body += data
    whole = head + end + body
    return whole.ljust(-(-len(whole) // 4096) * 4096, b"\0")


def test_forms_of_the_same_certificates():
    in_table = table(
        (GUIDS["ARK"], der(ark())), (GUIDS["VCEK"], der(VEK)), (b"?" * 16, b"what"), (GUIDS["ASK"], der(ask()))
    )
    for form in (pem(ark(), ask(), VEK), pem(VEK, VEK, ask(), ark()), der(ask(), ark(), VEK), CHAIN, in_table):
        assert arrange(form) == CHAIN
    assert arrange(b"") == b"" == arrange(bytes(4096)) == arrange(bytes(24))
    assert [c.subject for c in load_bundle(CHAIN)] == [c.subject for c in (VEK, ask(), ark())]
    assert judge(report(), VEK, ask(), ark()).passed


def test_extended_reports():
    data = report()
    page = table((GUIDS["VCEK"], der(VEK)))
    expected = {"report": data, "certificates": der(VEK)}
    assert snp.read(data + page) == expected == split(data, page)
    assert snp.read(data + bytes(4096)) == {"report": data} == split(data)
    for size in (1, 16, 24, 64, 4095, 4097):
        with pytest.raises(MalformedError) as caught:
            snp.read(data + bytes(size))
        assert caught.value.code == "evidence.snp.raw-malformed"


def test_certificates_in_a_table_may_be_pem():
    in_table = table((GUIDS["ARK"], pem(ark())), (GUIDS["ASK"], pem(ask())), (GUIDS["VCEK"], pem(VEK)))
    assert arrange(in_table) == CHAIN
    for changed in (
        in_table.replace(GUIDS["ARK"], b"?" * 16),
        in_table.replace(b"-----BEGIN", b"-----BEGIM", 1),
        in_table.replace(b"-----END", b"----=END", 1),
        in_table.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\v", 1),
        table((GUIDS["ARK"], b"what"), (GUIDS["VCEK"], der(VEK))),
    ):
        with pytest.raises(MalformedError) as caught:
            arrange(changed)
        assert caught.value.code == "evidence.snp.certificates-malformed"


def test_what_is_no_table_behind_a_report_is_not_passed_over():
    """Neither another report, whose first fields look like an empty entry, nor anything beside a table's contents."""
    page = table((GUIDS["VCEK"], der(VEK)))
    inside = (24).to_bytes(4, "little") + (24).to_bytes(4, "little")
    for rest in (report(), bytes(24) + b"x", page[:-1] + b"x", page + report(), GUIDS["ASK"] + inside + bytes(24)):
        with pytest.raises(MalformedError) as caught:
            snp.read(report() + rest)
        assert caught.value.code == "evidence.snp.certificates-malformed"


# Thirty entries of none over the same bytes: each would be looked through for a certificate.
OVERLAPPING = b"".join(bytes([n] * 16) + (768).to_bytes(4, "little") + (99).to_bytes(4, "little") for n in range(1, 31))
OVERLAPPING = OVERLAPPING.ljust(768, b"\0") + b"A" * 99


@pytest.mark.parametrize(
    "data",
    [
        b"\1" * 24,
        b"\1" * 20,
        b"\1" * 24 * (MAX_ENTRIES + 2),
        table((GUIDS["VCEK"], der(VEK)), (GUIDS["VCEK"], der(VEK))),
        GUIDS["VCEK"] + (48).to_bytes(4, "little") + (len(der(VEK)) + 1).to_bytes(4, "little") + bytes(24) + der(VEK),
        pem(VEK).replace(b"CERTIFICATE", b"PRIVATE KEY"),
        pem(VEK) + pem(ask()).replace(b"CERTIFICATE", b"X509 CRL"),
        GUIDS["VCEK"] + (25).to_bytes(4, "little") + (1 << 31).to_bytes(4, "little") + bytes(24),
        GUIDS["VCEK"] + (1 << 31).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(24),
        bytes(1 << 20) + b"\0",
        OVERLAPPING,
        pem(*(vek(number=number) for number in range(11, 16))),
    ],
)
def test_tables_that_are_none(data):
    with pytest.raises(MalformedError) as caught:
        arrange(data)
    assert caught.value.code == "evidence.snp.certificates-malformed"


@pytest.mark.parametrize(
    "data", [pem(VEK), der(ask(), VEK), der(VEK, VEK), der(ask()), CHAIN[:-1], CHAIN + b"\0", CHAIN * 2]
)
def test_bundles_that_are_none(data):
    with pytest.raises(MalformedError) as caught:
        load_bundle(data)
    assert caught.value.code == "evidence.snp.certificates-malformed"
