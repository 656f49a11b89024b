# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificate chains with one thing wrong, and the answers to questions that are not demanded."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, x25519

from attestation import azure_snp, snp
from attestation.errors import MalformedError, UnsupportedError
from attestation.snp.endorsement import MAX_COLLATERAL_CRLS
from attestation.snp.report import parse_report
from tests.attestation.azure import paper as azure
from tests.attestation.paper import key_pair
from tests.attestation.snp import paper
from tests.attestation.snp.paper import AT, DAY, END, START, ark, crl, crls, der, judge, name_of, report, rsa_key, vek
from tests.attestation.snp.real import codes

PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
CA = x509.BasicConstraints(ca=True, path_length=0)


def certificate(
    subject: str,
    issuer: str,
    *extensions: tuple[Any, bool],
    key: Any = None,
    digest: Any = None,
) -> x509.Certificate:
    """A certificate with these extensions (and whether each is critical), under `issuer`'s key."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key or rsa_key(subject).public_key())
        .serial_number(5)
        .not_valid_before(START)
        .not_valid_after(END)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if digest is not None:
        return builder.sign(rsa_key(issuer), digest)
    return builder.sign(rsa_key(issuer), hashes.SHA384(), rsa_padding=PSS)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.3704.9"), b"\5\0")
WEAK = key_pair("rsa-1024").public_key()
ISSUERS = {
    "chain-critical-extension": certificate("SEV-Milan", "ARK-Milan", (CA, True), (UNKNOWN, True)),
    "chain-not-ca": certificate("SEV-Milan", "ARK-Milan"),
    "chain-signature-weak": certificate("SEV-Milan", "ARK-Milan", (CA, True), digest=hashes.SHA224()),
    "chain-unsupported": certificate(
        "SEV-Milan", "ARK-Milan", (CA, True), key=x25519.X25519PrivateKey.generate().public_key()
    ),
    "chain-key-weak": certificate("SEV-Milan", "ARK-Milan", (CA, True), key=WEAK),
}


@pytest.mark.parametrize("code", [code for code in ISSUERS if code != "chain-key-weak"])
def test_issuers(code):
    assert codes(judge(report(), vek(), ISSUERS[code])) == {f"evidence.snp.vek-{code}"}


def test_weak_keys():
    """A root of 1024 bits, listed by a careless policy, which signs an ASK."""
    weak = key_pair("rsa-1024")
    root = (
        x509.CertificateBuilder()
        .subject_name(name_of("ARK-Milan"))
        .issuer_name(name_of("ARK-Milan"))
        .public_key(weak.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(weak, hashes.SHA256())
    )
    ask = (
        x509.CertificateBuilder()
        .subject_name(name_of("SEV-Milan"))
        .issuer_name(name_of("ARK-Milan"))
        .public_key(rsa_key("SEV-Milan").public_key())
        .serial_number(2)
        .not_valid_before(START)
        .not_valid_after(END)
        .add_extension(CA, critical=True)
        .sign(weak, hashes.SHA256())
    )
    assert codes(judge(report(), vek(), ask, roots=(der(root),))) == {"evidence.snp.vek-chain-key-weak"}


def test_leaves():
    key = paper.chip_key().public_key()
    leaf = vek()
    amd = [(extension.value, False) for extension in leaf.extensions]
    as_ca = certificate("SEV-VCEK", "SEV-Milan", *amd, (CA, True), key=key)
    assert codes(judge(report(), as_ca)) == {"evidence.snp.vek-chain-leaf-is-ca"}
    critical = certificate("SEV-VCEK", "SEV-Milan", *amd, (UNKNOWN, True), key=key)
    assert codes(judge(report(), critical)) == {"evidence.snp.vek-chain-critical-extension"}


def test_anchors_that_cannot_be_read():
    settings: dict[str, Any] = {"roots": (b"no certificate",), "intermediates": (der(paper.ask()),)}
    assert codes(judge(report(), **settings)) == {"evidence.snp.vek-anchor-unsupported"}
    beside: dict[str, Any] = {"roots": (b"no certificate", der(ark()))}
    assert judge(report(), **beside).passed


def test_lists_of_the_issuer_are_not_demanded():
    for data, code in (
        (crl("SEV-Milan", signer="attacker"), "evidence.snp.vek-crl-invalid"),
        (crl("SEV-Milan", end=AT - DAY / 2, start=AT - DAY), "evidence.snp.vek-crl-expired"),
        (crl("SEV-Genoa"), "evidence.snp.vek-list-unpublished"),
    ):
        appraisal = judge(report(), collateral=crls(crl(), data), require_crl=True)
        assert appraisal.passed and code in {check.code for check in appraisal.checks}
    assert "evidence.snp.measurement-no-reference" in {check.code for check in judge(report()).checks}


def test_lists_of_others_do_not_push_out_the_roots():
    others = [crl(f"Somebody {number}", signer="attacker") for number in range(MAX_COLLATERAL_CRLS)]
    assert judge(report(), collateral=crls(*others, crl()), require_crl=True).passed


def test_certificates_that_cannot_be_read():
    data = der(vek())
    broken = data.replace(b"\x06\x05\x2b\x81\x04\x00\x22", b"\x06\x05\x2b\x81\x04\x00\xa2")  # secp384r1's identifier
    assert broken != data
    with pytest.raises(UnsupportedError) as caught:
        snp.appraise({"report": report(), "certificates": broken}, challenge=None, at=AT, trust=paper.trust())
    assert caught.value.code == "evidence.snp.certificates-unsupported"


def test_limits():
    with pytest.raises(MalformedError) as caught:
        parse_report(report() + b"\0")
    assert caught.value.code == "evidence.snp.report-trailing"
    for read, prefix in ((snp.read, "evidence.snp"), (azure_snp.read, "evidence.azure-snp")):
        for data, code in ((b"", "raw-empty"), (bytes((16 << 20) + 1), "raw-too-large")):
            with pytest.raises(MalformedError) as caught:
                read(data)
            assert caught.value.code == f"{prefix}.{code}"
    members: list[tuple[dict[str, Any], str]] = [
        ({"hcl_report": None}, "member-missing"),
        ({"hcl_report": b""}, "member-empty"),
        ({"hcl_report": bytes(9429)}, "member-too-large"),
        ({"report": b"x"}, "member-unknown"),
    ]
    for changes, code in members:
        with pytest.raises(MalformedError) as caught:
            azure.judge(azure.members(**changes))
        assert caught.value.code == f"evidence.azure-snp.{code}"
