# SPDX-License-Identifier: AGPL-3.0-or-later
"""An Intel on paper: root, PCK CA, platforms, quoting enclaves, TCB signing; quotes and collateral to order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attestation.collateral import Collateral, sort_collateral
from attestation.intel.pem import encode_certificate
from attestation.intel.quote import INTEL_QE_VENDOR

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
START, END = AT - timedelta(days=30), AT + timedelta(days=365)
CHALLENGE = bytes(range(32))
FMSPC = bytes.fromhex("90c06f000000")
SHA256 = hashes.SHA256()
ROOT_NAME, TCB_NAME = "Intel SGX Root CA", "Intel SGX TCB Signing"
PCK_CA_NAME, PCK_NAME = "Intel SGX PCK Platform CA", "Intel SGX PCK Certificate"


@cache
def key(number: int) -> ec.EllipticCurvePrivateKey:
    """The test's private key of that number."""
    return ec.derive_private_key(0x5EED0000 + number, ec.SECP256R1())


def raw_sign(signer: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(signer.sign(message, ec.ECDSA(SHA256)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def raw_point(signer: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = signer.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = (
        bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else bytes([0x82, *size.to_bytes(2, "big")])
    )
    return bytes([tag]) + head + content


def _pair(arc: bytes, value: bytes) -> bytes:
    return _der(0x30, _der(0x06, bytes.fromhex("2a864886f84d010d01") + arc) + value)


def sgx_extension(components: bytes, pce_svn: int, fmspc: bytes, **changes: bytes) -> bytes:
    """The PCK certificate's extension; CPUSVN is the components, as on today's platforms."""
    tcb = b"".join(
        _pair(bytes([2, index + 1]), _der(2, svn.to_bytes(2, "big") if svn > 127 else bytes([svn])))
        for index, svn in enumerate(components)
    )
    number = pce_svn.to_bytes(2, "big") if pce_svn > 127 else bytes([pce_svn])
    tcb += _pair(b"\x02\x11", _der(2, number)) + _pair(b"\x02\x12", _der(4, components))
    return _der(
        0x30,
        _pair(b"\x01", _der(4, bytes(range(16))))
        + _pair(b"\x02", _der(0x30, tcb))
        + _pair(b"\x03", _der(4, bytes(2)))
        + _pair(b"\x04", _der(4, fmspc))
        + _pair(b"\x05", changes.get("sgx_type", _der(0x0A, b"\x01")))
        + _pair(b"\x06", _der(4, bytes(range(16, 32))))
        + _pair(b"\x07", _der(0x30, b"".join(_pair(bytes([7, i]), _der(1, b"\xff")) for i in (1, 2, 3)))),
    )


def certify(
    name: str,
    public: ec.EllipticCurvePublicKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    serial: int = 1,
    start: datetime = START,
    end: datetime = END,
    extension: bytes | None = None,
    constraints: bool = True,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(ca), critical=True)
    )
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if extension is not None:
        oid = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, extension), critical=False)
    return builder.sign(signer, SHA256)


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=not ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text), x509.NameAttribute(NameOID.COUNTRY_NAME, "US")])


def revocation_list(
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    revoked: tuple[int, ...] = (),
    *,
    start: datetime = START,
    end: datetime = END,
) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder().issuer_name(_name(issuer)).last_update(start).next_update(end)
    builder = builder.add_extension(x509.CRLNumber(1), critical=False).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signer, SHA256)


def der(item: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return item.public_bytes(Encoding.DER)


def level(
    svn: int, status: str = "UpToDate", advisories: tuple[str, ...] = (), date: str = "2025-01-01T00:00:00Z"
) -> Any:
    found: dict[str, Any] = {"tcb": {"isvsvn": svn}, "tcbDate": date, "tcbStatus": status}
    return {**found, "advisoryIDs": list(advisories)} if advisories else found


def platform_level(
    sgx: bytes, pce_svn: int, tdx: bytes | None, status: str, advisories: tuple[str, ...] = (),
    date: str = "2025-01-01T00:00:00Z",
) -> Any:  # fmt: skip
    tcb: dict[str, Any] = {"sgxtcbcomponents": [{"svn": svn} for svn in sgx], "pcesvn": pce_svn}
    if tdx is not None:
        tcb["tdxtcbcomponents"] = [{"svn": svn} for svn in tdx]
    return {**level(0, status, advisories, date), "tcb": tcb}


NONE = bytes(16)
QE_SIGNER = b"\x51" * 32
TEE_TCB_SVN = bytes([5, 1, 2, *[0] * 13])


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One platform and what Intel says of it; `replace` (dataclasses) changes one thing."""

    tdx: bool = True
    version: int = 4
    root_key: int = 1
    ca_key: int = 2
    pck_key: int = 3
    attestation_key: int = 4
    tcb_key: int = 5
    ca_name: str = PCK_CA_NAME
    pck_name: str = PCK_NAME
    tcb_name: str = TCB_NAME
    components: bytes = bytes([3] * 16)
    pce_svn: int = 11
    fmspc: bytes = FMSPC
    pck: dict[str, Any] = field(default_factory=dict)
    ca: dict[str, Any] = field(default_factory=dict)
    signer: dict[str, Any] = field(default_factory=dict)
    qe: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    levels: tuple[Any, ...] | None = None
    modules: tuple[Any, ...] = (
        {
            "id": "TDX_01",
            "mrsigner": "00" * 48,
            "attributes": "00" * 8,
            "attributesMask": "FF" * 8,
            "tcbLevels": [level(4)],
        },
    )
    qe_levels: tuple[Any, ...] = (level(4),)
    tcb_info: dict[str, Any] = field(default_factory=dict)
    qe_identity: dict[str, Any] = field(default_factory=dict)
    root_revoked: tuple[int, ...] = ()
    pck_revoked: tuple[int, ...] = ()
    root_crl: dict[str, Any] = field(default_factory=dict)
    pck_crl: dict[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> Paper:
        return replace(self, **changes)

    # Certificates. Serial numbers: root 1, PCK CA 2, TCB signing 3, PCK 4.

    def root(self) -> x509.Certificate:
        return _root(self.root_key)

    def ca_certificate(self) -> x509.Certificate:
        options = {"ca": True, "serial": 2, **self.ca}
        return certify(self.ca_name, key(self.ca_key).public_key(), ROOT_NAME, key(self.root_key), **options)

    def signer_certificate(self) -> x509.Certificate:
        options = {"serial": 3, **self.signer}
        return certify(self.tcb_name, key(self.tcb_key).public_key(), ROOT_NAME, key(self.root_key), **options)

    def pck_certificate(self) -> x509.Certificate:
        extension = sgx_extension(self.components, self.pce_svn, self.fmspc)
        options = {"serial": 4, "extension": extension, **self.pck}
        return certify(self.pck_name, key(self.pck_key).public_key(), self.ca_name, key(self.ca_key), **options)

    # The quote.

    def report_body(self) -> bytes:
        return td_report(self.version, **self.body) if self.tdx else enclave_report(**{"svn": 3, **self.body})

    def quote(self, chain: bytes | None = None) -> bytes:
        tee = 0x81 if self.tdx else 0
        head = self.version.to_bytes(2, "little") + b"\x02\0" + tee.to_bytes(4, "little") + bytes(4)
        signed = head + INTEL_QE_VENDOR + bytes(20)
        body = self.report_body()
        if self.version == 5:
            kind = {384: 1, 584: 2, 648: 3}[len(body)]
            signed += kind.to_bytes(2, "little") + len(body).to_bytes(4, "little")
        signed += body
        attestation, auth = raw_point(key(self.attestation_key)), bytes(range(32))
        bound = hashlib.sha256(attestation + auth).digest() + bytes(32)
        options = {"report_data": bound, "signer": QE_SIGNER, "prod_id": 2 if self.tdx else 1, "svn": 4, **self.qe}
        qe = enclave_report(**options)
        if chain is None:
            certificates = (self.pck_certificate(), self.ca_certificate(), self.root())
            chain = b"".join(encode_certificate(der(item)) for item in certificates) + b"\0"
        data = qe + raw_sign(key(self.pck_key), qe) + b"\x20\0" + auth + b"\x05\0" + _sized(chain)
        if self.version != 3:
            data = b"\x06\0" + _sized(data)
        return signed + _sized(raw_sign(key(self.attestation_key), signed) + attestation + data)

    # Collateral.

    def tcb_info_body(self) -> bytes:
        levels = self.levels
        if levels is None:
            levels = (
                platform_level(bytes([3] * 16), 11, bytes([5, 0, 2, *[0] * 13]) if self.tdx else None, "UpToDate"),
            )
        found: dict[str, Any] = {
            "id": "TDX" if self.tdx else "SGX",
            "version": 3,
            "issueDate": _time(START),
            "nextUpdate": _time(END),
            "fmspc": self.fmspc.hex().upper(),
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": 17,
        }
        if self.tdx:
            found["tdxModule"] = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            found["tdxModuleIdentities"] = list(self.modules)
        return _json({**found, "tcbLevels": list(levels), **self.tcb_info})

    def qe_identity_body(self) -> bytes:
        found = {
            "id": "TD_QE" if self.tdx else "QE",
            "version": 2,
            "issueDate": _time(START),
            "nextUpdate": _time(END),
            "tcbEvaluationDataNumber": 17,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11" + "00" * 15,
            "attributesMask": "FB" + "FF" * 7 + "00" * 8,
            "mrsigner": QE_SIGNER.hex().upper(),
            "isvprodid": 2 if self.tdx else 1,
            "tcbLevels": list(self.qe_levels),
        }
        return _json({**found, **self.qe_identity})

    def root_list(self) -> x509.CertificateRevocationList:
        return revocation_list(ROOT_NAME, key(self.root_key), self.root_revoked, **self.root_crl)

    def pck_list(self) -> x509.CertificateRevocationList:
        return revocation_list(self.ca_name, key(self.ca_key), self.pck_revoked, **self.pck_crl)

    def files(self) -> dict[str, bytes]:
        """The collateral as the service gives it, one file each."""
        chain = encode_certificate(der(self.signer_certificate())) + encode_certificate(der(self.root()))
        return {
            "tcb_info": self.signed("tcbInfo", self.tcb_info_body()),
            "qe_identity": self.signed("enclaveIdentity", self.qe_identity_body()),
            "chain": chain,
            "root_crl": der(self.root_list()),
            "pck_crl": der(self.pck_list()),
        }

    def signed(self, name: str, body: bytes) -> bytes:
        signature = raw_sign(key(self.tcb_key), body).hex()
        return b'{"' + name.encode() + b'":' + body + b',"signature":"' + signature.encode() + b'"}'

    def collateral(self, *without: str) -> Collateral:
        return sort_collateral(data for name, data in self.files().items() if name not in without)


@cache
def _root(number: int) -> x509.Certificate:
    return certify(ROOT_NAME, key(number).public_key(), ROOT_NAME, key(number), ca=True)


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def enclave_report(
    *,
    report_data: bytes = CHALLENGE.ljust(64, b"\0"),
    signer: bytes = b"\x52" * 32,
    enclave: bytes = b"\x53" * 32,
    prod_id: int = 7,
    svn: int = 0,
    flags: int = 0x15,
    misc_select: int = 0,
    reserved: bytes = bytes(12),
) -> bytes:
    return b"".join(
        [
            bytes(16),
            misc_select.to_bytes(4, "little"),
            reserved,
            bytes(16),
            flags.to_bytes(8, "little"),
            b"\xe7" + bytes(7),
            enclave,
            bytes(32),
            signer,
            bytes(96),
            prod_id.to_bytes(2, "little"),
            svn.to_bytes(2, "little"),
            bytes(60),
            report_data,
        ]
    )


def td_report(
    version: int = 4,
    *,
    tee_tcb_svn: bytes = TEE_TCB_SVN,
    report_data: bytes = CHALLENGE.ljust(64, b"\0"),
    attributes: int = 1 << 28,
    seam_signer: bytes = bytes(48),
    seam_attributes: bytes = bytes(8),
    rtmrs: tuple[bytes, ...] = (bytes(48),) * 4,
    service_td: bytes = bytes(48),
    td15: bool = True,
) -> bytes:
    data = tee_tcb_svn + b"\x61" * 48 + seam_signer + seam_attributes
    data += attributes.to_bytes(8, "little") + b"\xe7\x02\x06".ljust(8, b"\0") + b"\x62" * 48 + bytes(144)
    data += b"".join(rtmrs) + report_data
    return data + tee_tcb_svn + service_td if version == 5 and td15 else data
