# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keylime's quotes, in the JSON of its verifier's `verify/evidence`.

===============================  ==============  ==============================================================
field                            member          content
===============================  ==============  ==============================================================
`quote`                          `attest`, ...   `r` TPMS_ATTEST `:` TPMT_SIGNATURE `:` PCRs (`serialized`), base64
`tpm_ak`, `ak_tpm`, `aik_tpm`    `ak_public`     TPM2B_PUBLIC, base64; the last as the registrar says it
`ima_measurement_list`           `ima_log`       text
`mb_log`, `mb_measurement_list`  `event_log`     base64
===============================  ==============  ==============================================================

The fields may stand under `data` or `results`. An agent's own answer has no key: it may
lie beside the file (`pieces`), or as the registrar's `aik_tpm` in it. Nonce,
policies and the EK, which nothing in the request binds to the quote, are left aside.
Source: keylime, `docs/rest_apis`, `tpm/tpm_main.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attestation.armour import decode_base64
from attestation.tpm2.pcrs import encode_pcrs
from attestation.tpm2.serialized import parse_serialized

KEYS = ("tpm_ak", "ak_tpm", "aik_tpm")
_LOGS = ("mb_log", "mb_measurement_list")


def is_keylime(found: Mapping[str, Any]) -> bool:
    """Whether a JSON object has a quote in keylime's form."""
    quote = _inner(found).get("quote")
    return isinstance(quote, str) and quote[:1] == "r" and quote.count(":") == 2


def read_keylime(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Members of the evidence. Raises `ValueError` or `EvidenceError`."""
    inner = _inner(found)
    keys = {_base64(inner[name]) for name in KEYS if inner.get(name)}
    if len(keys) > 1:
        raise ValueError(f"two keys among {', '.join(KEYS)}")
    attest, signature, pcrs = (_base64(part) for part in inner["quote"][1:].split(":"))
    parts = {"attest": attest, "signature": signature, "pcrs": encode_pcrs(parse_serialized(pcrs))}
    for public in keys:
        if len(public) < 2 or int.from_bytes(public[:2], "big") != len(public) - 2:
            raise ValueError("the key is no TPM2B_PUBLIC")
        parts["ak_public"] = public[2:]
    if measured := inner.get("ima_measurement_list"):
        parts["ima_log"] = _text(measured).encode("utf-8")
    logs = {_base64(inner[name]) for name in _LOGS if inner.get(name)}
    if len(logs) > 1:
        raise ValueError("two event logs")
    return parts | ({"event_log": logs.pop()} if logs else {})


def _inner(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((found[name] for name in ("data", "results") if isinstance(found.get(name), dict)), found)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text expected")
    return value


def _base64(value: object) -> bytes:
    return decode_base64(_text(value))
