# SPDX-License-Identifier: AGPL-3.0-or-later
"""The attestation CA: certify an AK after its TPM has shown that it holds the EK.

    challenge:  EK certificate leads to a trusted maker; AK is a restricted signing key
                -> credential that only this EK's TPM, with this AK loaded, can activate
    issue:      the secret comes back -> X.509 certificate of the AK, naming the EK certificate

Keys, anchors and times are arguments; state between the two steps is the caller's `Pending`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from attestation.errors import OperationalError, RejectedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS
from attestation.pki.path import Anchors, validate
from attestation.tpm2.authority import Authority, usage
from attestation.tpm2.binding import AK_BINDING_OID, AK_CERTIFICATE_EKU, AkBinding
from attestation.tpm2.certificates import load_certificate, load_chain
from attestation.tpm2.credential import Credential, make_credential
from attestation.tpm2.ek import check_ek_certificate
from attestation.tpm2.public import PublicKey, parse_public
from attestation.tpm2.quote import check_ak
from attestation.tpm2.trust import Tpm2Trust

SECRET_SIZE = 32
CHALLENGE_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a TPM's owner sends: the AK's TPMT_PUBLIC, the EK certificate and its chain, as in evidence."""

    ak_public: bytes
    ek_certificate: bytes
    ek_chain: bytes = b""


@dataclass(frozen=True, slots=True, repr=False)
class Pending:
    """What the registrar keeps, in confidence, until the secret comes back."""

    enrolment: Enrolment
    secret: bytes
    expires: datetime


class Registrar:
    """An attestation CA for AKs of TPMs whose EK certificates lead to `ek_roots` (DER)."""

    def __init__(
        self,
        authority: Authority,
        ek_roots: tuple[bytes, ...],
        *,
        lifetime: timedelta = timedelta(days=365),
    ) -> None:
        self._authority = authority
        self._ek_roots = ek_roots
        self._lifetime = lifetime

    @property
    def certificate(self) -> bytes:
        """The CA certificate (DER), for policies to list among `ak_issuers`."""
        return self._authority.der

    def challenge(self, enrolment: Enrolment, at: datetime) -> tuple[Credential, Pending]:
        """Check both keys and make a credential for them.

        Raises `MalformedError`, `RejectedError` (`evidence.tpm2.ek-*`, `ak-attributes`, `ak-key-weak`) and
        `UnsupportedError`.
        """
        public = parse_public(enrolment.ak_public)
        for check in check_ak(public, Tpm2Trust()):
            if check.outcome != "PASS":
                raise RejectedError(check.code, f"{check.observed}; required: {check.required}")
        certificate = load_certificate(enrolment.ek_certificate)
        anchors = Anchors.load(self._ek_roots)
        validate(certificate, load_chain(enrolment.ek_chain), anchors, at, "evidence.tpm2.ek")
        try:
            check_ek_certificate(certificate)
            key = certificate.public_key()
        except READ_ERRORS as error:
            raise UnsupportedError("evidence.tpm2.ek-unsupported", f"EK: {str(error)[:120]}") from None
        if not isinstance(key, PublicKey):
            raise UnsupportedError("evidence.tpm2.ek-unsupported", f"EK of type {type(key).__name__}")
        secret = secrets.token_bytes(SECRET_SIZE)
        return make_credential(key, public.name(), secret), Pending(enrolment, secret, at + CHALLENGE_LIFETIME)

    def issue(self, pending: Pending, secret: bytes, at: datetime) -> bytes:
        """The AK certificate (DER) in exchange for the activated secret.

        Raises `RejectedError` with `evidence.tpm2.activation-failed` or `-expired`, and `OperationalError`
        with `evidence.tpm2.registrar-expired`.
        """
        if not hmac.compare_digest(pending.secret, secret):
            raise RejectedError("evidence.tpm2.activation-failed", "the secret is not the one in the credential")
        if at > pending.expires:
            raise RejectedError(
                "evidence.tpm2.activation-expired", "the secret came back too late", remedy="enrol again"
            )
        public = parse_public(pending.enrolment.ak_public)
        key = public.key()
        name = public.name()
        binding = AkBinding(hashlib.sha256(pending.enrolment.ek_certificate).digest(), name)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"AK {name[2:18].hex()}")])
        end = min(at + self._lifetime, self._authority.certificate.not_valid_after_utc)
        if end <= at:
            raise OperationalError(
                "evidence.tpm2.registrar-expired", "the attestation CA's own certificate has expired"
            )
        purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier(AK_CERTIFICATE_EKU)])
        extension = x509.UnrecognizedExtension(AK_BINDING_OID, binding.encode())
        builder = (
            self._authority.builder(subject, key, at, end)
            .add_extension(usage(sign=True), critical=True)
            .add_extension(purposes, critical=False)
            .add_extension(extension, critical=False)
        )
        return self._authority.sign(builder)
