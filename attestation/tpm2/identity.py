# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose key it is: AK certificate, EK certificate, and what joins them to the quote.

Two ways by certificate, by which list of the policy the AK certificate leads to:

    attestation CA:  AK certificate (extension: EK certificate digest, AK Name) -> ak_issuers
                     EK certificate                                            -> ek_roots
    platform:        AK certificate -> platform_ak_issuers; the qualified signer contains the AK's Name

Or neither: the policy lists the key itself, enrolled before (`ak_names`, `ak_keys`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography import x509

from attestation.contract import Check, Outcome
from attestation.errors import EvidenceError, RejectedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS
from attestation.pki.path import der, extended_key_usage, key_usage, validate
from attestation.tpm2.ak import AttestationKey, is_enrolled
from attestation.tpm2.binding import AK_CERTIFICATE_EKU, AkBinding, read_binding
from attestation.tpm2.ek import check_ek_certificate, describe_tpm
from attestation.tpm2.endorsements import Path, complete, leaves, load_anchors
from attestation.tpm2.trust import Tpm2Trust

ID = "evidence.tpm2"
_AK, _AK_BINDING, _EK, _EK_BINDING = (
    f"{ID}.ak-certificate",
    f"{ID}.ak-binding",
    f"{ID}.ek-certificate",
    f"{ID}.ek-binding",
)
_ENROLMENT = f"{ID}.ak-enrolment"
_ENROLLED = "an attestation key that the policy lists, enrolled before"
_ACTIVATED = "issued after credential activation, by an attestation CA that the policy lists"


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates of one piece of evidence, parsed; chains start with the leaf's issuer."""

    ak: x509.Certificate | None
    ak_chain: tuple[x509.Certificate, ...]
    ek: x509.Certificate | None
    ek_chain: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Check lines, claims, and the validated paths that were relied upon."""

    checks: list[Check]
    claims: dict[str, Any]
    paths: tuple[Path, ...] = ()


def check_identity(
    certificates: Certificates,
    key: AttestationKey,
    placed: str | None,
    trust: Tpm2Trust,
    at: datetime,
    candidates: Sequence[x509.Certificate] = (),
) -> Identity:
    """Who vouches for the key? `placed` is the hierarchy that the qualified signer shows, or None.

    `candidates` are certificates of the collateral. An enrolled key needs no certificate; one that is there, and leads
    to an issuer that the policy lists, is judged all the same.
    """
    if not trust.ak_names and not trust.ak_keys:
        return _by_certificate(certificates, key, placed, trust, at, candidates)
    if not is_enrolled(key, trust):
        found = _by_certificate(certificates, key, placed, trust, at, candidates)
        line = Check(_ENROLMENT, "SKIP", "not listed", _ENROLLED, f"{ID}.ak-not-enrolled", demanded=False)
        return replace(found, checks=[line, *found.checks])
    line = Check(_ENROLMENT, "PASS", f"sha256 {key.fingerprint.hex()}", _ENROLLED)
    if (trust.ak_issuers or trust.platform_ak_issuers) and certificates.ak is not None:
        found = _by_certificate(certificates, key, placed, trust, at, candidates)
        return replace(found, checks=[line, *found.checks])
    checks = [
        Check(check, "SKIP", "the key itself is listed", "for other keys", f"{ID}.ak-enrolled", demanded=False)
        for check in (_AK, _AK_BINDING, _EK, _EK_BINDING)
    ]
    return Identity([line, *checks], {"ak_issuer": "enrolled"})


def _by_certificate(
    certificates: Certificates,
    key: AttestationKey,
    placed: str | None,
    trust: Tpm2Trust,
    at: datetime,
    candidates: Sequence[x509.Certificate],
) -> Identity:
    for ak in (certificates.ak,) if certificates.ak else leaves(candidates, key.key):
        certified, direct, path = _check_ak_certificate(ak, certificates.ak_chain, trust, at, candidates)
        if path is not None or certificates.ak is not None:
            break
    else:  # neither in the evidence nor, so that it leads to an anchor, in the collateral
        offered = any(True for _ in leaves(candidates, key.key))
        observed = "none of the collateral's leads to an anchor of the policy" if offered else "no AK certificate"
        missing = Check(_AK, "SKIP", observed, _ACTIVATED, f"{ID}.ak-certificate-missing")
        rest = [
            _skipped(check, "no AK certificate", f"{ID}.ak-certificate-missing")
            for check in (_AK_BINDING, _EK, _EK_BINDING)
        ]
        return Identity([missing, *rest], {})
    if path is None:
        rest = [
            _skipped(check, "AK certificate not accepted", certified.code) for check in (_AK_BINDING, _EK, _EK_BINDING)
        ]
        return Identity([certified, *rest], {})
    if direct:
        checks = [certified, _check_platform_binding(ak, key, placed), *_no_ek_needed()]
        return Identity(checks, {"ak_issuer": "platform"}, (path,))
    binding = read_binding(ak)
    checks = [certified, _check_ak_binding(ak, binding, key)]
    claims: dict[str, Any] = {"ak_issuer": "attestation-ca"}
    ek = certificates.ek or _named_ek(binding, candidates)
    if ek is None:
        missing_code = f"{ID}.ek-certificate-missing"
        checks += [_skipped(check, "no EK certificate", missing_code) for check in (_EK, _EK_BINDING)]
        return Identity(checks, claims, (path,))
    endorsed, ek_path = _check_ek_certificate(ek, certificates.ek_chain, trust, at, candidates)
    checks += [endorsed, _check_ek_binding(ek, binding, trust)]
    claims["ek_certificate_sha256"] = hashlib.sha256(der(ek)).hexdigest()
    claims.update(describe_tpm(ek))
    return Identity(checks, claims, (path, ek_path) if ek_path else (path,))


def _named_ek(binding: AkBinding | None, candidates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    named = binding.ek_certificate if binding else b""
    return next((c for c in candidates if hashlib.sha256(der(c)).digest() == named), None)


def _check_ak_certificate(
    ak: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
    trust: Tpm2Trust,
    at: datetime,
    candidates: Sequence[x509.Certificate],
) -> tuple[Check, bool, Path | None]:
    """The check line, whether a platform issued the certificate directly, and the path where the line is PASS."""
    issuers, platforms = load_anchors(trust.ak_issuers), load_anchors(trust.platform_ak_issuers)
    errors: list[EvidenceError] = []
    for anchors, direct in ((issuers, False), (platforms, True)):
        try:
            links = complete(ak, chain, candidates, anchors)
            anchor = validate(ak, links, anchors, at, f"{ID}.ak")
            _check_ak_usage(ak, activated=not direct)
        except (RejectedError, UnsupportedError) as error:
            errors.append(error)
            continue
        except READ_ERRORS as error:
            errors.append(UnsupportedError(f"{ID}.ak-chain-unsupported", str(error)[:120]))
            continue
        kind = "platform" if direct else "attestation CA"
        observed = f"{kind} {anchor.subject.rfc4514_string()[:120]!r}"
        return Check(_AK, "PASS", observed, _ACTIVATED), direct, Path((ak, *links), anchor)
    # An empty list is the least telling answer, and a definite refusal the most.
    errors.sort(key=lambda error: (not isinstance(error, RejectedError), error.code.endswith("no-anchors")))
    return _from_error(_AK, errors[0], _ACTIVATED), False, None


def _check_ak_usage(ak: x509.Certificate, *, activated: bool) -> None:
    usage = key_usage(ak)
    if usage is not None and not usage.digital_signature:
        raise RejectedError(f"{ID}.ak-usage", "the certified key may not sign")
    if not activated:
        return
    if AK_CERTIFICATE_EKU not in extended_key_usage(ak):
        raise RejectedError(f"{ID}.ak-usage", "not certified as an attestation key (tcg-kp-AIKCertificate)")
    if read_binding(ak) is None:
        raise RejectedError(f"{ID}.ak-binding-absent", "the AK certificate does not name its TPM's EK")


def _certifies(ak: x509.Certificate, key: AttestationKey) -> bool:
    try:
        return ak.public_key() == key.key
    except READ_ERRORS:  # a key type that this library does not know is certainly another key
        return False


def _check_ak_binding(ak: x509.Certificate, binding: AkBinding | None, key: AttestationKey) -> Check:
    required = "certificate for this very public area (key and TPM Name)"
    if not _certifies(ak, key):
        return Check(_AK_BINDING, "FAIL", "certificate of another key", required, f"{ID}.ak-key-mismatch")
    if key.public is None:
        return Check(_AK_BINDING, "SKIP", "a bare key, which has no Name", required, f"{ID}.ak-name-unbound")
    if binding is None or not hmac.compare_digest(binding.ak_name, key.public.name()):
        return Check(_AK_BINDING, "FAIL", "certificate of another Name", required, f"{ID}.ak-name-mismatch")
    return Check(_AK_BINDING, "PASS", f"AK name {key.public.name().hex()}", required)


def _check_platform_binding(ak: x509.Certificate, key: AttestationKey, placed: str | None) -> Check:
    required = "certificate for this key, and a qualified signer that contains its TPM Name"
    if not _certifies(ak, key):
        return Check(_AK_BINDING, "FAIL", "certificate of another key", required, f"{ID}.ak-key-mismatch")
    if placed is None:
        observed = "no primary key of this Name signed, so nothing vouches for its attributes"
        return Check(_AK_BINDING, "SKIP", observed, required, f"{ID}.ak-name-unbound")
    return Check(_AK_BINDING, "PASS", f"primary key of the {placed} hierarchy", required)


def _no_ek_needed() -> list[Check]:
    observed, required = "platform-issued AK", "only for AKs certified by an attestation CA"
    return [
        Check(check, "SKIP", observed, required, f"{ID}.ek-not-applicable", demanded=False)
        for check in (_EK, _EK_BINDING)
    ]


def _check_ek_certificate(
    ek: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
    trust: Tpm2Trust,
    at: datetime,
    candidates: Sequence[x509.Certificate],
) -> tuple[Check, Path | None]:
    required = "an endorsement key's certificate that leads to a TPM maker's root in the policy"
    try:
        anchors = load_anchors(trust.ek_roots)
        links = complete(ek, chain, candidates, anchors)
        anchor = validate(ek, links, anchors, at, f"{ID}.ek")
        check_ek_certificate(ek)
    except (RejectedError, UnsupportedError) as error:
        return _from_error(_EK, error, required), None
    except READ_ERRORS as error:
        return _from_error(_EK, UnsupportedError(f"{ID}.ek-chain-unsupported", str(error)[:120]), required), None
    observed = f"issued under {anchor.subject.rfc4514_string()[:120]!r}"
    return Check(_EK, "PASS", observed, required), Path((ek, *links), anchor)


def _check_ek_binding(ek: x509.Certificate, binding: AkBinding | None, trust: Tpm2Trust) -> Check:
    required = "the EK certificate that the AK certificate names"
    fingerprint = hashlib.sha256(der(ek)).digest()
    observed = f"sha256 {fingerprint.hex()}"
    if binding is None or not hmac.compare_digest(binding.ek_certificate, fingerprint):
        return Check(_EK_BINDING, "FAIL", observed, required, f"{ID}.ek-mismatch")
    if trust.ek_certificates and fingerprint not in trust.ek_certificates:
        required = f"one of {len(trust.ek_certificates)} EK certificates in the policy"
        return Check(_EK_BINDING, "FAIL", observed, required, f"{ID}.ek-not-allowed")
    return Check(_EK_BINDING, "PASS", observed, required)


def _from_error(check: str, error: EvidenceError, required: str) -> Check:
    outcome: Outcome = "FAIL" if isinstance(error, RejectedError) else "SKIP"
    return Check(check, outcome, error.message, required, error.code)


def _skipped(check: str, observed: str, code: str) -> Check:
    return Check(check, "SKIP", observed, "needs an accepted AK certificate", code)
