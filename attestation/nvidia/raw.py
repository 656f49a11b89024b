# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports of NVIDIA's devices in the files in which others give them.

=========================  ================================================================
nvtrust, attestation-sdk   JSON list of `{"arch", "nonce", "evidence", "certificate"}`, the latter two in base64
NRAS request               JSON object `{"nonce", "arch", "evidence_list": [{"evidence", "certificate"}, ...]}`, also
                           as text under `nvidia_payload` (private-ml-sdk)
Trustee's agents           JSON object `{"device_evidence_list": [...]}`, GPUs and switches: each type reads its own
other JSON                 the one list of such devices under one of these names, on whatever level
a report                   binary, hex or base64; its chain from the collateral, or behind it as PEM
this project's own form    `attestation.raw.members`
=========================  ================================================================

A verifier's verdict is no evidence: detached EATs of NRAS or nvattest, whose outer token may even be unsigned
(`alg: none`), are refused.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

from attestation import raw
from attestation.armour import decode_pem
from attestation.collateral.recognition import unarmoured
from attestation.errors import MalformedError
from attestation.nvidia.appraisal import GPU_TYPE, ID, SWITCH_TYPE
from attestation.nvidia.trust import MAX_DEVICES

GPU_ARCHITECTURES = frozenset({"HOPPER", "BLACKWELL"})
SWITCH_ARCHITECTURES = frozenset({"LS10"})
_LISTS = ("evidence_list", "device_evidence_list", "evidences", "evidence")
_NAMES = frozenset(map(raw.plain_name, _LISTS))
_PAYLOAD = "nvidia_payload"
_REPORT = b"11e001ff"
"""How a report begins that stood in hex inside of its base64, as older attesters have it."""
_PEM = b"-----BEGIN CERTIFICATE-----"
_TOKEN = b"ey"
"""How a JWT begins."""
_NONCE = slice(4, 36)


def _read(data: bytes, *, switch: bool) -> dict[str, bytes]:
    if _PEM in data and data.lstrip()[:1] not in (b"{", b"["):
        return _report_and_pem(data)
    found = raw.document(data, ID)
    if found is None:
        return {"report_0": raw.binary(data, ID)}
    parts = raw.members(data, SWITCH_TYPE if switch else GPU_TYPE, ID)
    return parts if parts is not None else _devices(found, switch=switch)


read_gpus = partial(_read, switch=False)
"""Members from a file with GPUs: `Read` of the contract. Raises `MalformedError` with `evidence.nvidia.raw-*`."""

read_switches = partial(_read, switch=True)
"""Members from a file with NVSwitches, likewise."""


def _report_and_pem(data: bytes) -> dict[str, bytes]:
    start = data.index(_PEM)
    report = raw.binary(data[:start], ID)
    return {"report_0": report, "chain_0": _pem(data[start:])}


def _devices(found: Any, *, switch: bool) -> dict[str, bytes]:
    shared, entries = _listed(found)
    ours, others = (SWITCH_ARCHITECTURES, GPU_ARCHITECTURES) if switch else (GPU_ARCHITECTURES, SWITCH_ARCHITECTURES)
    devices: list[dict[str, Any]] = [{**shared, **entry} for entry in entries]
    kinds = [str(device.get("arch")).upper() for device in devices]
    if ours.intersection(kinds):
        devices = [device for device, kind in zip(devices, kinds, strict=True) if kind not in others]
    if not 1 <= len(devices) <= MAX_DEVICES:
        _refuse(f"{len(devices)} devices; 1 to {MAX_DEVICES}")
    parts = {}
    for index, device in enumerate(devices):
        parts[f"report_{index}"], chain = _device(device, ours)
        if chain is not None:
            parts[f"chain_{index}"] = chain
    return parts


def _listed(found: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is said of all devices, and the devices."""
    shared: dict[str, Any] = {}
    if isinstance(found, dict) and isinstance(found.get(_PAYLOAD), str):
        payload = found[_PAYLOAD].encode("utf-8", "surrogatepass")
        found = raw.document(payload, ID)
        if found is None:
            if payload.startswith(_TOKEN):
                _refuse_token()
            _refuse(f"a {_PAYLOAD} that is not JSON")
    if isinstance(found, dict):
        if _is_token(found):
            _refuse_token()
        lists = [(found, found[name]) for name in _LISTS if isinstance(found.get(name), list)]
        if not lists and isinstance(found.get("evidence"), str):
            lists = [(found, [found])]
        lists = lists or raw.nested(found, _NAMES, _are_devices)
        if len(lists) != 1:
            _refuse(f"JSON with {len(lists) or 'no'} lists of devices; exactly one expected")
        ((holder, entries),) = lists
        shared = {name: holder[name] for name in ("nonce", "arch") if name in holder}
    else:
        entries = found
    if any(isinstance(entry, list) and entry[:1] == ["JWT"] for entry in entries):
        _refuse_token()
    if not all(isinstance(entry, dict) for entry in entries):
        _refuse("a device that is no JSON object")
    return shared, entries


def _are_devices(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and isinstance(entry.get("evidence"), str) for entry in value)
    )


def _is_token(found: dict[str, Any]) -> bool:
    return "detached_eat" in found or "claims" in found or "eat_nonce" in found


def _device(entry: dict[str, Any], wanted: frozenset[str]) -> tuple[bytes, bytes | None]:
    arch = entry.get("arch")
    if arch is not None and (not isinstance(arch, str) or arch.upper() not in wanted):
        _refuse(f"architecture {str(arch)[:20]!r}; {' or '.join(sorted(wanted))}")
    report = unarmoured(_text(entry, "evidence"))
    if report.startswith(_REPORT):
        report = unarmoured(report)
    if (nonce := entry.get("nonce")) is not None and nonce != report[_NONCE].hex():
        _refuse("the nonce that is told is not the report's")
    if entry.get("certificate") is None:
        return report, None
    text = _text(entry, "certificate")
    return report, _pem(text if _PEM in text else unarmoured(text))


def _text(entry: dict[str, Any], name: str) -> bytes:
    value = entry.get(name)
    if not isinstance(value, str):
        _refuse(f"a device without {name}")
    return value.encode("utf-8", "surrogatepass")


def _pem(data: bytes) -> bytes:
    try:
        items = decode_pem(data)
    except ValueError as error:
        _refuse(f"no PEM certificates where a chain is due: {error}")
    if any(label != b"CERTIFICATE" for label, _ in items):
        _refuse("PEM of something else where a chain is due")
    return b"".join(certificate for _, certificate in items)


def _refuse(message: str) -> NoReturn:
    raise MalformedError(f"{ID}.raw-malformed", message)


def _refuse_token() -> NoReturn:
    raise MalformedError(
        f"{ID}.raw-token",
        "a verifier's token, which is a verdict and no evidence",
        remedy="give the reports and certificates that the verifier was given",
    )
