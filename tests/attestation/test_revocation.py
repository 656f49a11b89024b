# SPDX-License-Identifier: AGPL-3.0-or-later
"""Revocation lists: current, foreign, forged, expired, partial, missing; windows to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attestation.errors import MalformedError
from attestation.pki.revocation import MAX_CRL, check_revocation, issuer_name, load_crl

AT = datetime(2026, 6, 1, tzinfo=UTC)
PREFIX = "evidence.tpm2.ek"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
CA_KEY, LEAF_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, serial, issuer="CA", signer=CA_KEY):
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(AT - DAY)
        .not_valid_after(AT + DAY)
        .sign(signer, hashes.SHA256())
    )


CA = certificate("CA", CA_KEY, 1)
LEAF = certificate("leaf", LEAF_KEY, 77)


def crl(
    *revoked,
    issuer="CA",
    signer=CA_KEY,
    start=AT - DAY,
    end=AT + DAY,
    extension=None,
    algorithm=None,
):
    builder = x509.CertificateRevocationListBuilder().issuer_name(name(issuer)).last_update(start).next_update(end)
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(AT - DAY).build()
        builder = builder.add_revoked_certificate(entry)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(signer, algorithm or hashes.SHA256())


def judge(*crls, at=AT, demanded=True, leaf=LEAF):
    return check_revocation(leaf, CA, crls, at, check="evidence.x", prefix=PREFIX, demanded=demanded)


def test_a_current_list_that_does_not_name_it():
    check = judge(crl(5))
    assert (check.outcome, check.code) == ("PASS", "")


@pytest.mark.parametrize("window", [{}, {"start": AT - 9 * DAY, "end": AT - 8 * DAY}, {"start": AT + DAY}])
def test_revoked_whatever_the_lists_date(window):
    window = {"end": AT + 2 * DAY, **window}
    for lists in ((crl(77, **window),), (crl(5), crl(77, **window)), (crl(77, **window), crl(5))):
        assert judge(*lists).code == f"{PREFIX}-revoked"


PARTIAL = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        ((), "crl-missing"),
        ((crl(5, issuer="other CA"),), "crl-missing"),
        ((crl(5, signer=OTHER_KEY),), "crl-invalid"),
        ((crl(5, extension=PARTIAL),), "crl-invalid"),
        ((crl(5, end=AT - SECOND),), "crl-expired"),
        ((crl(5, start=AT + SECOND),), "crl-expired"),
    ],
)
def test_open_questions_are_no_pass(lists, code):
    for demanded in (True, False):
        check = judge(*lists, demanded=demanded)
        assert (check.outcome, check.code, check.demanded) == ("SKIP", f"{PREFIX}-{code}", demanded)


def test_a_forged_list_revokes_nothing_and_hinders_nothing():
    forged = crl(77, signer=OTHER_KEY)
    assert judge(forged).code == f"{PREFIX}-crl-invalid"
    assert judge(forged, crl(5)).outcome == "PASS"


@pytest.mark.parametrize(
    ("offset", "outcome"),
    [(-SECOND, "SKIP"), (0 * SECOND, "PASS"), (2 * DAY, "PASS"), (2 * DAY + SECOND, "SKIP")],
)
def test_window_edges(offset, outcome):
    assert judge(crl(5, start=AT, end=AT + 2 * DAY), at=AT + offset).outcome == outcome


def test_a_list_of_another_ca_of_the_same_name():
    stranger = certificate("CA", OTHER_KEY, 2, signer=OTHER_KEY)
    check = check_revocation(LEAF, stranger, (crl(5),), AT, check="evidence.x", prefix=PREFIX)
    assert check.code == f"{PREFIX}-crl-invalid"


def test_reading():
    data = crl(5).public_bytes(Encoding.DER)
    assert load_crl(data, PREFIX).get_revoked_certificate_by_serial_number(5) is not None
    for bad in (b"", data[:-1], data + b"\0", bytes(MAX_CRL + 1), CA.public_bytes(Encoding.DER)):
        with pytest.raises(MalformedError) as caught:
            load_crl(bad, PREFIX)
        assert caught.value.code == f"{PREFIX}-crl-malformed"


def test_flipped_bits_never_pass():
    """Every bit, over several signatures: some end in a zero bit, where a count of unused bits could hide."""
    for _ in range(4):
        honest = crl(5).public_bytes(Encoding.DER)
        for position in range(len(honest) * 8):
            data = bytearray(honest)
            data[position // 8] ^= 1 << position % 8
            try:
                changed = load_crl(bytes(data), PREFIX)
            except MalformedError:
                continue
            assert judge(changed).outcome != "PASS", position


def test_a_list_whose_issuer_has_too_long_a_name():
    """The library warns of it at each look; it is a list of nobody's here."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(name("list CA"))
    whole = builder.last_update(AT).next_update(AT + DAY).sign(CA_KEY, hashes.SHA256()).public_bytes(Encoding.DER)
    odd = whole.replace(bytes.fromhex("0603550403"), bytes.fromhex("0603550406"))  # a country of seven letters
    assert odd != whole
    crl = load_crl(odd, PREFIX)
    assert issuer_name(crl).get_attributes_for_oid(NameOID.COUNTRY_NAME)
    leaf, issuer = certificate("leaf", LEAF_KEY, 7), certificate("CA", CA_KEY, 1)
    assert check_revocation(leaf, issuer, [crl], AT, check=PREFIX, prefix=PREFIX).code == f"{PREFIX}-crl-missing"
