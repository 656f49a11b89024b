# SPDX-License-Identifier: AGPL-3.0-or-later
"""One device: who it is, what it measured, and whether that is what NVIDIA released."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from attestation.contract import Check, Outcome
from attestation.errors import EvidenceError, RejectedError
from attestation.nvidia import opaque
from attestation.nvidia.chains import Path, check_path, common_name
from attestation.nvidia.fwid import Identity, read_identity
from attestation.nvidia.golden import check_measurements
from attestation.nvidia.opaque import Opaque, parse_opaque
from attestation.nvidia.rim import Documents, Found, Wanted, find, normal
from attestation.nvidia.spdm import Report, parse_report
from attestation.nvidia.trust import NvidiaTrust
from attestation.pki.certificate import READ_ERRORS, der_length, load_certificate, load_chain, serial_number
from attestation.pki.effort import Effort
from attestation.pki.path import key_usage

ID = "evidence.nvidia"
DEVICE_INFO = x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1")
"""`id-DMTF-device-info` (DSP0274, annex on certificates): manufacturer:product:serial number, in UTF-8."""

REMEMBERED_CHAINS = 64

GPU_CHIPS, SWITCH_CHIPS = ("GH", "GB"), ("LS",)
"""Beginnings of chip names: Hopper and Blackwell GPUs, third-generation NVSwitch."""


@dataclass(frozen=True, slots=True)
class Device:
    """A parsed report and chain. `chain` starts with the attestation key's certificate."""

    report: Report
    opaque: Opaque
    chain: tuple[x509.Certificate, ...]
    identity: Identity | None
    switch: bool

    @property
    def chip(self) -> str:
        """`GH100`, as the certificate's name begins."""
        return common_name(self.chain[0]).partition(" ")[0]

    @property
    def platform_id(self) -> str:
        """`NVIDIA:GH100:48B02D92494BADF4`, or the certificate's serial number where it has no device information."""
        return device_info(self.chain[0]) or f"serial:{serial_number(self.chain[0]):x}"


@dataclass(frozen=True, slots=True)
class Result:
    """Checks and claims of one device, and the first end of what they relied upon."""

    checks: tuple[Check, ...]
    claims: Mapping[str, Any]
    expires: datetime | None


def parse_device(report: bytes, chain: bytes, *, switch: bool) -> Device:
    """Parse a device's members. Raises `MalformedError` and `UnsupportedError`."""
    parsed = parse_report(report)
    certificates = _certificates(chain)
    fields = parse_opaque(parsed.opaque, switch=switch)
    return Device(parsed, fields, certificates, read_identity(certificates[0]), switch)


@lru_cache(maxsize=REMEMBERED_CHAINS)
def _certificates(chain: bytes) -> tuple[x509.Certificate, ...]:
    """A device sends the same chain with all of its evidence."""
    end = der_length(chain, f"{ID}.certificate")
    # `load_chain` reads at most four, and NVIDIA's chains have five with the leaf.
    leaf = load_certificate(chain[:end], f"{ID}.certificate")
    return (leaf, *load_chain(chain[end:], f"{ID}.certificate"))


def check_device(
    device: Device,
    name: str,
    responses: Sequence[ocsp.OCSPResponse],
    among: Documents,
    trust: NvidiaTrust,
    at: datetime,
    effort: Effort,
) -> Result:
    """Everything that is asked of one device; `name` is the beginning of its checks' ids.

    `effort` is what its collateral may cost, shared by all devices of the evidence.
    """
    certificate, path = _check_certificate(device, f"{name}.certificate", trust, at)
    checks = [certificate]
    ends = []
    if path is not None:
        ends.append(path.expires)
        status = path.revocation(responses, at, f"{name}.revocation", f"{ID}.certificate", trust, effort, leaf=False)
        checks.append(status.check)
        ends += [status.expires] if status.expires else []
    checks += [
        _check_kind(device, f"{name}.kind"),
        _check_signature(device, f"{name}.signature"),
        _check_fwid(device, f"{name}.fwid"),
        _check_layout(device, f"{name}.opaque"),
    ]
    manifests = []
    for wanted in wanted_rims(device):
        line = f"{name}.{wanted.part}-rim"
        found: Found = find(wanted, among, responses, trust, at, line, device.report.by_index, effort)
        checks += [found.check, *found.revocation]
        manifests.append(found.manifest)
        ends += [found.expires] if found.expires else []
    measured, claims = check_measurements(device.report, device.opaque, manifests, f"{name}.measurements", trust)
    checks.append(measured)
    return Result(tuple(checks), {**_claims(device), **claims}, min(ends, default=None))


def wanted_rims(device: Device) -> list[Wanted]:
    """The RIMs that a device needs."""
    products = frozenset(normal(chip) for chip in (device.chip, device.opaque.text(opaque.CHIP_INFO)) if chip)
    edition = "SWITCH" if device.switch else "GPU"
    parts = [Wanted("vbios", edition, products, device.opaque.vbios_version)]
    if not device.switch:
        parts.insert(0, Wanted("driver", edition, products, device.opaque.text(opaque.DRIVER_VERSION)))
    return parts


def _check_certificate(device: Device, check: str, trust: NvidiaTrust, at: datetime) -> tuple[Check, Path | None]:
    required = "an attestation key's certificate that leads to a device root of the policy"
    try:
        path = check_path(device.chain, trust.device_roots, at, f"{ID}.certificate")
        usage = key_usage(device.chain[0])
        if usage is None or not usage.digital_signature:
            raise RejectedError(f"{ID}.certificate-usage", "the certified key may not sign")
    except EvidenceError as error:
        outcome: Outcome = "FAIL" if isinstance(error, RejectedError) else "SKIP"
        return Check(check, outcome, error.message, required, error.code, category="hardware"), None
    observed = f"{device.platform_id} ({path.leaf_name!r})"
    return Check(check, "PASS", observed, required, bits=192, category="hardware"), path


def _check_kind(device: Device, check: str) -> Check:
    chips = SWITCH_CHIPS if device.switch else GPU_CHIPS
    required = f"a {'switch' if device.switch else 'GPU'} whose chip's name begins with {' or '.join(chips)}"
    info = device_info(device.chain[0])
    named = info is None or info.split(":")[1] == device.chip
    if not device.chip.startswith(chips) or not named:
        return Check(check, "FAIL", device.chip or "no chip named", required, f"{ID}.device-kind", category="hardware")
    return Check(check, "PASS", device.chip, required, category="hardware")


def _check_signature(device: Device, check: str) -> Check:
    report, required = device.report, "ECDSA P-384 with SHA-384 by the certificate's key, over request and response"
    code, observed = "", "verifies"
    try:
        key = device.chain[0].public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp384r1":
            key.verify(encode_dss_signature(report.r, report.s), report.signed, ec.ECDSA(hashes.SHA384()))
        else:
            code, observed = f"{ID}.signature-key", "a certificate for another kind of key"
    except InvalidSignature:
        code, observed = f"{ID}.signature-invalid", "does not verify"
    except READ_ERRORS:
        code, observed = f"{ID}.signature-key", "a certificate for another kind of key"
    if code:
        return Check(check, "FAIL", observed, required, code, category="instance-identity")
    return Check(check, "PASS", observed, required, bits=192, category="instance-identity")


def _check_fwid(device: Device, check: str) -> Check:
    """The certificate names the firmware that held the key; the report names the firmware that made it."""
    told, required = device.opaque.fields.get(opaque.FWID), "the report's FWID in the certificate, of this very device"
    certified = device.identity
    if certified is not None and certified.device_key is not None and not _same_key(device, certified.device_key):
        return Check(check, "FAIL", "certificate for another device's key", required, f"{ID}.fwid-device")
    if told is None:
        code = f"{ID}.fwid-not-reported"
        return Check(check, "SKIP", "no FWID in the report", required, code, demanded=False, category="executables")
    if certified is None or certified.fwid != told:
        observed = certified.fwid.hex() if certified else "no FWID in the certificate"
        return Check(check, "FAIL", observed, f"FWID {told.hex()}", f"{ID}.fwid-mismatch", category="executables")
    return Check(check, "PASS", f"FWID {told.hex()}", required, category="executables")


def _same_key(device: Device, named: bytes) -> bool:
    if len(device.chain) < 2:
        return False
    try:
        issuer = device.chain[1].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except READ_ERRORS:
        return False
    return issuer == named


def _check_layout(device: Device, check: str) -> Check:
    required = f"fields of a published layout (version {opaque.MAX_OPAQUE_VERSION} or older)"
    version, unknown = device.opaque.version, device.opaque.unknown
    if version > opaque.MAX_OPAQUE_VERSION:
        return Check(check, "SKIP", f"version {version}", required, f"{ID}.opaque-version")
    if unknown:
        observed = f"unpublished fields {', '.join(map(str, unknown[:8]))}"
        return Check(check, "PASS", observed, required, f"{ID}.opaque-unknown", warning=True)
    return Check(check, "PASS", f"version {version}", required)


def _claims(device: Device) -> dict[str, Any]:
    return {
        "platform_id": device.platform_id,
        "chip": device.chip,
        "device": common_name(device.chain[1]) if len(device.chain) > 1 else "",
        "certificate_serial": str(serial_number(device.chain[0])),
        "measurement": hashlib.sha384(device.report.record).hexdigest(),
        "measurements": {str(index - 1): value.hex() for index, value in device.report.measurements.items()},
        "fwid": device.identity.fwid.hex() if device.identity else None,
        **device.opaque.describe(),
    }


def device_info(certificate: x509.Certificate) -> str | None:
    """`NVIDIA:<chip>:<serial>` of the subject's alternative name, or None."""
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            for name in extension.value:
                if isinstance(name, x509.OtherName) and name.type_id == DEVICE_INFO:
                    return _utf8(name.value)
    return None


def _utf8(der: bytes) -> str | None:
    """The text of a DER UTF8String of the form vendor:product:serial."""
    if len(der) < 2 or der[0] != 0x0C or der[1] != len(der) - 2:
        return None
    try:
        text = der[2:].decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and len(text.split(":")) == 3 else None
