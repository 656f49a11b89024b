# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a maker and a firmware do to a TPM before its owner sees it; used on software TPMs only."""

from __future__ import annotations

from attestation.eventlog import EventLog
from attestation.eventlog.events import ALGORITHM_IDS, EV_NO_ACTION
from attestation.tpm2.device import TpmDevice
from attestation.tpm2.templates import EK_CERTIFICATE_INDEX

_CHUNK = 512
# TPMA_NV as makers define the index: platformCreate, noDA, authRead, ownerRead, ppRead, ppWrite.
_ATTRIBUTES = 1 << 30 | 1 << 25 | 1 << 18 | 1 << 17 | 1 << 16 | 1 << 0


def store_ek_certificate(device: TpmDevice, kind: str, certificate: bytes) -> None:
    """Write an EK certificate into the NV index that its template has."""
    tss, esys = device.tss, device.esys
    public = tss.TPM2B_NV_PUBLIC(
        nvPublic=tss.TPMS_NV_PUBLIC(
            nvIndex=EK_CERTIFICATE_INDEX[kind],
            nameAlg=tss.TPM2_ALG.SHA256,
            attributes=tss.TPMA_NV(_ATTRIBUTES),
            authPolicy=b"",
            dataSize=len(certificate),
        )
    )
    platform = tss.ESYS_TR.PLATFORM
    nv = device.call("define an NV index", esys.nv_define_space, None, public, auth_handle=platform)
    for offset in range(0, len(certificate), _CHUNK):
        part = certificate[offset : offset + _CHUNK]
        device.call("write to NV memory", esys.nv_write, nv, part, offset, auth_handle=platform)


def extend_boot(device: TpmDevice, log: EventLog) -> None:
    """Extend every measured event of `log` into its PCR, in all of the log's banks."""
    tss = device.tss
    for event in log.events:
        if event.type == EV_NO_ACTION:
            continue
        parts = [len(event.digests).to_bytes(4, "big")]
        for name, value in event.digests.items():
            parts += [ALGORITHM_IDS[name].to_bytes(2, "big"), value]
        values, _ = tss.TPML_DIGEST_VALUES.unmarshal(b"".join(parts))
        pcr = getattr(tss.ESYS_TR, f"PCR{event.register}")
        device.call("extend a PCR", device.esys.pcr_extend, pcr, values)
