# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: an attestation document in, check lines and claims out. Pure: no clock, no network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Member, check_arguments, check_members
from attestation.freshness import freshness
from attestation.nitro import chain as certificates
from attestation.nitro.chain import Chain
from attestation.nitro.document import MAX_DOCUMENT, Document, Envelope, parse_document, parse_envelope
from attestation.nitro.trust import NitroTrust

TYPE = "nitro-document@v1"
ID = "evidence.nitro"

MEMBERS: Mapping[str, Member] = {"document": Member(MAX_DOCUMENT, required=True, media_type="application/cose")}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/nitro-document-v1.md."""

IMAGE_PCRS = (0, 1, 2)
"""Enclave image, kernel and bootstrap, application: AWS, "Cryptographic attestation"; zero in debug mode."""


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: NitroTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise a Nitro attestation document.

    `challenge` must be in the field that `trust.challenge_field` names; `at` is an aware datetime for certificates
    and the document's age; CRLs are taken from `collateral`. Raises `MalformedError`, `UnsupportedError` for
    certificates that cannot be read, `OperationalError` for a caller's mistake.
    """
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    envelope = parse_envelope(members["document"])
    document = parse_document(envelope.payload)
    chain = certificates.load(document)
    observed = document.nonce if trust.challenge_field == "nonce" else document.user_data
    certificate = certificates.check_certificate(chain, trust.roots, at)
    lists = collateral if certificate.outcome == "PASS" else EMPTY
    revocation, lists_end = certificates.check_revoked(chain, lists, at, demanded=trust.require_crl)
    checks = (
        certificate,
        revocation,
        _check_signature(envelope, chain),
        _check_timestamp(document, chain, trust, at),
        freshness(observed or b"", challenge, f"{ID}.challenge", ID),
        *_check_kind(document, trust),
        _check_references(document, trust),
    )
    expires = chain.expires if lists_end is None else min(chain.expires, lists_end)
    return Appraisal(TYPE, checks, _claims(document), expires=expires)


def _check_signature(envelope: Envelope, chain: Chain) -> Check:
    check, required = f"{ID}.signature", "ECDSA P-384 with SHA-384 by the certificate's key, over the document"
    key = certificates.key(chain)
    if key is None:
        return Check(check, "FAIL", "a certificate for another kind of key", required, f"{ID}.signature-key")
    try:
        key.verify(encode_dss_signature(envelope.r, envelope.s), envelope.to_be_signed(), ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return Check(check, "FAIL", "does not verify", required, f"{ID}.signature-invalid")
    return Check(check, "PASS", "verifies", required, bits=192, category="instance-identity")


def _time(document: Document) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=document.timestamp)


def _check_timestamp(document: Document, chain: Chain, trust: NitroTrust, at: datetime) -> Check:
    check, made = f"{ID}.timestamp", _time(document)
    required = f"within the certificate's validity, at most {trust.max_age} s old and {trust.max_skew} s ahead"
    code = ""
    if not chain.leaf.not_valid_before_utc <= made <= chain.leaf.not_valid_after_utc:
        code = f"{ID}.timestamp-outside-certificate"
    elif (made - at).total_seconds() > trust.max_skew:
        code = f"{ID}.timestamp-future"
    elif (at - made).total_seconds() > trust.max_age:
        code = f"{ID}.timestamp-old"
    return Check(check, "FAIL" if code else "PASS", made.isoformat(), required, code)


def _check_kind(document: Document, trust: NitroTrust) -> list[Check]:
    """An enclave's document is asked whether anybody may look into it; a NitroTPM's has no answer to that."""
    if document.kind == trust.kind == "enclave":
        return [_check_debug(document)]
    observed, required = f"a document of kind {document.kind!r}", f"one of kind {trust.kind!r}, as the policy says"
    if document.kind != trust.kind:
        return [Check(f"{ID}.kind", "SKIP", observed, required, f"{ID}.kind-not-accepted", category="runtime-opaque")]
    return [Check(f"{ID}.kind", "PASS", observed, required)]


def _check_debug(document: Document) -> Check:
    check, required = f"{ID}.debug", "an enclave that nobody may look into: PCRs 0, 1 and 2 there and not zero"
    zero = [index for index in IMAGE_PCRS if not any(document.pcrs.get(index, b""))]
    if zero:
        listed = ", ".join(map(str, zero))
        return Check(check, "FAIL", f"PCR {listed} zero or absent", required, f"{ID}.debug", category="runtime-opaque")
    return Check(check, "PASS", "PCRs 0, 1 and 2 are measured", required, category="runtime-opaque")


def _check_references(document: Document, trust: NitroTrust) -> Check:
    check, observed = f"{ID}.pcr-reference", f"PCR 0 {document.pcrs.get(0, b'').hex() or 'absent'}"
    if not trust.reference_pcrs:
        required, code = "reference values of the policy", f"{ID}.pcr-no-reference"
        return Check(check, "SKIP", observed, required, code, demanded=False, category="executables")
    for index, allowed in sorted(trust.reference_pcrs.items()):
        value = document.pcrs.get(index)
        required = f"PCR {index} one of {', '.join(sorted(digest.hex() for digest in allowed)[:4])}"
        if value is None:
            code = f"{ID}.pcr-absent"
            return Check(check, "FAIL", f"no PCR {index}", required, code, category="executables")
        if value not in allowed:
            code = f"{ID}.pcr-unexpected"
            return Check(check, "FAIL", f"PCR {index} {value.hex()}", required, code, category="executables")
    listed = ", ".join(map(str, sorted(trust.reference_pcrs)))
    return Check(check, "PASS", f"PCR {listed} as allowed", "reference values of the policy", category="executables")


def _claims(document: Document) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "platform_id": document.module_id,
        "document_kind": document.kind,
        "timestamp": _time(document).isoformat(),
        "pcrs": {str(index): value.hex() for index, value in sorted(document.pcrs.items())},
    }
    if document.kind == "enclave":
        claims["debug"] = not all(any(document.pcrs.get(index, b"")) for index in IMAGE_PCRS)
        if 0 in document.pcrs:
            claims["measurement"] = document.pcrs[0].hex()
    fields = {"report_data": document.user_data, "nonce": document.nonce, "public_key": document.public_key}
    claims.update({name: value.hex() for name, value in fields.items() if value is not None})
    return claims
