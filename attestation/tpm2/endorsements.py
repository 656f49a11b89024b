# SPDX-License-Identifier: AGPL-3.0-or-later
"""What collateral adds to TPM evidence: certificates that it lacks, and whether those relied upon are revoked.

Collateral is as untrusted as evidence. A certificate from it can only be a link to an anchor of the policy, or the
leaf for the key or the fingerprint that the evidence itself names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice

from cryptography import x509

from attestation.collateral.bag import Collateral
from attestation.contract import Check
from attestation.errors import EvidenceError
from attestation.pki.certificate import MAX_CERTIFICATE, MAX_INTERMEDIATES, READ_ERRORS
from attestation.pki.path import Anchors, issued
from attestation.pki.revocation import check_revocation, issuer_name, load_crl
from attestation.tpm2.certificates import load_certificate
from attestation.tpm2.public import PublicKey

ID = "evidence.tpm2"
MAX_POOL = 64
MAX_LISTS = 16
MAX_TRIED = 4
"""Certificates and revocation lists of collateral that are looked at, and certificates of one name or key that are
tried: each may cost a signature."""


@lru_cache(maxsize=16)
def load_anchors(listed: tuple[bytes, ...]) -> Anchors:
    """Anchors of a policy, parsed once."""
    return Anchors.load(listed)


@dataclass(frozen=True, slots=True)
class Path:
    """A validated path: `certificates` from the leaf to the last below the anchor."""

    certificates: tuple[x509.Certificate, ...]
    anchor: x509.Certificate

    @property
    def links(self) -> Iterable[tuple[x509.Certificate, x509.Certificate]]:
        """(certificate, its issuer), from the leaf up to and not beyond the anchor."""
        for certificate, issuer in zip(self.certificates, (*self.certificates[1:], self.anchor), strict=True):
            if certificate == self.anchor:
                return
            yield certificate, issuer

    @property
    def expires(self) -> datetime:
        """The earliest end of validity on the path, the anchor's included."""
        return min(certificate.not_valid_after_utc for certificate in (*self.certificates, self.anchor))


def pool(collateral: Collateral) -> tuple[x509.Certificate, ...]:
    """Certificates of the collateral that can be read, at most `MAX_POOL`; the rest is another format's."""
    found: list[x509.Certificate] = []
    for data in collateral.of("x509"):
        if len(found) == MAX_POOL:
            break
        if len(data) > MAX_CERTIFICATE:
            continue
        try:
            found.append(load_certificate(data))
        except EvidenceError:
            continue
    return tuple(found)


def leaves(candidates: Iterable[x509.Certificate], key: PublicKey) -> Iterator[x509.Certificate]:
    """The certificates of this very key, at most `MAX_TRIED`."""
    return islice((candidate for candidate in candidates if _certifies(candidate, key)), MAX_TRIED)


def _certifies(certificate: x509.Certificate, key: PublicKey) -> bool:
    try:
        return certificate.public_key() == key
    except READ_ERRORS:  # a key of a kind that the library does not know is another key
        return False


def complete(
    leaf: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
    candidates: Sequence[x509.Certificate],
    anchors: Anchors,
) -> tuple[x509.Certificate, ...]:
    """`chain` with the links to an anchor that it lacks, as far as `candidates` have them."""
    path = [leaf, *chain]
    while len(path) <= MAX_INTERMEDIATES:
        last = path[-1]
        if any(last == anchor or issued(last, anchor) for anchor in anchors.certificates if _above(last, anchor)):
            break
        named = islice((c for c in candidates if c.subject == last.issuer and c not in path), MAX_TRIED)
        link = next((candidate for candidate in named if issued(last, candidate)), None)
        if link is None:
            break
        path.append(link)
    return tuple(path[1:])


def _above(certificate: x509.Certificate, other: x509.Certificate) -> bool:
    return certificate == other or other.subject == certificate.issuer


def load_lists(collateral: Collateral, paths: Sequence[Path]) -> tuple[x509.CertificateRevocationList, ...]:
    """The lists that issuers on these paths may have signed; what cannot be read is another format's."""
    issuers = {issuer.subject for path in paths for _, issuer in path.links}
    lists = []
    for data in collateral.of("crl"):
        try:
            crl = load_crl(data, f"{ID}.revocation")
        except EvidenceError:
            continue
        if issuer_name(crl) in issuers:
            lists.append(crl)
    return tuple(lists[:MAX_LISTS])


def check_revoked(
    paths: Sequence[Path], collateral: Collateral, at: datetime, *, demanded: bool
) -> tuple[Check, datetime | None]:
    """The least good answer over all links, and the end of the lists that were relied upon.

    A certificate counts where it names a distribution point for CRLs, or where a list of its issuer is there. Where
    none counts: SKIP, not demanded, with `evidence.tpm2.revocation-not-checked`.
    """
    check = f"{ID}.revocation"
    crls = load_lists(collateral, paths)
    found = [
        check_revocation(certificate, issuer, crls, at, check=check, prefix=check, demanded=demanded)
        for path in paths
        for certificate, issuer in path.links
        if _names_list(certificate) or any(issuer_name(crl) == certificate.issuer for crl in crls)
    ]
    if not found:
        observed = "no certificate that was relied upon names a revocation list"
        return Check(check, "SKIP", observed, "a current CRL", f"{check}-not-checked", demanded=False), None
    ends = [crl.next_update_utc for crl in crls if crl.next_update_utc is not None and crl.next_update_utc >= at]
    order = {"FAIL": 0, "SKIP": 1, "PASS": 2}
    return min(found, key=lambda line: order[line.outcome]), min(ends, default=None)


def _names_list(certificate: x509.Certificate) -> bool:
    return any(extension.oid == x509.CRLDistributionPoints.oid for extension in certificate.extensions)
