# SPDX-License-Identifier: AGPL-3.0-or-later
"""`nvidia-gpu@v1` and `nvidia-switch@v1`: attestation reports of NVIDIA GPUs and NVSwitches, one or several at a time.

::

    signature = ECDSA-P384-SHA384_AK( GET_MEASUREMENTS(nonce) || MEASUREMENTS(digests, opaque fields) )
    AK <- device <- provisioner <- chip family <- NVIDIA Device Identity CA (pinned)
    golden digests = RIMs, XML signature <- signer <- ... <- NVIDIA CoRIM signing Root CA (pinned)

============  =====================================================================
`appraisal`   `appraise_gpus`, `appraise_switches`; the only entries a verifier needs
`trust`       `NvidiaTrust`: roots, what must be there
`raw`         the files in which others give such evidence
`device`      checks on one device; `golden` on its measurements
`spdm`        wire format of a report; `opaque` of the vendor's fields; `fwid` of the firmware's identity
`chains`      paths and OCSP; `assembly` of chains out of loose certificates; `roots` are NVIDIA's
`rim` `swid`  RIMs: choice, trust, and their narrow grammar; `xmldsig` is the one place that needs signxml
============  =====================================================================

Verifying needs the standard library and `cryptography`, and signxml where there are RIMs. Specification:
docs/spec/nvidia-device-v1.md.
"""

from attestation.contract import Format
from attestation.nvidia.appraisal import GPU_TYPE, MEMBERS, SWITCH_TYPE, appraise_gpus, appraise_switches
from attestation.nvidia.raw import read_gpus, read_switches
from attestation.nvidia.spdm import each_signed_report, signed_reports
from attestation.nvidia.trust import NvidiaTrust

FORMAT = Format(
    GPU_TYPE,
    "nvidia",
    MEMBERS,
    appraise_gpus,
    read_gpus,
    NvidiaTrust,
    signed=signed_reports,
    statements=each_signed_report,
)
SWITCH_FORMAT = Format(
    SWITCH_TYPE,
    "nvswitch",
    MEMBERS,
    appraise_switches,
    read_switches,
    NvidiaTrust,
    signed=signed_reports,
    statements=each_signed_report,
)

__all__ = [
    "FORMAT",
    "GPU_TYPE",
    "MEMBERS",
    "SWITCH_FORMAT",
    "SWITCH_TYPE",
    "NvidiaTrust",
    "appraise_gpus",
    "appraise_switches",
    "read_gpus",
    "read_switches",
]
