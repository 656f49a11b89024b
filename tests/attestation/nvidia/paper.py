# SPDX-License-Identifier: AGPL-3.0-or-later
"""Devices on paper: reports, chains and RIMs under roots of one's own; and where the real ones are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.collateral import EMPTY, Collateral, sort_collateral
from attestation.contract import Appraisal
from attestation.nvidia import NvidiaTrust, appraise_gpus, appraise_switches
from tests.attestation.small_pki import Identity, issue, ocsp_response

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "nvidia"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NONCE = bytes(range(32))
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)

LOOSE = {"require_rims": False, "require_ocsp": False}
"""Settings under which reports are looked at without collateral."""


def vector(name: str) -> bytes:
    """A real file."""
    return (VECTORS / name).read_bytes()


def with_chain(report: str, chain: str) -> bytes:
    """A real report and its chain, one behind the other."""
    return vector(report) + b"\n" + vector(chain)


def tlv(tag: int, *parts: bytes) -> bytes:
    """A DER element."""
    content = b"".join(parts)
    size = len(content)
    length = bytes((size,)) if size < 128 else bytes((0x81, size)) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    return bytes((tag,)) + length + content


def fwid(digest: bytes) -> bytes:
    return tlv(0x30, tlv(0x06, bytes.fromhex("608648016503040202")), tlv(0x04, digest))


@dataclass(frozen=True, eq=False)
class PaperDevice:
    """A device with its PKI: `chain` starts with the attestation key's certificate."""

    chain: tuple[Identity, ...]
    fwid: bytes
    chip: str
    fields: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def der(self) -> bytes:
        return b"".join(identity.der for identity in self.chain)

    @property
    def issuers(self) -> tuple[Identity, ...]:
        return self.chain[1:]


@cache
def device_root() -> Identity:
    return issue("paper device root", AT, ca=True, end=FOREVER)


@cache
def rim_root() -> Identity:
    return issue("paper RIM root", AT, ca=True, end=FOREVER)


@cache
def rim_signer() -> tuple[Identity, ...]:
    """Signer, intermediate, root."""
    middle = issue("paper RIM CA", AT, rim_root(), ca=True, end=AT + timedelta(days=700))
    return issue("paper RIM signer", AT, middle, end=AT + timedelta(days=30)), middle, rim_root()


def make_device(number: int = 0, chip: str = "GH100", *, leaf: Mapping[str, Any] | None = None) -> PaperDevice:
    """A device of its own: another number, another device."""
    digest = hashlib.sha384(b"firmware").digest()
    family = issue(f"paper {chip} CA", AT, device_root(), ca=True, end=FOREVER)
    rom = issue(f"{chip} A01 GSP BROM", AT, family, ca=True, end=FOREVER)
    name = x509.OtherName(
        x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1"), tlv(0x0C, f"NVIDIA:{chip}:{number:016X}".encode())
    )
    spki = rom.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    identity = tlv(0x30, tlv(0x02, b"\x01"), spki, fwid(digest))
    settings: dict[str, Any] = {
        "end": FOREVER,
        "extensions": [
            (x509.SubjectAlternativeName([name]), False),
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.23.133.5.4.1"), identity), False),
        ],
        **(leaf or {}),
    }
    key = issue(f"{chip} A01 GSP FMC LF", AT, rom, **settings)
    fields = {6: bytes.fromhex("005e009601000000"), 3: b"550.90.07\0", 11: b"\x55", 20: digest}
    if chip.startswith("LS"):
        fields = {6: b"96.10.55.00.01", 22: bytes(8)}
    return PaperDevice((key, rom, family, device_root()), digest, chip, fields)


@cache
def device(number: int = 0, chip: str = "GH100") -> PaperDevice:
    return make_device(number, chip)


def measurements() -> dict[int, bytes]:
    """Block index to digest."""
    return {index: hashlib.sha384(bytes((index,))).digest() for index in range(1, 65)}


def opaque(fields: Mapping[int, bytes]) -> bytes:
    parts = [
        number.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for number, value in fields.items()
    ]
    return b"".join(parts)


def blocks(values: Mapping[int, bytes]) -> bytes:
    return b"".join(
        bytes((index, 1)) + (len(v) + 3).to_bytes(2, "little") + b"\x01" + len(v).to_bytes(2, "little") + v
        for index, v in values.items()
    )


def transcript(
    nonce: bytes = NONCE,
    *,
    request: bytes = bytes.fromhex("11e001ff"),
    slot: int = 0,
    response: bytes = bytes.fromhex("11600000"),
    count: int | None = None,
    record: bytes | None = None,
    fields: bytes = b"",
    responder: bytes = bytes(32),
) -> bytes:
    """Request and response without the signature."""
    record = blocks(measurements()) if record is None else record
    number = 64 if count is None else count
    parts = [request, nonce, bytes((slot,)), response, bytes((number,)), len(record).to_bytes(3, "little"), record]
    return b"".join([*parts, responder, len(fields).to_bytes(2, "little"), fields])


def sign(message: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA384())))
    size = (key.key_size + 7) // 8
    return message + r.to_bytes(size, "big") + s.to_bytes(size, "big")


def report(
    of: PaperDevice | None = None, nonce: bytes = NONCE, fields: Mapping[int, bytes] | None = None, **parts
) -> bytes:
    of = of or device()
    told = opaque(of.fields if fields is None else fields)
    responder = hashlib.sha256(of.der + nonce).digest()
    return sign(transcript(nonce, **{"fields": told, "responder": responder, **parts}), of.chain[0].key)


def members(*devices: PaperDevice, nonce: bytes = NONCE) -> dict[str, bytes]:
    """Evidence of these devices, or of one."""
    found: dict[str, bytes] = {}
    for index, one in enumerate(devices or (device(),)):
        found |= {f"report_{index}": report(one, nonce), f"chain_{index}": one.der}
    return found


def resource(index: int, values: list[bytes], *, active: bool = True) -> str:
    told = " ".join(f'ns2:Hash{number}="{value.hex()}"' for number, value in enumerate(values))
    return (
        f'<ns0:Resource type="Measurement" index="{index}" active="{active}" alternatives="{len(values)}" {told} '
        f'name="Measurement_{index}" size="{len(values[0])}"/>'
    )


def rim_text(version: str, resources: str, *, edition: str = "GPU", product: str = "GH100") -> str:
    return (
        '<SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" '
        'xmlns:ns0="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" '
        'xmlns:ns2="http://www.w3.org/2001/04/xmlenc#sha384" name="GH100" tagId="1" version="1.0">\n'
        f'<ns0:Entity name="Paper" role="tagCreator"/><ns0:Meta colloquialVersion="{version}" edition="{edition}" '
        f'product="{product}"/><ns0:Payload>{resources}</ns0:Payload>\n</SoftwareIdentity>'
    )


def golden(indices: range) -> str:
    """Active resources that fit `measurements`; index 35 does not, as the video decoder is off."""
    values = measurements()
    return "".join(resource(i, [bytes(48), values[i + 1] if i != 35 else b"\1" * 48]) for i in indices)


def sign_rim(text: str, chain: tuple[Identity, ...] | None = None, **settings: Any) -> bytes:
    """An enveloped signature by signxml's signer, in the way of NVIDIA's RIMs."""
    from lxml import etree  # type: ignore[import-untyped,import-not-found,unused-ignore]
    from signxml.algorithms import (  # type: ignore[import-not-found,unused-ignore]
        CanonicalizationMethod,
        DigestAlgorithm,
        SignatureMethod,
    )
    from signxml.signer import XMLSigner  # type: ignore[import-not-found,unused-ignore]

    chain = chain or rim_signer()
    signer = XMLSigner(
        **{
            "signature_algorithm": SignatureMethod.ECDSA_SHA384,
            "digest_algorithm": DigestAlgorithm.SHA384,
            "c14n_algorithm": CanonicalizationMethod.CANONICAL_XML_1_1,
            **settings,
        }
    )
    signed = signer.sign(
        etree.fromstring(text),
        key=chain[0].key,
        cert=[identity.certificate for identity in chain],
        always_add_key_value=False,
    )
    return etree.tostring(signed)


@cache
def rims() -> tuple[bytes, bytes]:
    """The driver's and the VBIOS's."""
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))))
    return driver, sign_rim(rim_text("96.00.5E.00.01", golden(range(20))))


@cache
def responses(of: PaperDevice | None = None) -> tuple[bytes, ...]:
    """Good OCSP responses for all that needs one."""
    one, signer = of or device(), rim_signer()
    pairs = [*pairwise(one.chain[1:]), *pairwise(signer)]
    return tuple(ocsp_response(subject.certificate, issuer, AT) for subject, issuer in pairs)


def bag(*files: bytes) -> Collateral:
    return sort_collateral(files)


def judge(
    evidence: Mapping[str, bytes] | None = None,
    *,
    challenge: bytes | None = NONCE,
    at: datetime = AT,
    collateral: Collateral = EMPTY,
    switch: bool = False,
    **trust: Any,
) -> Appraisal:
    """Appraise under one's own roots, and without demands on collateral where there is none."""
    settings: dict[str, Any] = {"device_roots": (device_root().der,), "rim_roots": (rim_root().der,)}
    settings |= {} if collateral.items else LOOSE
    appraise = appraise_switches if switch else appraise_gpus
    return appraise(
        members() if evidence is None else evidence,
        challenge=challenge,
        at=at,
        trust=NvidiaTrust(**{**settings, **trust}),
        collateral=collateral,
    )


def faults(appraisal: Appraisal) -> set[str]:
    """Codes of what is false or missing."""
    return {check.code for check in (*appraisal.failed, *appraisal.missing)}


HONEST = members()


def one(data: bytes, chain: bytes | None = None) -> dict[str, bytes]:
    return {"report_0": data, "chain_0": chain or device().der}
