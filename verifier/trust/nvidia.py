# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.nvidia]`` and ``[evidence.nvswitch]``: roots and demands for ``nvidia-gpu@v1`` and ``nvidia-switch@v1``.

================  ======================================================================
`device_roots`    PEM certificates; absent: NVIDIA's device root
`rim_roots`       PEM certificates; absent: NVIDIA's RIM root
`require_rims`    whether golden measurements are needed (default true)
`require_ocsp`    whether current OCSP responses are needed (default true)
`device_count`    how many devices there must be; absent: any number
================  ======================================================================
"""

from __future__ import annotations

from typing import Any

from attestation.nvidia import NvidiaTrust
from attestation.nvidia.trust import MAX_DEVICES
from verifier.fields import Fields
from verifier.trust.certificates import certificates


def read(fields: Fields) -> NvidiaTrust:
    """The trust of one table; an absent key keeps its default. Raises `MalformedError`."""
    lists, flags = ("device_roots", "rim_roots"), ("require_rims", "require_ocsp")
    fields.exactly((), optional={*lists, *flags, "device_count"})
    settings: dict[str, Any] = {key: certificates(fields, key) for key in lists if key in fields.value}
    settings |= {key: fields.boolean(key) for key in flags if key in fields.value}
    if "device_count" in fields.value:
        settings["device_count"] = fields.integer("device_count", 1, MAX_DEVICES)
    return NvidiaTrust(**settings)
