# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: TPM 2.0 quote evidence in, check lines and claims out. Pure: no clock, network or device."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Member, check_arguments, check_members
from attestation.eventlog import MAX_LOG, parse_event_log
from attestation.pki.certificate import MAX_CERTIFICATE, MAX_CHAIN_BYTES
from attestation.tpm2.attest import Attest, parse_attest
from attestation.tpm2.boot_log import check_boot_log
from attestation.tpm2.certificates import load_certificate, load_chain
from attestation.tpm2.identity import Certificates, check_identity
from attestation.tpm2.pcrs import parse_pcrs
from attestation.tpm2.public import Public, parse_public
from attestation.tpm2.quote import (
    check_ak,
    check_challenge,
    check_header,
    check_signature,
    counters_obfuscated,
    describe_key,
    hierarchy,
)
from attestation.tpm2.registers import check_registers
from attestation.tpm2.signature import parse_signature
from attestation.tpm2.trust import Tpm2Trust

TYPE = "tpm2-quote@v1"
ID = "evidence.tpm2"

MEMBERS: Mapping[str, Member] = {
    "attest": Member(1024, required=True),
    "signature": Member(1024, required=True),
    "ak_public": Member(1024, required=True),
    "pcrs": Member(16384, required=True, media_type="text/plain"),
    "event_log": Member(MAX_LOG, required=False),
    "ek_certificate": Member(MAX_CERTIFICATE, required=False, media_type="application/pkix-cert"),
    "ek_chain": Member(MAX_CHAIN_BYTES, required=False),
    "ak_certificate": Member(MAX_CERTIFICATE, required=False, media_type="application/pkix-cert"),
    "ak_chain": Member(MAX_CHAIN_BYTES, required=False),
}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/tpm2-quote-v1.md."""


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: Tpm2Trust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise a TPM 2.0 quote.

    `challenge` must be the quote's qualifying data (32 bytes in an affidavit; None asks for no freshness), `at` an
    aware datetime for the validity of certificates. Raises `MalformedError` where bytes break the grammar,
    `UnsupportedError` for algorithms and certificates that cannot be read, `OperationalError` for a caller's
    mistake. Whatever is well-formed and false is a FAIL line.
    """
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    public = parse_public(members["ak_public"])
    attest = parse_attest(members["attest"])
    signature = parse_signature(members["signature"])
    values = parse_pcrs(members["pcrs"])
    log = parse_event_log(members["event_log"]) if "event_log" in members else None
    certificates = Certificates(
        ak=load_certificate(members["ak_certificate"]) if "ak_certificate" in members else None,
        ak_chain=load_chain(members.get("ak_chain", b"")),
        ek=load_certificate(members["ek_certificate"]) if "ek_certificate" in members else None,
        ek_chain=load_chain(members.get("ek_chain", b"")),
    )
    public.key()  # numbers that are no key are malformed, whatever else holds

    checks: list[Check] = [
        *check_header(attest),
        check_challenge(attest, challenge),
        *check_ak(public, trust),
    ]
    checks.append(check_signature(public, signature, members["attest"]))
    claims = _claims(attest, public)
    if attest.quote is not None:
        checks += check_registers(attest.quote, values, signature.hash, trust)
        claims["measurement"] = attest.quote.pcr_digest.hex()
        claims["pcrs"] = {f"{bank}:{index}": value.hex() for (bank, index), value in values.items()}
        log_check, log_claims = check_boot_log(log, attest.quote, values, trust)
        checks.append(log_check)
        claims.update(log_claims)
    placed = hierarchy(attest, public)
    identity_checks, identity_claims = check_identity(certificates, public, placed, trust, at)
    checks += identity_checks
    claims.update(identity_claims)
    checks.append(
        Check(
            f"{ID}.revocation",
            "SKIP",
            "certificate revocation is not looked at",
            "no revocation data is part of this format",
            f"{ID}.revocation-not-checked",
            demanded=False,
        )
    )
    return Appraisal(TYPE, tuple(checks), claims)


def _claims(attest: Attest, public: Public) -> dict[str, Any]:
    placed = hierarchy(attest, public)
    return {
        "challenge": attest.extra_data.hex(),
        "ak_name": public.name().hex(),
        "ak_key": describe_key(public),
        "ak_hierarchy": placed,
        "qualified_signer": attest.qualified_signer.hex(),
        "clock_ms": attest.clock,
        "clock_safe": attest.safe,
        "reset_count": attest.reset_count,
        "restart_count": attest.restart_count,
        "firmware_version": f"0x{attest.firmware_version:016x}",
        "counters_obfuscated": counters_obfuscated(placed),
        "revocation_checked": False,
    }
