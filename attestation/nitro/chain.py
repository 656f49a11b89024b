# SPDX-License-Identifier: AGPL-3.0-or-later
"""The certificates of an attestation document: path to the pinned root, and revocation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.collateral.bag import Collateral
from attestation.contract import Check, Outcome
from attestation.errors import EvidenceError, RejectedError, UnsupportedError
from attestation.nitro.document import Document
from attestation.pki.certificate import READ_ERRORS, load_certificate
from attestation.pki.path import Anchors, key_usage, validate
from attestation.pki.revocation import check_revocation, issuer_name, load_crl

ID = "evidence.nitro"
CERTIFICATE = f"{ID}.certificate"
MAX_LISTS = 16
"""CRLs that are looked at: four issuers, of which each has one, or a newer one as well."""
MAX_LIST = 256 << 10
"""Bytes of one CRL; those of AWS have some kilobytes."""
NAME_WITHIN = 1024
_REQUIRED = "an enclave's certificate that leads to a root in the policy, valid at the given time"


@dataclass(frozen=True, slots=True)
class Chain:
    """Leaf, then its issuers up to the root that the document carries."""

    leaf: x509.Certificate
    issuers: tuple[x509.Certificate, ...]

    @property
    def path(self) -> tuple[x509.Certificate, ...]:
        """Leaf and issuers."""
        return (self.leaf, *self.issuers)

    @property
    def expires(self) -> datetime:
        """The first end of validity."""
        return min(certificate.not_valid_after_utc for certificate in self.path)


@lru_cache(maxsize=16)
def anchors(listed: tuple[bytes, ...]) -> Anchors:
    """Anchors of a policy, parsed once."""
    return Anchors.load(listed)


def load(document: Document) -> Chain:
    """The document's certificates. Raises `MalformedError` or `UnsupportedError` (`evidence.nitro.certificate-*`)."""
    leaf = load_certificate(document.certificate, CERTIFICATE)
    # AWS writes the root first; paths here start at the leaf.
    issuers = tuple(load_certificate(entry, CERTIFICATE) for entry in reversed(document.bundle))
    return Chain(leaf, issuers)


def check_certificate(chain: Chain, roots: tuple[bytes, ...], at: datetime) -> Check:
    """Does the leaf lead to a root of the policy, and may it sign documents?"""
    try:
        anchor = validate(chain.leaf, chain.issuers, anchors(roots), at, CERTIFICATE)
        usage = key_usage(chain.leaf)
        if usage is None or not usage.digital_signature:
            raise RejectedError(f"{CERTIFICATE}-usage", "the certified key may not sign")
    except (RejectedError, UnsupportedError) as error:
        return _from_error(CERTIFICATE, error)
    observed = f"{_subject(chain.leaf)} under {_subject(anchor)}"
    return Check(CERTIFICATE, "PASS", observed, _REQUIRED, category="hardware")


def check_revoked(
    chain: Chain, collateral: Collateral, at: datetime, *, demanded: bool
) -> tuple[Check, datetime | None]:
    """The least good answer over the chain's links, and the end of the lists that were relied upon.

    A certificate counts where it names a distribution point for CRLs, or where a list of its issuer is there. Ask it of
    a chain that leads to a root: lists under keys of strangers' say nothing.
    """
    crls = _lists(collateral, chain)
    found = []
    for certificate, issuer in zip(chain.path, chain.issuers, strict=False):
        if _names_list(certificate) or any(issuer_name(crl) == certificate.issuer for crl in crls):
            check = check_revocation(
                certificate, issuer, crls, at, check=f"{ID}.revocation", prefix=f"{ID}.revocation", demanded=demanded
            )
            found.append(check)
    if not found:
        observed = "no certificate names a revocation list"
        return Check(
            f"{ID}.revocation", "SKIP", observed, "a current CRL", f"{ID}.revocation-no-list", demanded=False
        ), None
    order = {"FAIL": 0, "SKIP": 1, "PASS": 2}
    ends = [crl.next_update_utc for crl in crls if crl.next_update_utc is not None and crl.next_update_utc >= at]
    return min(found, key=lambda check: order[check.outcome]), min(ends, default=None)


def _lists(collateral: Collateral, chain: Chain) -> Sequence[x509.CertificateRevocationList]:
    """The lists that this chain's issuers may have signed; what cannot be read is another format's."""
    issuers = {certificate.subject for certificate in chain.issuers}
    names = [issuer.public_bytes() for issuer in issuers]
    lists: list[x509.CertificateRevocationList] = []
    for data in collateral.of("crl"):
        # The issuer stands near the beginning: most lists of others are left without being read.
        if len(lists) == MAX_LISTS or len(data) > MAX_LIST or not any(name in data[:NAME_WITHIN] for name in names):
            continue
        try:
            crl = load_crl(data, f"{ID}.revocation")
        except EvidenceError:
            continue
        if issuer_name(crl) in issuers:
            lists.append(crl)
    return lists


def _names_list(certificate: x509.Certificate) -> bool:
    oid = x509.CRLDistributionPoints.oid
    return any(extension.oid == oid for extension in certificate.extensions)


def key(chain: Chain) -> ec.EllipticCurvePublicKey | None:
    """The leaf's key where it is one for ES384, that is on P-384."""
    try:
        found = chain.leaf.public_key()
    except READ_ERRORS:
        return None
    if isinstance(found, ec.EllipticCurvePublicKey) and found.curve.name == "secp384r1":
        return found
    return None


def _subject(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return repr(str(names[0].value)[:120]) if names else "a certificate without common name"


def _from_error(check: str, error: EvidenceError) -> Check:
    outcome: Outcome = "FAIL" if isinstance(error, RejectedError) else "SKIP"
    return Check(check, outcome, error.message, _REQUIRED, error.code, category="hardware")
