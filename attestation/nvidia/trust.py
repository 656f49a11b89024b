# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy says to trust of NVIDIA's devices."""

from __future__ import annotations

from dataclasses import dataclass

from attestation.errors import OperationalError
from attestation.nvidia.roots import DEVICE_ROOT, RIM_ROOT

MAX_DEVICES = 16
"""Devices in one piece of evidence: a machine has up to eight GPUs and four switches."""


@dataclass(frozen=True, kw_only=True)
class NvidiaTrust:
    """Trust anchors and what must be there; for GPUs and switches alike.

    `device_roots`, `rim_roots`: DER; by default NVIDIA's. `require_rims`: golden measurements are needed, from the
    driver's and the VBIOS's RIM (a switch has the latter alone). `require_ocsp`: current OCSP responses are needed for
    the devices' and the RIM signers' certificates. Both are True by default, so that evidence without collateral stays
    unproved; what is there and false fails in any case. `device_count`: how many devices there must be; None for any.
    """

    device_roots: tuple[bytes, ...] = (DEVICE_ROOT,)
    rim_roots: tuple[bytes, ...] = (RIM_ROOT,)
    require_rims: bool = True
    require_ocsp: bool = True
    device_count: int | None = None

    def __post_init__(self) -> None:
        """Refuse trust that could never mean anything. Raises `OperationalError`."""
        if self.device_count is not None and not 1 <= self.device_count <= MAX_DEVICES:
            raise OperationalError(
                "evidence.nvidia.trust-invalid",
                f"device_count {self.device_count}; 1 to {MAX_DEVICES}",
                remedy="correct the policy",
            )
