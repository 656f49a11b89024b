# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates made to take long, or to break whoever prints them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from attestation.errors import MalformedError, UnsupportedError
from attestation.pki.certificate import load_certificate
from attestation.pki.path import Anchors, validate
from attestation.pki.reordered import reorder
from attestation.pki.revocation import is_signed, load_crl
from tests.attestation.small_pki import Identity, issue, revocation_list

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = issue("root", AT, ca=True)
SLOW = {
    "bits": rsa.RSAPublicNumbers((1 << 63) | 1, (1 << 16383) | 1),
    "exponent": rsa.RSAPublicNumbers((1 << 3070) | 1, (1 << 3071) | 1),
}


def slow(kind: str, name: str = "middle", issuer: Identity = ROOT) -> x509.Certificate:
    """A CA's certificate for a key with which a verification takes 10 ms and more."""
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(SLOW[kind].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(AT - timedelta(days=1))
        .not_valid_after(AT + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer.key, hashes.SHA384())
    )


@pytest.mark.parametrize("kind", sorted(SLOW))
def test_slow_keys_verify_nothing(kind):
    middle, leaf = slow(kind), issue("leaf", AT, issue("middle", AT, ca=True))
    with pytest.raises(UnsupportedError) as caught:
        validate(leaf.certificate, (middle,), Anchors((ROOT.certificate,), 0), AT, "evidence.x")
    assert caught.value.code == "evidence.x-chain-unsupported"
    crl = load_crl(revocation_list(issue("middle", AT, ca=True), AT), "evidence.x")
    assert not is_signed(crl, middle)


def test_serial_numbers_that_cannot_be_printed():
    der = ROOT.der
    serial = ROOT.certificate.serial_number
    old = serial.to_bytes((serial.bit_length() + 8) // 8, "big")
    old = b"\x02" + bytes((len(old),)) + old
    new = b"\x02\x82\x0b\xb8" + b"\x01" + bytes(2999)
    tbs = ROOT.certificate.tbs_certificate_bytes
    inner = tbs[4 if tbs[1] == 0x82 else 3 :].replace(old, new, 1)
    rest = der[der.index(tbs) + len(tbs) :]
    long_tbs = b"\x30\x82" + len(inner).to_bytes(2, "big") + inner
    whole = b"\x30\x82" + (len(long_tbs) + len(rest)).to_bytes(2, "big") + long_tbs + rest
    with pytest.raises(MalformedError) as caught:
        load_certificate(whole, "evidence.x")
    assert "serial number" in caught.value.message


def test_key_that_reaches_to_the_end_of_the_file():
    """What stands behind TBSCertificate is taken for the key where TBSCertificate ends with the subject."""
    tbs = element(0xA0, b"") + element(0x02, b"\x01") + 4 * element(0x30, b"")
    data = element(0x30, element(0x30, tbs) + element(0x30, b"\0" * 80))
    assert reorder(data) is None
    with pytest.raises(UnsupportedError) as caught:
        load_certificate(data, "evidence.fuzzed", reordering=True)
    assert caught.value.code == "evidence.fuzzed-unsupported"


def element(tag: int, content: bytes) -> bytes:
    """DER of up to 127 bytes of content."""
    return bytes([tag, len(content)]) + content
