# SPDX-License-Identifier: AGPL-3.0-or-later
"""An Azure guest on paper: a paper chip's report over runtime data with a paper TPM's key, and that key's quote."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from attestation.azure.hcl import HclReport
from attestation.azure_snp import AzureSnpTrust, appraise
from attestation.contract import Appraisal
from attestation.tpm2 import Tpm2Trust
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.attest import ST_ATTEST_QUOTE, TPM_GENERATED, Attest, QuoteInfo, Selection
from attestation.tpm2.pcrs import encode_pcrs, pcr_digest
from tests.attestation.paper import key_pair, sign
from tests.attestation.snp import paper

CHALLENGE = bytes(range(32))
AT = paper.AT


def jwk(key: Any, kid: str = "HCLAkPub") -> dict[str, Any]:
    """An RSA key as in runtime data."""
    numbers = key.public_key().public_numbers()
    octets = {"e": numbers.e.to_bytes(3, "big"), "n": numbers.n.to_bytes(key.key_size // 8, "big")}
    text = {name: base64.urlsafe_b64encode(value).rstrip(b"=").decode() for name, value in octets.items()}
    return {"kid": kid, "key_ops": ["sign"], "kty": "RSA", **text}


def runtime(key: Any = None, **changes: Any) -> bytes:
    """Runtime data; `changes` are its members, None removes one."""
    content: dict[str, Any] = {
        "keys": [jwk(key or key_pair("rsa-2048"))],
        "vm-configuration": {"secure-boot": True, "tpm-enabled": True, "vmUniqueId": "0000-1111"},
        "user-data": "00" * 64,
    }
    merged = {**content, **changes}
    return json.dumps({name: value for name, value in merged.items() if value is not None}).encode()


def hcl(data: bytes | None = None, hash_name: str = "sha256", report: bytes | None = None, **changes: Any) -> bytes:
    """An HCL report; `changes` are fields of the SNP report inside."""
    blank = HclReport(2, "snp", bytes(1184), hash_name, runtime() if data is None else data)
    inside = report or paper.report(**{"report_data": blank.report_data(), **changes})
    return replace(blank, hardware_report=inside).encode()


def members(
    challenge: bytes = CHALLENGE,
    key: Any = None,
    scheme: tuple[int, str] = (alg.RSASSA, "sha256"),
    **changes: bytes | None,
) -> dict[str, bytes]:
    """Evidence of the guest; `changes` are members, None removes one."""
    key = key or key_pair("rsa-2048")
    values = {("sha256", index): bytes([index]) * 32 for index in range(8)}
    selection = Selection("sha256", b"\xff\x00\x00")
    info = QuoteInfo((selection,), pcr_digest(values, tuple(values), scheme[1]))
    attest = Attest(TPM_GENERATED, ST_ATTEST_QUOTE, b"", challenge, 5, 1, 0, True, 0, info).encode()
    found: dict[str, bytes | None] = {
        "hcl_report": hcl(),
        "certificates": paper.der(paper.vek()),
        "attest": attest,
        "signature": sign(key, *scheme, attest).encode(),
        "pcrs": encode_pcrs(values),
    }
    return {name: data for name, data in {**found, **changes}.items() if data is not None}


def judge(parts: dict[str, bytes], challenge: bytes | None = CHALLENGE, **changes: Any) -> Appraisal:
    """Appraise under the paper manufacturer; `changes` are fields of `SnpTrust`, `vtpm` a `Tpm2Trust`."""
    vtpm = changes.pop("vtpm", Tpm2Trust())
    trust = AzureSnpTrust(snp=paper.trust(**changes), vtpm=vtpm)
    return appraise(parts, challenge=challenge, at=AT, trust=trust)
