# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measured against golden: what a device reports, compared with what NVIDIA's RIMs allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attestation.contract import Check
from attestation.nvidia.opaque import NVDEC0_DISABLED, NVDEC0_STATUS, Opaque
from attestation.nvidia.spdm import Report
from attestation.nvidia.swid import Manifest
from attestation.nvidia.trust import NvidiaTrust

ID = "evidence.nvidia"
NVDEC0_INDEX = 35
"""Golden measurement of the first video decoder, which says nothing where the device reports it switched off
(NVIDIA/nvtrust, verifier). RIMs count from 0, SPDM blocks from 1."""


def check_measurements(
    report: Report, fields: Opaque, manifests: Sequence[Manifest | None], check: str, trust: NvidiaTrust
) -> tuple[Check, dict[str, Any]]:
    """Compare every active golden measurement of the manifests with the report.

    FAIL with `evidence.nvidia.measurement-mismatch` or `-conflict`; SKIP with `-incomplete` where a manifest is missing
    (None), demanded as the trust says: a mismatch with those that are there fails first. Claims:
    `unexpected_components` (indices that differ), `measurements_without_reference`, and, where all match, `debug`
    False.
    """
    measured = report.by_index
    golden: dict[int, frozenset[bytes]] = {}
    for manifest in manifests:
        if manifest is None:
            continue
        if both := golden.keys() & manifest.golden.keys():
            observed = f"two RIMs speak of measurement {min(both)}"
            required = "driver and VBIOS measured apart"
            return Check(check, "FAIL", observed, required, f"{ID}.measurement-conflict", category="executables"), {}
        golden.update(manifest.golden)
    if fields.fields.get(NVDEC0_STATUS) == NVDEC0_DISABLED:
        golden.pop(NVDEC0_INDEX, None)
    wrong = sorted(index for index, allowed in golden.items() if measured.get(index) not in allowed)
    claims: dict[str, Any] = {"measurements_matched": len(golden) - len(wrong)}
    required = "the digest of a RIM at each index that the RIMs have"
    if wrong:
        claims["unexpected_components"] = [f"measurement {index}" for index in wrong]
        observed = f"{len(wrong)} of {len(golden)} differ: {', '.join(map(str, wrong[:16]))}"
        return Check(check, "FAIL", observed, required, f"{ID}.measurement-mismatch", category="executables"), claims
    observed = f"{len(golden)} of {len(golden)} match"
    if None in manifests or not golden:
        code = f"{ID}.measurement-incomplete"
        demanded = trust.require_rims
        return Check(check, "SKIP", observed, required, code, demanded=demanded, category="executables"), claims
    left = sorted(index for index, value in measured.items() if index not in golden and any(value))
    claims |= {"debug": False, "measurements_without_reference": left}
    return Check(check, "PASS", observed, required, category="executables"), claims
