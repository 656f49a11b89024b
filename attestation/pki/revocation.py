# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificate revocation lists (RFC 5280 sections 5 and 6.3), given as collateral.

A list counts when it names the certificate's issuer, verifies under that issuer's key, and is current at the time of
the question. Without such a list the question stays open: SKIP, demanded unless the policy says otherwise. A
list that names the certificate revokes it whatever its date: a key known to be lost later may have been lost before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.contract import Check
from attestation.errors import MalformedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS, serial_number
from attestation.pki.path import bound_key

MAX_CRL = 4 << 20
"""Bytes of one list; the largest of the platforms here is below 100 kB."""

REMEMBERED_SIGNATURES = 64
MAX_REMEMBERED = 1 << 18
"""Lists whose signatures are remembered, and bytes of the longest."""

_STRONG = frozenset({"sha256", "sha384", "sha512"})


def load_crl(data: bytes, prefix: str) -> x509.CertificateRevocationList:
    """One list in DER. Raises `MalformedError` (`<prefix>-crl-malformed`) for anything else, or too much of it."""
    if len(data) > MAX_CRL:
        raise MalformedError(f"{prefix}-crl-malformed", f"a CRL of {len(data)} bytes; at most {MAX_CRL}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # serial number 0, over-long names: see `certificate`
            crl = x509.load_der_x509_crl(data)
            for part in ("extensions", "issuer", "signature_hash_algorithm", "last_update_utc", "next_update_utc"):
                getattr(crl, part)
    except READ_ERRORS as error:
        raise MalformedError(f"{prefix}-crl-malformed", f"not a CRL: {str(error)[:120]}") from None
    # The count of unused bits before the signature is covered by nothing: see `certificate.load_certificate`.
    if data[-len(crl.signature) - 1] or crl.public_bytes(Encoding.DER) != data:
        raise MalformedError(f"{prefix}-crl-malformed", "a CRL that is not in canonical form")
    return crl


def issuer_name(crl: x509.CertificateRevocationList) -> x509.Name:
    """The issuer of a list; `cryptography` warns at each look at a name that exceeds X.520's lengths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return crl.issuer


def is_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Does the list verify under the issuer's key, with SHA-2 and without a critical extension?

    The answers for lists of at most `MAX_REMEMBERED` bytes are remembered: the same lists come with all evidence.
    """
    data = crl.public_bytes(Encoding.DER)
    return _remembered(data, issuer) if len(data) <= MAX_REMEMBERED else _verifies(crl, issuer)


@lru_cache(maxsize=REMEMBERED_SIGNATURES)
def _remembered(data: bytes, issuer: x509.Certificate) -> bool:
    return _verifies(x509.load_der_x509_crl(data), issuer)


def _verifies(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    algorithm = crl.signature_hash_algorithm
    if algorithm is None or algorithm.name not in _STRONG:
        return False
    if any(extension.critical for extension in crl.extensions):  # partial and indirect lists are of no use here
        return False
    try:
        bound_key(issuer, "evidence.crl")
        key = issuer.public_key()
        return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)
    except (UnsupportedError, *READ_ERRORS):
        return False


def check_revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
    *,
    check: str,
    prefix: str,
    demanded: bool = True,
    signed: Callable[[x509.CertificateRevocationList, x509.Certificate], bool] = is_signed,
) -> Check:
    """Is `certificate`, issued by `issuer`, still good by a list of that issuer?

    FAIL with `<prefix>-revoked`; SKIP with `-crl-missing`, `-crl-invalid` (its issuer did not sign it, or it has
    a critical extension), `-crl-expired` (`at` is outside its window). `signed` may remember what `is_signed` says.
    """
    number = serial_number(certificate)
    serial = f"serial {number:x}"
    required = "a current CRL of its issuer that does not list it"
    problem, code = "no CRL of its issuer", f"{prefix}-crl-missing"
    current: x509.CertificateRevocationList | None = None
    name = certificate.issuer
    if name != issuer.subject:
        crls = ()
    for crl in crls:
        if issuer_name(crl) != name:
            continue
        if not signed(crl, issuer):
            problem, code = "the CRL is not its issuer's, or cannot be relied upon", f"{prefix}-crl-invalid"
            continue
        entry = crl.get_revoked_certificate_by_serial_number(number)
        if entry is not None:
            when = entry.revocation_date_utc.isoformat()
            return Check(check, "FAIL", f"{serial} revoked {when}", required, f"{prefix}-revoked")
        if crl.next_update_utc is None or not crl.last_update_utc <= at <= crl.next_update_utc:
            until = "never" if crl.next_update_utc is None else crl.next_update_utc.isoformat()
            problem = f"CRL of {crl.last_update_utc.isoformat()}, next update {until}, not current at {at.isoformat()}"
            code = f"{prefix}-crl-expired"
            continue
        current = crl
    if current is None:
        return Check(check, "SKIP", problem, required, code, demanded=demanded)
    return Check(check, "PASS", f"{serial} not in the CRL of {current.last_update_utc.isoformat()}", required)
