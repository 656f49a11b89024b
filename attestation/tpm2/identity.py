# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose key it is: AK certificate, EK certificate, and what joins them to the quote.

Two ways, by which list of the policy the AK certificate leads to:

    attestation CA:  AK certificate (extension: EK certificate digest, AK Name) -> ak_issuers
                     EK certificate                                            -> ek_roots
    platform:        AK certificate -> platform_ak_issuers; the qualified signer contains the AK's Name
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509

from attestation.contract import Check, Outcome
from attestation.errors import EvidenceError, RejectedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS
from attestation.pki.path import Anchors, der, extended_key_usage, key_usage, validate
from attestation.tpm2.binding import AK_CERTIFICATE_EKU, AkBinding, read_binding
from attestation.tpm2.ek import check_ek_certificate, describe_tpm
from attestation.tpm2.public import Public
from attestation.tpm2.trust import Tpm2Trust

ID = "evidence.tpm2"
_AK, _AK_BINDING, _EK, _EK_BINDING = (
    f"{ID}.ak-certificate",
    f"{ID}.ak-binding",
    f"{ID}.ek-certificate",
    f"{ID}.ek-binding",
)
_ACTIVATED = "issued after credential activation, by an attestation CA that the policy lists"


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates of one piece of evidence, parsed; chains start with the leaf's issuer."""

    ak: x509.Certificate | None
    ak_chain: tuple[x509.Certificate, ...]
    ek: x509.Certificate | None
    ek_chain: tuple[x509.Certificate, ...]


def check_identity(
    certificates: Certificates, public: Public, placed: str | None, trust: Tpm2Trust, at: datetime
) -> tuple[list[Check], dict[str, Any]]:
    """Identity checks and claims. `placed` is the hierarchy that the qualified signer shows, or None."""
    ak = certificates.ak
    if ak is None:
        missing = Check(_AK, "SKIP", "no AK certificate", _ACTIVATED, f"{ID}.ak-certificate-missing")
        rest = [
            _skipped(check, "no AK certificate", f"{ID}.ak-certificate-missing")
            for check in (_AK_BINDING, _EK, _EK_BINDING)
        ]
        return [missing, *rest], {}
    certified, direct = _check_ak_certificate(ak, certificates.ak_chain, trust, at)
    if certified.outcome != "PASS":
        rest = [
            _skipped(check, "AK certificate not accepted", certified.code) for check in (_AK_BINDING, _EK, _EK_BINDING)
        ]
        return [certified, *rest], {}
    if direct:
        return [certified, _check_platform_binding(ak, public, placed), *_no_ek_needed()], {"ak_issuer": "platform"}
    binding = read_binding(ak)
    checks = [certified, _check_ak_binding(ak, binding, public)]
    claims: dict[str, Any] = {"ak_issuer": "attestation-ca"}
    if certificates.ek is None:
        missing_code = f"{ID}.ek-certificate-missing"
        checks += [_skipped(check, "no EK certificate", missing_code) for check in (_EK, _EK_BINDING)]
        return checks, claims
    checks.append(_check_ek_certificate(certificates.ek, certificates.ek_chain, trust, at))
    checks.append(_check_ek_binding(certificates.ek, binding, trust))
    claims["ek_certificate_sha256"] = hashlib.sha256(der(certificates.ek)).hexdigest()
    claims.update(describe_tpm(certificates.ek))
    return checks, claims


def _check_ak_certificate(
    ak: x509.Certificate, chain: tuple[x509.Certificate, ...], trust: Tpm2Trust, at: datetime
) -> tuple[Check, bool]:
    """The check line, and whether a platform issued the certificate directly."""
    issuers, platforms = Anchors.load(trust.ak_issuers), Anchors.load(trust.platform_ak_issuers)
    errors: list[EvidenceError] = []
    for anchors, direct in ((issuers, False), (platforms, True)):
        try:
            anchor = validate(ak, chain, anchors, at, f"{ID}.ak")
            _check_ak_usage(ak, activated=not direct)
        except (RejectedError, UnsupportedError) as error:
            errors.append(error)
            continue
        except READ_ERRORS as error:
            errors.append(UnsupportedError(f"{ID}.ak-chain-unsupported", str(error)[:120]))
            continue
        kind = "platform" if direct else "attestation CA"
        return Check(_AK, "PASS", f"{kind} {anchor.subject.rfc4514_string()[:120]!r}", _ACTIVATED), direct
    # An empty list is the least telling answer, and a definite refusal the most.
    errors.sort(key=lambda error: (not isinstance(error, RejectedError), error.code.endswith("no-anchors")))
    return _from_error(_AK, errors[0], _ACTIVATED), False


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


def _certifies(ak: x509.Certificate, public: Public) -> bool:
    try:
        return ak.public_key() == public.key()
    except READ_ERRORS:  # a key type that this library does not know is certainly another key
        return False


def _check_ak_binding(ak: x509.Certificate, binding: AkBinding | None, public: Public) -> Check:
    required = "certificate for this very public area (key and TPM Name)"
    if not _certifies(ak, public):
        return Check(_AK_BINDING, "FAIL", "certificate of another key", required, f"{ID}.ak-key-mismatch")
    if binding is None or not hmac.compare_digest(binding.ak_name, public.name()):
        return Check(_AK_BINDING, "FAIL", "certificate of another Name", required, f"{ID}.ak-name-mismatch")
    return Check(_AK_BINDING, "PASS", f"AK name {public.name().hex()}", required)


def _check_platform_binding(ak: x509.Certificate, public: Public, placed: str | None) -> Check:
    required = "certificate for this key, and a qualified signer that contains its TPM Name"
    if not _certifies(ak, public):
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
    ek: x509.Certificate, chain: tuple[x509.Certificate, ...], trust: Tpm2Trust, at: datetime
) -> Check:
    required = "an endorsement key's certificate that leads to a TPM maker's root in the policy"
    try:
        anchor = validate(ek, chain, Anchors.load(trust.ek_roots), at, f"{ID}.ek")
        check_ek_certificate(ek)
    except (RejectedError, UnsupportedError) as error:
        return _from_error(_EK, error, required)
    except READ_ERRORS as error:
        return _from_error(_EK, UnsupportedError(f"{ID}.ek-chain-unsupported", str(error)[:120]), required)
    return Check(_EK, "PASS", f"issued under {anchor.subject.rfc4514_string()[:120]!r}", required)


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
