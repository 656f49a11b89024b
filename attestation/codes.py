# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of this room with its meaning, one line each; the formats' own lists joined. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation.azure.codes import CODES as AZURE
from attestation.azure_snp.codes import CODES as AZURE_SNP
from attestation.azure_tdx.codes import CODES as AZURE_TDX
from attestation.cmw.codes import CODES as CMW
from attestation.ear.codes import CODES as EAR
from attestation.eventlog.codes import CODES as EVENTLOG
from attestation.ima.codes import CODES as IMA
from attestation.nitro.codes import CODES as NITRO
from attestation.nvidia.codes import CODES as NVIDIA
from attestation.sgx.codes import CODES as SGX
from attestation.simulated.codes import CODES as SIMULATED
from attestation.snp.codes import CODES as SNP
from attestation.tdx.codes import CODES as TDX
from attestation.tpm2.codes import CODES as TPM2
from attestation.tsm.codes import CODES as TSM

_SHARED = {
    "evidence.type-unknown": "evidence of a type that is not supported",
    "evidence.time-naive": "the caller gave a time without time zone",
    "evidence.channel.malformed": "the caller gave a nonce or a TLS exporter of another length",
    "evidence.challenge-ambiguous": "zeros at the end of the challenge cannot be told from padding",
    "evidence.challenge-too-long": "the caller gave a challenge of unsupported length",
    "evidence.anchor-malformed": "a trust anchor is not one DER certificate in canonical form",
    "evidence.anchor-unsupported": "a trust anchor that the X.509 library cannot read",
    "evidence.collateral.too-large": "a file of collateral exceeds its limit",
    "evidence.collateral.too-much": "more collateral than is ever needed",
    "evidence.collateral.armour-malformed": "a file of collateral has PEM armour that does not decode",
}

CODES: Mapping[str, str] = MappingProxyType(
    {
        **_SHARED,
        **AZURE,
        **AZURE_SNP,
        **AZURE_TDX,
        **CMW,
        **EAR,
        **EVENTLOG,
        **IMA,
        **NITRO,
        **NVIDIA,
        **SGX,
        **SIMULATED,
        **SNP,
        **TDX,
        **TPM2,
        **TSM,
    }
)
