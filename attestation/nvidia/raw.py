# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports of NVIDIA's devices in the files in which others give them.

=========================  ================================================================
nvtrust, attestation-sdk   JSON list of `{"arch", "nonce", "evidence", "certificate"}`, the latter two in base64
NRAS request               JSON object `{"nonce", "arch", "evidence_list": [{"evidence", "certificate"}, ...]}`
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
_LISTS = ("evidence_list", "evidences", "evidence")
_PEM = b"-----BEGIN CERTIFICATE-----"
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
    shared: dict[str, Any] = {}
    if isinstance(found, dict):
        if _is_token(found):
            _refuse_token()
        lists = [found[name] for name in _LISTS if isinstance(found.get(name), list)]
        if not lists and isinstance(found.get("evidence"), str):
            lists = [[found]]
        if len(lists) != 1:
            _refuse("JSON without a list of devices")
        shared = {name: found[name] for name in ("nonce", "arch") if name in found}
        found = lists[0]
    if any(isinstance(entry, list) and entry[:1] == ["JWT"] for entry in found):
        _refuse_token()
    if not 1 <= len(found) <= MAX_DEVICES:
        _refuse(f"{len(found)} devices; 1 to {MAX_DEVICES}")
    parts = {}
    for index, entry in enumerate(found):
        if not isinstance(entry, dict):
            _refuse("a device that is no JSON object")
        parts[f"report_{index}"], chain = _device({**shared, **entry}, switch=switch)
        if chain is not None:
            parts[f"chain_{index}"] = chain
    return parts


def _is_token(found: dict[str, Any]) -> bool:
    return "detached_eat" in found or "claims" in found or "eat_nonce" in found


def _device(entry: dict[str, Any], *, switch: bool) -> tuple[bytes, bytes | None]:
    arch = entry.get("arch")
    wanted = SWITCH_ARCHITECTURES if switch else GPU_ARCHITECTURES
    if arch is not None and (not isinstance(arch, str) or arch.upper() not in wanted):
        _refuse(f"architecture {str(arch)[:20]!r}; {' or '.join(sorted(wanted))}")
    report = unarmoured(_text(entry, "evidence"))
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
