# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificate reading and path validation: real vendor CAs, windows, lengths, weak algorithms."""

from __future__ import annotations

import base64
import contextlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import EvidenceError, MalformedError, RejectedError, UnsupportedError
from attestation.pki.certificate import load_certificate as strictly
from attestation.pki.path import Anchors, _check_link, issued, validate
from attestation.pki.reordered import Reordered
from attestation.tpm2 import Tpm2Trust
from attestation.tpm2.authority import usage
from attestation.tpm2.binding import AkBinding, parse_binding
from attestation.tpm2.certificates import load_certificate, load_chain
from attestation.tpm2.ek import check_ek_certificate, describe_tpm
from attestation.tpm2.vendors import PINNED_EK_ROOTS
from tests.attestation import real
from tests.attestation.paper import AT, codes, ek_certificate, judge, key_pair, maker
from tests.attestation.paper import PaperTpm as Paper

PREFIX = "evidence.tpm2.ek"
UNSORTED = {"NTC1", "NTC2", "NUVO_0100", "NUVO_1110", "NUVO_1111", "NUVO_2110", "NUVO_2111"}
VENDOR_FILES = sorted(path.stem for path in (real.TPM / "ek-vendor-roots").glob("*.pem"))


def vendor_certificates(name):
    text = real.read(f"ek-vendor-roots/{name}.pem").decode()
    for body in re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", text, re.DOTALL):
        yield base64.b64decode(body)


@pytest.mark.parametrize("name", VENDOR_FILES)
def test_vendor_ca(name):
    """All 51 files can be anchors; seven only because their names are sorted for reading."""
    for der in vendor_certificates(name):
        assert load_certificate(der).public_bytes(Encoding.DER) == der
        assert isinstance(load_certificate(der), Reordered) is (name in UNSORTED)
        assert der in PINNED_EK_ROOTS
        if name in UNSORTED:
            with pytest.raises(UnsupportedError) as caught:
                strictly(der, "evidence.anchor")
            assert caught.value.code == "evidence.anchor-unsupported"
            assert load_certificate(der) == load_certificate(der) != maker().certificate


def test_pinned_roots_are_the_vendors_files():
    files = {der for name in VENDOR_FILES for der in vendor_certificates(name)}
    assert set(PINNED_EK_ROOTS) == files and len(PINNED_EK_ROOTS) == len(files) == 45
    assert Anchors.load(PINNED_EK_ROOTS).unreadable == 0
    assert Tpm2Trust().ek_roots == ()


@pytest.mark.parametrize("name", sorted(UNSORTED))
def test_unsorted_root_signed_itself_over_the_bytes_as_received(name):
    root = load_certificate(next(vendor_certificates(name)))
    assert issued(root, root)
    assert not issued(root, load_certificate(next(vendor_certificates("INTEL_RT"))))
    survivors = []
    der = root.public_bytes(Encoding.DER)
    for bit in range(len(der) * 8):
        flipped = bytearray(der)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            other = load_certificate(bytes(flipped))
        except EvidenceError:
            continue
        if issued(other, root):
            survivors.append(bit)
    assert survivors == []


def test_real_ek_certificate_of_an_unsorted_root():
    """Nuvoton leaves the sets of its EK certificates unsorted too: of the issuer, and of the TPM among the names."""
    der = real.read("immune-guard/nuvoton-ek.der")
    leaf, anchors = load_certificate(der), Anchors.load(PINNED_EK_ROOTS)
    assert isinstance(leaf, Reordered) and leaf.public_bytes(Encoding.DER) == der
    critical = frozenset({x509.ExtendedKeyUsage.oid})
    root = validate(leaf, (), anchors, AT, PREFIX, critical=critical)
    assert root in [load_certificate(other) for other in vendor_certificates("NUVO_2111")]
    check_ek_certificate(leaf)
    assert describe_tpm(leaf) == {
        "tpm_manufacturer": "id:4E544300",
        "tpm_manufacturer_name": "NTC",
        "tpm_model": "NPCT75x",
        "tpm_version": "id:00070002",
    }
    survivors = []
    for bit in range(len(der) * 8):
        flipped = bytearray(der)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            other = load_certificate(bytes(flipped))
        except EvidenceError:
            continue
        if issued(other, root):
            survivors.append(bit)
    assert survivors == []


def unsorted_name(*values):
    """A Name of one relative name, its attributes as given, which is not DER's order."""
    attributes = b"".join(
        bytes([0x30, len(text) + 7, 6, 3, 0x55, 4, arc, kind, len(text)]) + text for arc, kind, text in values
    )
    inner = bytes([0x31, len(attributes)]) + attributes
    return bytes([0x30, len(inner)]) + inner


def test_leaf_under_an_unsorted_root():
    """What such a CA issues has its unsorted name as issuer: read, verified over its own bytes, not a byte changed."""
    key, leaf_key = key_pair("p256", 31), key_pair("p256", 32)
    name = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(NameOID.COUNTRY_NAME, "TW"),
                    x509.NameAttribute(NameOID.COMMON_NAME, "A maker of TPMs"),
                ]
            )
        ]
    )
    plain = name.public_bytes()
    unsorted = unsorted_name((3, 0x0C, b"A maker of TPMs"), (6, 0x13, b"TW"))
    assert sorted(plain) == sorted(unsorted) and len(plain) == len(unsorted)

    def issue(subject, public, ca):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(5)
            .not_valid_before(AT - timedelta(days=1))
            .not_valid_after(AT + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        tbs = x509.load_der_x509_certificate(der).tbs_certificate_bytes.replace(plain, unsorted)
        signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")
        body = tbs + algorithm + bytes([3, len(signature) + 1, 0]) + signature
        return b"\x30\x82" + len(body).to_bytes(2, "big") + body

    root = issue(name, key.public_key(), True)
    leaf = issue(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EK")]), leaf_key.public_key(), False)
    with pytest.raises(ValueError, match="asn1"):
        x509.load_der_x509_certificate(leaf)
    anchors = Anchors.load((root,))
    read = load_certificate(leaf)
    assert validate(read, (), anchors, AT, PREFIX).public_bytes(Encoding.DER) == root
    assert read.public_bytes(Encoding.DER) == leaf
    # The sorted form of the same certificate is another certificate, which nobody signed.
    with pytest.raises(RejectedError) as caught:
        validate(load_certificate(leaf.replace(unsorted, plain)), (), anchors, AT, PREFIX)
    assert caught.value.code == f"{PREFIX}-untrusted"
    with pytest.raises(RejectedError) as caught:
        validate(read, (), Anchors.load((maker().der,)), AT, PREFIX)
    assert caught.value.code == f"{PREFIX}-untrusted"


def test_unreadable_anchor_hinders_no_other_and_is_named():
    broken = (b"\x30\x03\x02\x01\x00", b"no certificate")
    members = Paper().members()
    assert judge(members, ek_roots=(*broken, maker().der)).passed
    appraisal = judge(members, ek_roots=broken)
    assert codes(appraisal) == {"evidence.tpm2.ek-certificate": "evidence.tpm2.ek-anchor-unsupported"}


def test_unreadable_ek_certificate_is_unsupported():
    with pytest.raises(UnsupportedError) as caught:
        judge(Paper().members(ek_certificate=b"\x30\x03\x02\x01\x00"))
    assert caught.value.code == "evidence.tpm2.certificate-unsupported"


def real_path(leaf, *chain):
    names = [f"gce-ak-certs/{name}" for name in (leaf, *chain)]
    loaded = [load_certificate(real.certificate(name)) for name in names]
    return loaded[0], tuple(loaded[1:])


@pytest.mark.parametrize(
    ("leaf", "chain", "root"),
    [
        ("uca_tpm_rsa_enc_cert.pem", ["ca/tpm_ek_intermediate_3.crt"], "ca/tpm_ek_root_1.cer"),
        ("uca_tpm_ecc_enc_cert.pem", ["ca/tpm_ek_intermediate_3.crt"], "ca/tpm_ek_root_1.cer"),
    ],
)
def test_real_ek_certificates_chain_to_the_makers_root(leaf, chain, root):
    certificate, intermediates = real_path(leaf, *chain)
    anchors = Anchors.load((real.certificate(f"gce-ak-certs/{root}"),))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert validate(certificate, intermediates, anchors, at, PREFIX) == anchors.certificates[0]
    check_ek_certificate(certificate)
    assert describe_tpm(certificate) == {
        "tpm_manufacturer": "id:474F4F47",
        "tpm_manufacturer_name": "GOOG",
        "tpm_model": "vTPM",
        "tpm_version": "id:20160511",
    }
    intermediate = Anchors.load((real.certificate(f"gce-ak-certs/{chain[0]}"),))
    assert validate(certificate, (), intermediate, at, PREFIX) is not None  # an intermediate may be the anchor
    assert validate(certificate, intermediates, intermediate, at, PREFIX) is not None
    with pytest.raises(RejectedError) as caught:
        validate(certificate, (), anchors, at, PREFIX)
    assert caught.value.code == f"{PREFIX}-untrusted"


@pytest.mark.parametrize("leaf", ["uca_tpm_rsa_sign_cert.pem", "pca_tpm_ecc_sign_cert.pem"])
def test_real_signing_certificates_are_no_ek_certificates(leaf):
    with pytest.raises(RejectedError) as caught:
        check_ek_certificate(real_path(leaf)[0])
    assert caught.value.code == f"{PREFIX}-usage"


def issue(subject, pair, issuer=None, issuer_key=None, **options):
    """A certificate for tests: options ca, path_length, start, end, hash, usage, critical."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(pair.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(options.get("start", AT - timedelta(days=1)))
        .not_valid_after(options.get("end", AT + timedelta(days=1)))
    )
    if options.get("constraints", True):
        builder = builder.add_extension(
            x509.BasicConstraints(options.get("ca", True), options.get("path_length")), critical=True
        )
    if "usage" in options:
        builder = builder.add_extension(options["usage"], critical=True)
    if "extra" in options:
        builder = builder.add_extension(options["extra"], critical=True)
    return builder.sign(issuer_key or pair, options.get("hash", hashes.SHA256()))


def path(*settings, leaf=None):
    """Root, CAs with `settings` (root first), leaf: returns leaf, chain (leaf's issuer first), anchors."""
    certificates = []
    issuer, issuer_key = None, None
    for number, options in enumerate(settings):
        key = options.get("key", key_pair("p256", 20 + number))
        issuer = issue(f"CA {number}", key, issuer, issuer_key, **options)
        issuer_key = key
        certificates.append(issuer)
    end = issue("leaf", key_pair("p256", 40), issuer, issuer_key, **{"ca": False, **(leaf or {})})
    root = certificates[0].public_bytes(Encoding.DER)
    return end, tuple(reversed(certificates[1:])), Anchors.load((root,))


def outcome(*settings, leaf=None, at=AT):
    end, chain, anchors = path(*settings, leaf=leaf)
    try:
        validate(end, chain, anchors, at, PREFIX)
    except EvidenceError as error:
        return error.code.removeprefix(f"{PREFIX}-")
    return "ok"


OLD = {"end": AT - timedelta(seconds=1)}
LATER = {"start": AT + timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("settings", "leaf", "expected"),
    [
        ([{}, {}], None, "ok"),
        ([{}, {}, {}, {}, {}], None, "ok"),
        ([{"path_length": 0}], None, "ok"),
        ([{"path_length": 0}, {}], None, "chain-not-ca"),
        ([{"path_length": 1}, {}, {}], None, "chain-not-ca"),
        ([{}, {"path_length": 0}, {}], None, "chain-not-ca"),
        ([{}, {"ca": False}], None, "chain-not-ca"),
        ([{}, {"constraints": False}], None, "chain-not-ca"),
        ([{}, {"usage": usage(sign=True)}], None, "chain-not-ca"),
        ([{"ca": False}], None, "chain-not-ca"),
        ([{}], {"ca": True}, "chain-leaf-is-ca"),
        ([OLD], None, "chain-expired"),
        ([LATER], None, "chain-expired"),
        ([{}, OLD], None, "chain-expired"),
        ([{}, LATER], None, "chain-expired"),
        ([{}], OLD, "chain-expired"),
        ([{}], LATER, "chain-expired"),
        ([{"key": key_pair("rsa-1024")}], None, "chain-key-weak"),
        ([{}, {"key": key_pair("rsa-1024")}], None, "chain-key-weak"),
        ([{}, {"key": key_pair("rsa-2048")}], None, "ok"),
        (
            [{}, {"extra": x509.NameConstraints([x509.DNSName("example.org")], None)}],
            None,
            "chain-critical-extension",
        ),
    ],
)
def test_path_rules(settings, leaf, expected):
    assert outcome(*settings, leaf=leaf) == expected


def test_window_edges():
    start, end = AT, AT + timedelta(days=1)
    for at, expected in (
        (start - timedelta(seconds=1), "chain-expired"),
        (start, "ok"),
        (end, "ok"),
        (end + timedelta(seconds=1), "chain-expired"),
    ):
        wide = {"start": AT - timedelta(days=9), "end": AT + timedelta(days=9)}
        assert outcome(wide, leaf={"start": start, "end": end}, at=at) == expected


def test_sha1_signature_is_refused():
    """An Infineon intermediate that its root signed with SHA-1: fine as an anchor, not as a link."""
    old = [load_certificate(next(vendor_certificates(name))) for name in ("IFX_RSA_03I", "IFX_RSA_RT")]
    assert {getattr(certificate.signature_hash_algorithm, "name", "") for certificate in old} == {"sha1"}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    end, _, _ = path({})
    with pytest.raises(RejectedError) as caught:
        validate(end, tuple(old), Anchors.load((old[1].public_bytes(Encoding.DER),)), at, PREFIX)
    assert caught.value.code in (f"{PREFIX}-chain-broken", f"{PREFIX}-chain-expired")
    with pytest.raises(RejectedError) as caught:
        _check_link(old[0], old[1], PREFIX)
    assert caught.value.code == f"{PREFIX}-chain-signature-weak"


def test_stranger_with_the_issuers_name_is_refused():
    end, _, anchors = path({})
    impostor = issue("CA 0", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(RejectedError) as caught:
        validate(end, (impostor,), anchors, AT, PREFIX)
    assert caught.value.code == f"{PREFIX}-chain-broken"
    other = Anchors.load((impostor.public_bytes(Encoding.DER),))
    with pytest.raises(RejectedError) as caught:
        validate(end, (), other, AT, PREFIX)
    assert caught.value.code == f"{PREFIX}-untrusted"


def test_unordered_chain_is_refused():
    end, chain, anchors = path({}, {}, {})
    assert validate(end, chain, anchors, AT, PREFIX) is not None
    for wrong in (chain[::-1], (chain[0], chain[0], chain[1]), chain[1:]):
        with pytest.raises(RejectedError):
            validate(end, wrong, anchors, AT, PREFIX)


@given(st.binary(max_size=300))
def test_reading_is_total(data):
    for read in (load_certificate, load_chain):
        try:
            read(data)
        except (MalformedError, UnsupportedError):
            continue
        assert data == b""  # no certificate at all is an empty chain


def test_unused_bits_of_the_signature_are_part_of_the_form():
    data = bytearray(ek_certificate())
    length = len(load_certificate(bytes(data)).signature)
    data[-length - 1] = 1
    with pytest.raises(EvidenceError):
        load_certificate(bytes(data))


@given(st.binary(min_size=32, max_size=32), st.sampled_from([34, 50, 66]), st.binary(min_size=66, max_size=66))
def test_binding_round_trip(digest, size, name):
    binding = AkBinding(digest, name[:size])
    data = binding.encode()
    assert parse_binding(data) == binding
    for wrong in (data[:-1], data + b"\x00", b"\x31" + data[1:], data[:4] + b"\x02" + data[5:]):
        with pytest.raises(MalformedError):
            parse_binding(wrong)


@given(st.binary(max_size=120))
def test_binding_parser_is_total(data):
    with contextlib.suppress(MalformedError):
        assert parse_binding(data).encode() == data
