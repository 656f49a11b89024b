# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: reports of one or several devices in, check lines and claims out. Pure: no clock, network or device."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Member, check_arguments, check_members
from attestation.errors import MalformedError, UnsupportedError
from attestation.freshness import freshness
from attestation.nvidia.assembly import Loose
from attestation.nvidia.device import Device, check_device, parse_device, wanted_rims
from attestation.nvidia.rim import documents
from attestation.nvidia.spdm import MAX_REPORT
from attestation.nvidia.trust import MAX_DEVICES, NvidiaTrust
from attestation.pki.certificate import MAX_CERTIFICATE, READ_ERRORS
from attestation.pki.effort import Effort
from attestation.pki.ocsp import load_responses

GPU_TYPE = "nvidia-gpu@v1"
SWITCH_TYPE = "nvidia-switch@v1"
ID = "evidence.nvidia"

EFFORT, EFFORT_EACH, ASSEMBLY_EACH = 24, 8, 12
"""Signatures in collateral that are verified for one piece of evidence, and for each device in it: NVIDIA's own for
one device have 26, of which the half is the same for all. The devices' own chains and reports are not among them.
To find the chains of devices that come without, the same with the last number: sixteen devices whose certificates
come in the worst order take 170."""

MAX_CHAIN = 5 * MAX_CERTIFICATE
MEMBERS: Mapping[str, Member] = {
    name: member
    for index in range(MAX_DEVICES)
    for name, member in (
        (f"report_{index}", Member(MAX_REPORT, required=index == 0)),
        (f"chain_{index}", Member(MAX_CHAIN, required=False)),
    )
}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/nvidia-device-v1.md."""


def _appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: NvidiaTrust,
    collateral: Collateral = EMPTY,
    switch: bool,
) -> Appraisal:
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    count = sum(name.startswith("report_") for name in members)
    devices = _devices(members, collateral, Effort(EFFORT + ASSEMBLY_EACH * count), switch=switch)
    effort = Effort(EFFORT + EFFORT_EACH * count)
    responses = load_responses(collateral.of("ocsp"))
    versions = {wanted.version for device in devices for wanted in wanted_rims(device) if wanted.version}
    rims = documents(collateral, versions)
    results = [
        check_device(device, f"{ID}.device[{index}]", responses, rims, trust, at, effort)
        for index, device in enumerate(devices)
    ]
    checks = [_check_count(devices, trust), _check_distinct(devices), _check_nonce(devices, challenge)]
    checks += [check for result in results for check in result.checks]
    ends = [result.expires for result in results if result.expires is not None]
    claims = _claims(devices, [result.claims for result in results])
    return Appraisal(SWITCH_TYPE if switch else GPU_TYPE, tuple(checks), claims, expires=min(ends, default=None))


appraise_gpus = partial(_appraise, switch=False)
"""Appraise GPUs: `Appraise` of the contract. Every device must pass, over the same nonce. Certificates of devices that
come without a chain, OCSP responses and RIMs are taken from the collateral."""

appraise_switches = partial(_appraise, switch=True)
"""Appraise NVSwitches, likewise."""


def _devices(members: Mapping[str, bytes], collateral: Collateral, effort: Effort, *, switch: bool) -> list[Device]:
    count = sum(1 for name in members if name.startswith("report_"))
    present = [index for index in range(MAX_DEVICES) if f"report_{index}" in members]
    chains = [index for index in range(MAX_DEVICES) if f"chain_{index}" in members]
    if present != list(range(count)) or not set(chains) <= set(present):
        raise MalformedError(f"{ID}.members-gap", "devices are counted from 0 without gaps, each with its report")
    loose = Loose(collateral, effort) if len(chains) < count else None
    devices = []
    for index in present:
        report = members[f"report_{index}"]
        chain = members.get(f"chain_{index}") or (loose.assemble(report) if loose else b"")
        if not chain:
            raise UnsupportedError(
                f"{ID}.chain-missing",
                f"no certificate chain of device {index}, in evidence or collateral",
                remedy="give the device's certificate chain with its report",
            )
        devices.append(parse_device(report, chain, switch=switch))
    return devices


def _check_count(devices: Sequence[Device], trust: NvidiaTrust) -> Check:
    required = "any number" if trust.device_count is None else str(trust.device_count)
    if trust.device_count is not None and len(devices) != trust.device_count:
        return Check(f"{ID}.count", "FAIL", str(len(devices)), required, f"{ID}.device-count")
    return Check(f"{ID}.count", "PASS", str(len(devices)), required)


def _check_distinct(devices: Sequence[Device]) -> Check:
    """No device twice: neither its name, nor the key of its certificate, nor that of the certificate above it."""
    required = "each device once: other names, attestation keys and device keys"
    seen: set[bytes] = set()
    for index, device in enumerate(devices):
        for mark in _marks(device):
            if mark in seen:
                observed = f"device {index} ({device.platform_id}) twice"
                return Check(f"{ID}.distinct", "FAIL", observed, required, f"{ID}.device-duplicate")
        seen.update(_marks(device))
    return Check(f"{ID}.distinct", "PASS", f"{len(devices)} devices", required)


def _marks(device: Device) -> list[bytes]:
    marks = [b"name " + device.platform_id.encode()]
    for depth, certificate in enumerate(device.chain[:2]):
        marks.append(b"key%d " % depth + _key(certificate))
    return marks


def _check_nonce(devices: Sequence[Device], challenge: bytes | None) -> Check:
    nonces = {device.report.nonce for device in devices}
    if len(nonces) != 1:
        observed, required = f"{len(nonces)} nonces", "all devices asked with one nonce"
        return Check(f"{ID}.challenge", "FAIL", observed, required, f"{ID}.nonce-differs")
    return freshness(nonces.pop(), challenge, f"{ID}.challenge", ID)


def _claims(devices: Sequence[Device], each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Claims of the set, and under `devices` those of each."""
    records = b"".join(device.report.record for device in devices)
    unexpected = [
        f"device {i}: {part}" for i, told in enumerate(each) for part in told.get("unexpected_components", [])
    ]
    claims: dict[str, Any] = {
        "measurement": hashlib.sha384(records).hexdigest(),
        "report_data": devices[0].report.nonce.hex(),
        "platform_id": ",".join(device.platform_id for device in devices),
        "devices": [dict(told) for told in each],
    }
    if all(told.get("debug") is False for told in each):
        claims["debug"] = False
    if unexpected:
        claims["unexpected_components"] = unexpected
    return claims


def _key(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except READ_ERRORS:  # a key that cannot be read verifies nothing; the certificate stands for it
        return certificate.public_bytes(Encoding.DER)
