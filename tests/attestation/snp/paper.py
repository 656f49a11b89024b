# SPDX-License-Identifier: AGPL-3.0-or-later
"""A chip on paper, under a manufacturer on paper: real keys and certificates, reports that say what a test wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attestation.collateral import Collateral, Item
from attestation.contract import Appraisal
from attestation.snp import SnpTrust, appraise
from attestation.snp.bulletins import STATUSES
from attestation.snp.products import PRODUCTS
from attestation.snp.report import SIGNED_SIZE, Report
from attestation.snp.vek import ARC

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
START, END = AT - 100 * DAY, AT + 100 * DAY
HWID = bytes(range(1, 65))
TCB = {"Milan": bytes([4, 0, 0, 0, 0, 0, 24, 219]), "Turin": bytes([1, 1, 1, 4, 0, 0, 0, 81])}
CPUID = {"Milan": (0x19, 1, 1), "Genoa": (0x19, 0x11, 1), "Turin": (0x1A, 2, 1)}

_PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """A key, made once per test run."""
    return rsa.generate_private_key(65537, 2048)


@cache
def chip_key(name: str = "chip", curve: str = "p384") -> ec.EllipticCurvePrivateKey:
    """A chip's key, made once per test run."""
    return ec.generate_private_key(ec.SECP384R1() if curve == "p384" else ec.SECP256R1())


def name_of(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "AMD"), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


@cache
def ca(
    subject: str, issuer: str = "", start: datetime = START, end: datetime = END, number: int = 7
) -> x509.Certificate:
    """A CA of that common name, under `issuer`'s key; its own where there is none."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer or subject))
        .public_key(rsa_key(subject).public_key())
        .serial_number(number)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if issuer else None), critical=True)
    )
    return builder.sign(rsa_key(issuer or subject), hashes.SHA384(), rsa_padding=_PSS)


def integer(value: int) -> bytes:
    """DER."""
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([2, len(body)]) + body


def ia5(text: str) -> bytes:
    """DER."""
    return bytes([0x16, len(text)]) + text.encode()


def vek(
    product: str = "Milan",
    kind: str = "vcek",
    *,
    tcb: bytes | None = None,
    hwid: bytes = HWID,
    csp_id: str = "CN=cc.example",
    issuer: str = "",
    signer: str = "",
    key: Any = None,
    start: datetime = START,
    end: datetime = END,
    number: int = 11,
    extensions: dict[str, bytes | None] | None = None,
) -> x509.Certificate:
    """A VCEK or VLEK certificate; `extensions` replaces (None: removes) AMD's by their number."""
    octets = TCB.get(product, TCB["Milan"]) if tcb is None else tcb
    numbers = {
        "bootloader": 1,
        "tee": 2,
        "snp": 3,
        "spl4": 4,
        "spl5": 5,
        "spl6": 6,
        "spl7": 7,
        "microcode": 8,
        "fmc": 9,
    }
    found: dict[str, bytes | None] = {"1": integer(0), "2": ia5(f"{product}-B0" if product == "Milan" else product)}
    found |= {f"3.{numbers[n]}": integer(v) for n, v in zip(PRODUCTS[product].components, octets, strict=True)}
    found |= {"4": hwid[: PRODUCTS[product].hwid_size]} if kind == "vcek" else {"5": ia5(csp_id)}
    found |= extensions or {}
    issuer = issuer or f"SEV-{'VLEK-' if kind == 'vlek' else ''}{product}"
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(f"SEV-{kind.upper()}"))
        .issuer_name(name_of(issuer))
        .public_key((key or chip_key()).public_key())
        .serial_number(number)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for suffix, value in found.items():
        if value is not None:
            extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{ARC}.{suffix}"), value)
            builder = builder.add_extension(extension, critical=False)
    return builder.sign(rsa_key(signer or issuer), hashes.SHA384(), rsa_padding=_PSS)


def report(product: str = "Milan", *, key: Any = None, **changes: Any) -> bytes:
    """A signed report; `changes` are fields of `Report`."""
    tcb = TCB.get(product, TCB["Milan"])
    blank = Report(
        data=b"",
        version=3,
        guest_svn=2,
        policy=0x3001F,
        family_id=bytes(16),
        image_id=bytes(16),
        vmpl=0,
        signature_algorithm=1,
        current_tcb=tcb,
        platform_info=0x25,
        author_key_enabled=False,
        chip_key_masked=False,
        signing_key="vcek",
        report_data=bytes(range(64)),
        measurement=b"m" * 48,
        host_data=b"h" * 32,
        id_key_digest=b"i" * 48,
        author_key_digest=bytes(48),
        report_id=b"r" * 32,
        migration_agent_report_id=b"\xff" * 32,
        reported_tcb=tcb,
        cpuid=CPUID[product],
        chip_id=HWID[: PRODUCTS[product].hwid_size].ljust(64, b"\0"),
        committed_tcb=tcb,
        firmware=(1, 55, 29),
        committed_firmware=(1, 55, 29),
        launch_tcb=tcb,
        mitigations=None,
        r=1,
        s=1,
    )
    signed = replace(blank, **changes)
    if "r" not in changes:
        curve_key = key or chip_key()
        r, s = decode_dss_signature(curve_key.sign(signed.encode()[:SIGNED_SIZE], ec.ECDSA(hashes.SHA384())))
        signed = replace(signed, r=r, s=s)
    return signed.encode()


def der(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.DER) for certificate in certificates)


@cache
def ark(product: str = "Milan") -> x509.Certificate:
    return ca(f"ARK-{product}")


@cache
def ask(product: str = "Milan", kind: str = "vcek", number: int = 7) -> x509.Certificate:
    return ca(f"SEV-{'VLEK-' if kind == 'vlek' else ''}{product}", f"ARK-{product}", number=number)


def crl(
    issuer: str = "ARK-Milan",
    revoked: tuple[int, ...] = (),
    *,
    signer: str = "",
    start: datetime = AT - DAY,
    end: datetime = AT + DAY,
) -> bytes:
    """A list of that issuer, DER."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(name_of(issuer)).last_update(start).next_update(end)
    for number in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(AT - 2 * DAY).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(rsa_key(signer or issuer), hashes.SHA384(), rsa_padding=_PSS).public_bytes(Encoding.DER)


def crls(*lists: bytes) -> Collateral:
    return Collateral(tuple(Item("crl", data) for data in lists))


def trust(**changes: Any) -> SnpTrust:
    """The paper manufacturer's roots; no list of revoked ones demanded, and firmware of any age taken."""
    settings: dict[str, Any] = {
        "roots": tuple(der(ark(product)) for product in PRODUCTS),
        "intermediates": tuple(der(ask(product, kind)) for product in PRODUCTS for kind in ("vcek", "vlek")),
        "require_crl": False,
        "bulletin_statuses": STATUSES,
    }
    return SnpTrust(**{**settings, **changes})


def judge(
    data: bytes,
    *certificates: x509.Certificate,
    challenge: bytes | None = None,
    when: datetime = AT,
    collateral: Collateral | None = None,
    **changes: Any,
) -> Appraisal:
    """Appraise a report under certificates (VEK first; a Milan VCEK where there is none) and `trust(**changes)`."""
    members = {"report": data, "certificates": der(*(certificates or (vek(),)))}
    return appraise(members, challenge=challenge, at=when, trust=trust(**changes), collateral=collateral or crls())
