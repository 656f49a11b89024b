# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: TPM 2.0 quote evidence in, check lines and claims out. Pure: no clock, network or device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Category, Check, Member, check_arguments, check_members
from attestation.eventlog import MAX_LOG, parse_event_log
from attestation.ima import MAX_LIST, parse_ima_list
from attestation.pki.certificate import MAX_CERTIFICATE, MAX_CHAIN_BYTES
from attestation.tpm2.ak import AttestationKey, check_key, check_message, load_ak
from attestation.tpm2.attest import Attest, parse_attest
from attestation.tpm2.boot_log import check_boot_log, check_offered_logs
from attestation.tpm2.certificates import load_certificate, load_chain
from attestation.tpm2.counters import check_counters, stated
from attestation.tpm2.endorsements import check_revoked, pool
from attestation.tpm2.identity import Certificates, check_identity
from attestation.tpm2.ima_list import check_ima, check_offered_lists
from attestation.tpm2.logs import offered_event_logs, offered_ima_lists
from attestation.tpm2.pcrs import parse_pcrs
from attestation.tpm2.quote import check_challenge, check_header, counters_obfuscated, hierarchy
from attestation.tpm2.registers import check_registers
from attestation.tpm2.signature import parse_signature
from attestation.tpm2.trust import Tpm2Trust

TYPE = "tpm2-quote@v1"
ID = "evidence.tpm2"

MEMBERS: Mapping[str, Member] = {
    "attest": Member(1024, required=True),
    "signature": Member(1024, required=True),
    "ak_public": Member(1024, required=False),
    "ak_key": Member(1024, required=False),
    "pcrs": Member(16384, required=True, media_type="text/plain"),
    "event_log": Member(MAX_LOG, required=False),
    "ima_log": Member(MAX_LIST, required=False),
    "ek_certificate": Member(MAX_CERTIFICATE, required=False, media_type="application/pkix-cert"),
    "ek_chain": Member(MAX_CHAIN_BYTES, required=False),
    "ak_certificate": Member(MAX_CERTIFICATE, required=False, media_type="application/pkix-cert"),
    "ak_chain": Member(MAX_CHAIN_BYTES, required=False),
}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/tpm2-quote-v1.md. Of `ak_public` and
`ak_key` exactly one must be there."""

_CATEGORIES: Mapping[str, Category] = {
    f"{ID}.ak-enrolment": "instance-identity",
    f"{ID}.ek-certificate": "hardware",
    f"{ID}.ek-binding": "hardware",
    f"{ID}.pcr-reference": "executables",
    f"{ID}.event-log": "executables",
    f"{ID}.ima": "executables",
    f"{ID}.ima-boot-aggregate": "executables",
    f"{ID}.ima-reference": "executables",
}


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
    ak = load_ak(members)  # numbers that are no key are malformed, whatever else holds
    attest = parse_attest(members["attest"])
    signature = parse_signature(members["signature"])
    values = parse_pcrs(members["pcrs"])
    log = parse_event_log(members["event_log"]) if "event_log" in members else None
    measured = parse_ima_list(members["ima_log"]) if "ima_log" in members else None
    candidates = pool(collateral)
    certificates = Certificates(
        ak=load_certificate(members["ak_certificate"]) if "ak_certificate" in members else None,
        ak_chain=load_chain(members.get("ak_chain", b"")),
        ek=load_certificate(members["ek_certificate"]) if "ek_certificate" in members else None,
        ek_chain=load_chain(members.get("ek_chain", b"")),
    )

    checks: list[Check] = [
        *check_header(attest),
        check_challenge(attest, challenge),
        *check_key(ak, trust),
        check_message(ak, signature, members["attest"], trust),
        check_counters(attest, trust.last_seen.get(ak.fingerprint)),
    ]
    placed = hierarchy(attest, ak.public) if ak.public else None
    claims = _claims(attest, ak, placed)
    if attest.quote is not None:
        checks += check_registers(attest.quote, values, signature.hash, trust)
        claims["measurement"] = attest.quote.pcr_digest.hex()
        claims["pcrs"] = {f"{bank}:{index}": value.hex() for (bank, index), value in values.items()}
        about = (attest.quote, values, trust)
        log_check, log_claims = (
            check_boot_log(log, *about)
            if log is not None
            else check_offered_logs(offered_event_logs(collateral), *about)
        )
        ima_checks, ima_claims = (
            check_ima(measured, *about)
            if measured is not None
            else check_offered_lists(offered_ima_lists(collateral), *about)
        )
        checks += [log_check, *ima_checks]
        claims |= {**log_claims, **ima_claims}
    identity = check_identity(certificates, ak, placed, trust, at, candidates)
    revocation, lists_end = check_revoked(identity.paths, collateral, at, demanded=trust.require_crl)
    checks += [*identity.checks, revocation]
    claims |= {**identity.claims, "revocation_checked": revocation.outcome == "PASS"}
    ends = [path.expires for path in identity.paths] + ([lists_end] if lists_end else [])
    lines = tuple(replace(line, category=_CATEGORIES.get(line.id, line.category)) for line in checks)
    clocks = stated(ak.fingerprint, attest, checks)
    return Appraisal(TYPE, lines, claims, expires=min(ends, default=None), clocks=clocks)


def _claims(attest: Attest, ak: AttestationKey, placed: str | None) -> dict[str, Any]:
    claims = {
        "challenge": attest.extra_data.hex(),
        "report_data": attest.extra_data.hex(),
        "platform_id": ak.fingerprint.hex(),
        "ak_key": ak.describe(),
        "ak_hierarchy": placed,
        "qualified_signer": attest.qualified_signer.hex(),
        "clock_ms": attest.clock,
        "clock_safe": attest.safe,
        "reset_count": attest.reset_count,
        "restart_count": attest.restart_count,
        "firmware_version": f"0x{attest.firmware_version:016x}",
        "counters_obfuscated": counters_obfuscated(placed),
    }
    return claims if ak.public is None else {**claims, "ak_name": ak.public.name().hex()}
