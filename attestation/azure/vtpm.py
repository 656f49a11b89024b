# SPDX-License-Identifier: AGPL-3.0-or-later
"""The quote of a vTPM whose attestation key the hardware report vouches for.

Members `attest`, `signature`, `pcrs` and `event_log` are those of `tpm2-quote@v1` (docs/spec/tpm2-quote-v1.md), and so
are the checks on them, with their names and codes. There is no `ak_public` and no certificate: the key comes from the
runtime data, which the hardware report binds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.clock import Counters
from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Check, Claim, Member
from attestation.errors import MalformedError, RejectedError
from attestation.eventlog import MAX_LOG, parse_event_log
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.boot_log import check_boot_log, check_offered_logs
from attestation.tpm2.counters import check_counters, stated
from attestation.tpm2.logs import offered_event_logs
from attestation.tpm2.pcrs import parse_pcrs
from attestation.tpm2.quote import check_challenge, check_header
from attestation.tpm2.registers import check_registers
from attestation.tpm2.signature import SCHEME_NAMES, Signature, parse_signature
from attestation.tpm2.trust import Tpm2Trust

ID = "evidence.tpm2"
PREFIX = "evidence.azure"

VTPM_MEMBERS: Mapping[str, Member] = {
    "attest": Member(1024, required=False),
    "signature": Member(1024, required=False),
    "pcrs": Member(16384, required=False, media_type="text/plain"),
    "event_log": Member(MAX_LOG, required=False),
}
"""`attest`, `signature` and `pcrs` come together or not at all."""

_QUOTE = ("attest", "signature", "pcrs")
_REQUIRED = "a quote under the vTPM's attestation key, fresh by its extra data"


@dataclass(frozen=True)
class VtpmFinding:
    """Check lines, claims, and what the vTPM signed over the challenge about its clock."""

    checks: list[Check]
    claims: dict[str, Claim] = field(default_factory=dict)
    clocks: Mapping[bytes, Counters] = field(default_factory=dict)


def ak_fingerprint(ak: rsa.RSAPublicKey) -> bytes:
    """SHA-256 of the key's SubjectPublicKeyInfo, by which what it said of its clock is remembered."""
    return hashlib.sha256(ak.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def check_vtpm(
    members: Mapping[str, bytes],
    ak: rsa.RSAPublicKey,
    challenge: bytes | None,
    trust: Tpm2Trust,
    collateral: Collateral = EMPTY,
) -> VtpmFinding:
    """What there is to say of the quote; without one, a SKIP that is demanded (`evidence.azure.quote-missing`).

    `ak` is the key of the runtime data, `challenge` the quote's extra data, None where no freshness is asked for. Of
    `trust` banks, hashes, required and reference PCRs, event log settings and `last_seen` count. An event log that is
    no member may be among the collateral. Raises `MalformedError` and `UnsupportedError` as the parsers of
    `tpm2-quote@v1` do; `MalformedError` (`evidence.azure.quote-incomplete`).
    """
    present = [name for name in _QUOTE if name in members]
    if len(present) != len(_QUOTE):
        if present or "event_log" in members:
            raise MalformedError(
                f"{PREFIX}.quote-incomplete", f"a quote has {', '.join(_QUOTE)}; here: {', '.join(present) or 'none'}"
            )
        return VtpmFinding([Check(f"{PREFIX}.quote", "SKIP", "no quote", _REQUIRED, f"{PREFIX}.quote-missing")])
    attest = parse_attest(members["attest"])
    signature = parse_signature(members["signature"])
    values = parse_pcrs(members["pcrs"])
    log = parse_event_log(members["event_log"]) if "event_log" in members else None
    fingerprint = ak_fingerprint(ak)
    checks = [
        *check_header(attest),
        check_challenge(attest, challenge),
        _check_signature(ak, signature, members["attest"], trust),
        check_counters(attest, trust.last_seen.get(fingerprint)),
    ]
    claims: dict[str, Claim] = {
        "challenge": attest.extra_data.hex(),
        "ak_modulus": f"{ak.public_numbers().n:x}",
        "ak_key_sha256": fingerprint.hex(),
        "clock_ms": attest.clock,
        "reset_count": attest.reset_count,
        "restart_count": attest.restart_count,
    }
    if attest.quote is not None:
        checks += check_registers(attest.quote, values, signature.hash, trust)
        claims["pcrs"] = {f"{bank}:{index}": value.hex() for (bank, index), value in values.items()}
        about = (attest.quote, values, trust)
        line, found = (
            check_offered_logs(offered_event_logs(collateral), *about) if log is None else check_boot_log(log, *about)
        )
        checks.append(line)
        claims.update(found)
    return VtpmFinding(checks, claims, stated(fingerprint, attest, checks))


def _check_signature(ak: rsa.RSAPublicKey, signature: Signature, message: bytes, trust: Tpm2Trust) -> Check:
    check, required = f"{ID}.signature", "by the attestation key of the runtime data, over the attestation as received"
    observed = f"{SCHEME_NAMES[signature.scheme]} {signature.hash}"
    if signature.hash not in trust.signature_hashes:
        return Check(check, "FAIL", observed, required, f"{ID}.ak-key-weak")
    try:
        signature.verify(ak, message)
    except RejectedError as error:
        return Check(check, "FAIL", f"{observed}: {error.message}", required, error.code)
    return Check(check, "PASS", f"{observed}, verifies", required, bits=112)
