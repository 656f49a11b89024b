# SPDX-License-Identifier: AGPL-3.0-or-later
"""OCSP responses (RFC 6960), given as collateral.

A response counts when it names the certificate by its issuer's name, its issuer's key and its serial number, is signed,
and is current at the time of the question. It may be signed by the issuer; or by a responder that the issuer, or a CA
above it in the path, has certified for `id-kp-OCSPSigning` and whose certificate is valid. RFC 6960 section 4.2.2.2
knows the issuer alone; a CA above could have certified the issuer anew, so that listening to it, too, trusts nobody
else. Nonces are not looked at: a response that travels answers nobody's question. One that revokes does so whatever
its date.
"""

from __future__ import annotations

import hashlib
import hmac
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from attestation.contract import Check
from attestation.errors import EvidenceError
from attestation.pki.certificate import READ_ERRORS, load_certificate, serial_number
from attestation.pki.effort import Effort
from attestation.pki.path import bound_key, check_key, issued

MAX_RESPONSE = 32 << 10
"""Bytes of one response: about 2 kB with the responder's certificate."""
MAX_MATCHING = 4
MAX_RESPONDERS = 2
"""Responses about one certificate, and certificates in a response, that are looked at: each costs a signature."""

MAX_ALONE = 32
"""Signatures that are verified where the caller sets no limit of its own."""

REMEMBERED_SIGNATURES = 128

_STRONG = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_NAMING = frozenset({"sha1", "sha256", "sha384", "sha512"})
_PARTS = ("serial_number", "certificate_status", "this_update_utc", "extensions", "single_extensions", "certificates")
_UNREADABLE = (*READ_ERRORS, UnsupportedAlgorithm, OverflowError)


@dataclass(frozen=True, slots=True)
class Status:
    """A check line, and the end of the response that was relied upon."""

    check: Check
    expires: datetime | None = None


def load_responses(items: Sequence[bytes]) -> tuple[ocsp.OCSPResponse, ...]:
    """The successful, single responses among items; what cannot be read is left out."""
    found = []
    for data in items:
        if len(data) > MAX_RESPONSE:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # serial number 0 and over-long names: see `certificate`
                response = ocsp.load_der_ocsp_response(data)
                if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                    continue
                # Read once here: what fails later would fail in the middle of a question.
                for part in _PARTS:
                    getattr(response, part)
        except _UNREADABLE:
            continue
        found.append(response)
    return tuple(found)


def check_status(
    certificate: x509.Certificate,
    above: Sequence[x509.Certificate],
    responses: Sequence[ocsp.OCSPResponse],
    at: datetime,
    *,
    check: str,
    prefix: str,
    demanded: bool = True,
    effort: Effort | None = None,
) -> Status:
    """Is `certificate` good? `above` is its validated path: issuer first, anchor last.

    FAIL with `<prefix>-ocsp-revoked` or `-ocsp-hold`; SKIP with `-ocsp-missing`, `-ocsp-invalid` (not signed by whoever
    may), `-ocsp-expired` (`at` is outside its window); and, demanded in any case, `-ocsp-unknown`, and
    `-ocsp-too-many`: a response that says "revoked" was not looked into, for there are more than `MAX_MATCHING` or the
    `effort` is spent. So whoever adds worthless ones hides none.
    """
    number = serial_number(certificate)
    name = f"serial {number:x}"
    required = "a current OCSP response that says good"
    problem, code, tolerable = "no OCSP response", f"{prefix}-ocsp-missing", True
    good: datetime | None = None
    effort = effort or Effort(MAX_ALONE)
    # Those that revoke first, then the newest: what was added to a folder does not push out what counts.
    matching = sorted((response for response in responses if _names(response, number, above[0])), key=_weight)
    unread = any(map(_revokes, matching[MAX_MATCHING:]))
    for response in matching[:MAX_MATCHING]:
        refused = effort.refused
        if not _signed(response, above, at, prefix, effort):
            unread = unread or (effort.refused > refused and _revokes(response))
            if code.endswith("missing"):
                problem, code = "a response that nobody signed who may", f"{prefix}-ocsp-invalid"
            continue
        if _revokes(response):
            reason = response.revocation_reason
            held = reason is x509.ReasonFlags.certificate_hold
            code = f"{prefix}-ocsp-hold" if held else f"{prefix}-ocsp-revoked"
            said = f"{name} revoked: {reason.value if reason else 'no reason given'}"
            return Status(Check(check, "FAIL", said, required, code))
        begin, end = response.this_update_utc, response.next_update_utc
        if end is None or not begin <= at <= end:
            problem = f"response of {begin.isoformat()}, next update {end.isoformat() if end else 'never'}"
            code = f"{prefix}-ocsp-expired"
        elif response.certificate_status is ocsp.OCSPCertStatus.GOOD:
            good = end if good is None else max(good, end)
        else:
            problem, code, tolerable = f"{name} is unknown to the responder", f"{prefix}-ocsp-unknown", False
    if unread:
        problem, code, tolerable = "more responses than are looked at", f"{prefix}-ocsp-too-many", False
    if good is not None and tolerable:
        return Status(Check(check, "PASS", f"{name} good until {good.isoformat()}", required), good)
    return Status(Check(check, "SKIP", problem, required, code, demanded=demanded or not tolerable))


def _revokes(response: ocsp.OCSPResponse) -> bool:
    return response.certificate_status is ocsp.OCSPCertStatus.REVOKED


def _weight(response: ocsp.OCSPResponse) -> tuple[bool, float]:
    return not _revokes(response), -response.this_update_utc.timestamp()


def _names(response: ocsp.OCSPResponse, number: int, issuer: x509.Certificate) -> bool:
    try:
        if response.serial_number != number:
            return False
        algorithm = response.hash_algorithm.name
        if algorithm not in _NAMING:
            return False
        name, key = _issuer_hashes(issuer, algorithm)
    except _UNREADABLE:
        return False
    return hmac.compare_digest(response.issuer_key_hash, key) and hmac.compare_digest(response.issuer_name_hash, name)


@lru_cache(maxsize=REMEMBERED_SIGNATURES)
def _issuer_hashes(issuer: x509.Certificate, algorithm: str) -> tuple[bytes, bytes]:
    """Of name and key, by which a response names the issuer."""
    name, key = issuer.subject.public_bytes(), _key_bits(issuer)
    return hashlib.new(algorithm, name).digest(), hashlib.new(algorithm, key).digest()


def _signed(
    response: ocsp.OCSPResponse, above: Sequence[x509.Certificate], at: datetime, prefix: str, effort: Effort
) -> bool:
    critical = [*response.extensions, *response.single_extensions]
    if any(extension.critical and extension.oid != x509.OCSPNonce.oid for extension in critical):
        return False
    if _answers(response, above[0]) and _verifies(response, above[0], effort):
        return True
    for responder in response.certificates[:MAX_RESPONDERS]:
        # Nobody's key is used before somebody above has certified it: a verification may be made to take long.
        if not _answers(response, responder):
            continue
        if _may_respond(responder, above, at, prefix, effort) and _verifies(response, responder, effort):
            return True
    return False


def _answers(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    """Whether the response says that it is by `signer`: by the key's SHA-1, or by the name (RFC 6960 section 4.2.1)."""
    try:
        if response.responder_key_hash is None:
            return response.responder_name == signer.subject
        named = hashlib.sha1(_key_bits(signer), usedforsecurity=False).digest()
        return hmac.compare_digest(response.responder_key_hash, named)
    except _UNREADABLE:
        return False


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The BIT STRING's content in a certificate's key, without tag, length and unused bits (RFC 6960 4.1.1)."""
    public = certificate.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    raise ValueError("neither RSA nor ECDSA")


def _verifies(response: ocsp.OCSPResponse, signer: x509.Certificate, effort: Effort) -> bool:
    try:
        algorithm = response.signature_hash_algorithm
        if algorithm is None or algorithm.name not in _STRONG or not effort.allows(response.signature, signer):
            return False
        return _valid(response.tbs_response_bytes, response.signature, algorithm.name, signer)
    except _UNREADABLE:
        return False


@lru_cache(maxsize=REMEMBERED_SIGNATURES)
def _valid(message: bytes, signature: bytes, algorithm: str, signer: x509.Certificate) -> bool:
    """Whether `signer` signed. Remembered: devices of one machine share what stands above them."""
    key, hashing = signer.public_key(), _STRONG[algorithm]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(hashing))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashing)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _may_respond(
    responder: x509.Certificate, above: Sequence[x509.Certificate], at: datetime, prefix: str, effort: Effort
) -> bool:
    try:
        # Again from its bytes, for the canonical form and for parts that are read lazily.
        certificate = load_certificate(responder.public_bytes(Encoding.DER), f"{prefix}-responder")
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        check_key(certificate, prefix)
        bound_key(certificate, prefix)
    except (x509.ExtensionNotFound, EvidenceError, *_UNREADABLE):
        return False
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
        return False
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return False
    return any(_issued(certificate, issuer, effort) for issuer in above)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, effort: Effort) -> bool:
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name not in _STRONG or certificate.issuer != issuer.subject:
        return False
    return effort.allows(certificate, issuer) and issued(certificate, issuer)
