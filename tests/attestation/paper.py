# SPDX-License-Identifier: AGPL-3.0-or-later
"""A TPM on paper: it signs whatever a test wants signed, with real keys and real certificates.

What a genuine TPM would refuse to do (quote without being asked to, sign as an unrestricted key, another
magic) is one argument away here, so that each check can be shown to be the one that catches it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from attestation.contract import Appraisal
from attestation.eventlog import EventLog, replay
from attestation.tpm2 import Tpm2Trust, appraise
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.attest import ST_ATTEST_QUOTE, TPM_GENERATED, Attest, QuoteInfo, Selection
from attestation.tpm2.authority import Authority, issue_ek_certificate, make_authority, usage
from attestation.tpm2.binding import AK_BINDING_OID, AK_CERTIFICATE_EKU, AkBinding
from attestation.tpm2.boot import boot_log
from attestation.tpm2.pcrs import Pcrs, encode_pcrs, pcr_digest
from attestation.tpm2.public import Public
from attestation.tpm2.signature import Signature
from attestation.tpm2.templates import AK_ECC_P256, AK_RSA_2048

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHALLENGE = bytes(range(32))
SOFTWARE = hashlib.sha256(b"node software").digest()

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def key_pair(kind: str, number: int = 0) -> Any:
    """A private key, made once per test run: `rsa-1024`, `rsa-2048`, `p256`, `p384`, `p521`."""
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


@cache
def maker() -> Authority:
    return make_authority("test maker", AT - timedelta(days=30), timedelta(days=365))


@cache
def attestation_ca() -> Authority:
    return make_authority("test attestation CA", AT - timedelta(days=30), timedelta(days=365))


@cache
def ek_certificate() -> bytes:
    """An EK certificate of the test maker (the same bytes each time in one run)."""
    start = AT - timedelta(days=10)
    key = key_pair("p256", 9).public_key()
    return issue_ek_certificate(maker(), key, start, timedelta(days=100), model="paper")


def public_area(key: Any, **changes: Any) -> Public:
    """The TPMT_PUBLIC of an AK with this key; `changes` are fields of `Public`."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        size = public.key_size // 8
        modulus = public.public_numbers().n.to_bytes(size, "big")
        area = replace(AK_RSA_2048, key_bits=size * 8, modulus=modulus)
    else:
        numbers, size = public.public_numbers(), alg.coordinate_size(public.curve)
        area = replace(
            AK_ECC_P256,
            curve=alg.CURVE_IDS[public.curve.name],
            x=numbers.x.to_bytes(size, "big"),
            y=numbers.y.to_bytes(size, "big"),
        )
    return replace(area, **changes)


def sign(key: Any, scheme: int, hash_name: str, message: bytes) -> Signature:
    """A TPMT_SIGNATURE over `message`."""
    algorithm = alg.hash_algorithm(hash_name)
    if scheme == alg.ECDSA:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(algorithm)))
        size = alg.coordinate_size(key.curve)
        return Signature(scheme, hash_name, r=r.to_bytes(size, "big"), s=s.to_bytes(size, "big"))
    how: Any = padding.PKCS1v15()
    if scheme == alg.RSAPSS:
        how = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    return Signature(scheme, hash_name, value=key.sign(message, how, algorithm))


def boot() -> EventLog:
    return boot_log(("sha1", "sha256", "sha384"), SOFTWARE)


def booted_pcrs(bank: str = "sha256", indices: range = range(16)) -> Pcrs:
    """PCR values after `boot()`."""
    values = replay(boot(), bank)
    return {(bank, index): values.get(index, bytes(alg.HASH_SIZES[bank])) for index in indices}


def selections(values: Pcrs) -> tuple[Selection, ...]:
    banks: dict[str, int] = {}
    for bank, index in values:
        banks[bank] = banks.get(bank, 0) | 1 << index
    return tuple(Selection(bank, bits.to_bytes(3, "little")) for bank, bits in banks.items())


@dataclass
class PaperTpm:
    """Everything that one piece of evidence is made of; change a field, then take `members()`."""

    key: Any = field(default_factory=lambda: key_pair("p256"))
    public_changes: dict[str, Any] = field(default_factory=dict)
    magic: int = TPM_GENERATED
    type: int = ST_ATTEST_QUOTE
    extra_data: bytes = CHALLENGE
    clock: int = 123456
    resets: int = 1
    restarts: int = 2
    safe: bool = True
    pcrs: Pcrs = field(default_factory=booted_pcrs)
    quoted: Pcrs | None = None
    pcr_digest: bytes | None = None
    signature_hash: str | None = None
    signature_scheme: int | None = None
    hierarchy: int = 0x40000001
    event_log: bytes | None = field(default_factory=lambda: boot().encode())
    ek: bytes | None = field(default_factory=ek_certificate)
    ak_binding: AkBinding | None = None
    ak_certificate: bytes | None = None
    ak_changes: dict[str, Any] = field(default_factory=dict)

    @property
    def public(self) -> Public:
        return public_area(self.key, **self.public_changes)

    def attest(self) -> bytes:
        public = self.public
        scheme_hash = self.signature_hash or public.scheme_hash or "sha256"
        quoted = self.pcrs if self.quoted is None else self.quoted
        chosen = selections(quoted)
        info = QuoteInfo(chosen, b"")
        digest = pcr_digest(quoted, info.selected(), scheme_hash)
        info = QuoteInfo(chosen, digest if self.pcr_digest is None else self.pcr_digest)
        qualified = alg.HASH_IDS[public.name_hash].to_bytes(2, "big") + alg.digest(
            public.name_hash, self.hierarchy.to_bytes(4, "big") + public.name()
        )
        is_quote = self.type == ST_ATTEST_QUOTE
        return Attest(
            self.magic,
            self.type,
            qualified,
            self.extra_data,
            clock=self.clock,
            reset_count=self.resets,
            restart_count=self.restarts,
            safe=self.safe,
            firmware_version=0x1122334455667788,
            quote=info if is_quote else None,
            body=b"" if is_quote else b"\x00\x04name\x00\x00",
        ).encode()

    def issue_ak_certificate(self) -> bytes:
        """An AK certificate of the test attestation CA; `ak_changes`: ca, start, end, usage, eku, binding."""
        changes = self.ak_changes
        ca: Authority = changes.get("ca", attestation_ca())
        fingerprint = hashlib.sha256(self.ek or ek_certificate()).digest()
        binding = self.ak_binding or AkBinding(fingerprint, self.public.name())
        builder = ca.builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AK")]),
            changes.get("key", self.key).public_key(),
            changes.get("start", AT - timedelta(days=1)),
            changes.get("end", AT + timedelta(days=1)),
        ).add_extension(changes.get("usage", usage(sign=True)), critical=True)
        if changes.get("eku", AK_CERTIFICATE_EKU):
            purposes = [x509.ObjectIdentifier(changes.get("eku", AK_CERTIFICATE_EKU))]
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        value = changes.get("binding", binding.encode())
        if value is not None:
            builder = builder.add_extension(x509.UnrecognizedExtension(AK_BINDING_OID, value), critical=False)
        for extension, critical in changes.get("extra", ()):
            builder = builder.add_extension(extension, critical=critical)
        return ca.sign(builder)

    def members(self, **changes: bytes | None) -> dict[str, bytes]:
        """The evidence; keyword arguments replace members, None removes one."""
        attest, public = self.attest(), self.public
        scheme = self.signature_scheme or public.scheme
        signature = sign(self.key, scheme, self.signature_hash or public.scheme_hash or "sha256", attest)
        members: dict[str, bytes | None] = {
            "attest": attest,
            "signature": signature.encode(),
            "ak_public": public.encode(),
            "pcrs": encode_pcrs(self.pcrs),
            "event_log": self.event_log,
            "ek_certificate": self.ek,
            "ak_certificate": self.ak_certificate or self.issue_ak_certificate(),
        }
        members.update(changes)
        return {name: value for name, value in members.items() if value is not None}


def trust(**changes: Any) -> Tpm2Trust:
    """The trust under which unchanged paper evidence passes."""
    settings: dict[str, Any] = {
        "ek_roots": (maker().der,),
        "ak_issuers": (attestation_ca().der,),
        "required_pcrs": frozenset(range(8)),
        "require_event_log": True,
    }
    return Tpm2Trust(**{**settings, **changes})


def judge(members: dict[str, bytes], *, challenge: bytes = CHALLENGE, at: datetime = AT, **changes: Any) -> Appraisal:
    return appraise(members, challenge=challenge, at=at, trust=trust(**changes))


def codes(appraisal: Appraisal) -> dict[str, str]:
    """Check id -> code of every check that is not PASS and counts."""
    return {check.id: check.code for check in (*appraisal.failed, *appraisal.missing)}
