# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose key signed: the VEK among the certificates at hand, its chain to AMD, revocation.

::

    report < -VCEK < -ASK < -ARK(pinned)
    report < -VLEK < -ASVK < -ARK(pinned)

Certificates come from the evidence or else from collateral; a root never does. The issuer may also be a pinned one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial

from cryptography import x509

from attestation.collateral.bag import Collateral
from attestation.collateral.texts import certificates_in_texts
from attestation.contract import Check, Outcome
from attestation.errors import EvidenceError, RejectedError, UnsupportedError
from attestation.pki.certificate import MAX_CERTIFICATE, load_certificate
from attestation.pki.path import Anchors, validate
from attestation.pki.revocation import check_revocation, issuer_name, load_crl
from attestation.snp.bundle import PREFIX as CERTIFICATES
from attestation.snp.report import Report
from attestation.snp.signature import signed_by
from attestation.snp.trust import SnpTrust
from attestation.snp.vek import Vek, common_name, is_vek, read_vek

ID = "evidence.snp"
MAX_COLLATERAL_CERTIFICATES = 24
MAX_COLLATERAL_CRLS = 6
MAX_CRL_SIZE = 32 << 10
MAX_CANDIDATES = 4
"""Certificates and lists of collateral that are parsed, of those that may matter; bytes of such a list (AMD's have less
than a thousand); VEKs that are tried on one report, and issuers on one VEK."""

_CHAIN = f"{ID}.vek"
_REQUIRED_CHAIN = "a VCEK or VLEK certificate that leads to a listed AMD root"


@dataclass(frozen=True, slots=True)
class Endorsement:
    """The outcome: `vek` is None where there is no usable certificate; `expires` the earliest end of what was used."""

    vek: Vek | None
    checks: tuple[Check, ...]
    expires: datetime | None = None


def check_endorsement(
    report: Report,
    bundle: Sequence[x509.Certificate],
    at: datetime,
    trust: SnpTrust,
    collateral: Collateral,
) -> Endorsement:
    """Checks on the certificates; `bundle` are those of the evidence, VEK first, empty where it has none."""
    anchors = _anchors(trust.roots)
    given = _without_root(bundle[1:], anchors)
    loose = () if given else _certificates(collateral, report)
    candidates = list(bundle[:1]) or [certificate for certificate in loose if is_vek(certificate)]
    if not candidates:
        code = f"{_CHAIN}-missing"
        check = Check(f"{_CHAIN}-chain", "SKIP", "no such certificate", _REQUIRED_CHAIN, code, category="hardware")
        return Endorsement(None, (check,))
    try:
        vek = _select(report, candidates)
    except UnsupportedError as error:
        line = Check(f"{_CHAIN}-chain", "SKIP", error.message, _REQUIRED_CHAIN, error.code, category="hardware")
        return Endorsement(None, (line,))
    issuers = () if given else (*_anchors(trust.intermediates).certificates, *loose)
    try:
        path, root = _validate(vek, given, issuers, anchors, at)
        if len(given) < len(bundle) - 1 and bundle[-1] != root:
            raise RejectedError(f"{_CHAIN}-chain-broken", "the certificates end with the root of another chain")
    except (RejectedError, UnsupportedError) as error:
        outcome: Outcome = "FAIL" if isinstance(error, RejectedError) else "SKIP"
        line = Check(f"{_CHAIN}-chain", outcome, error.message, _REQUIRED_CHAIN, error.code, category="hardware")
        return Endorsement(vek, (line,))
    observed = " <- ".join(common_name(certificate.subject) for certificate in (*path, root))
    checks = [Check(f"{_CHAIN}-chain", "PASS", observed, _REQUIRED_CHAIN, bits=128, category="hardware")]
    ends = [certificate.not_valid_after_utc for certificate in (*path, root)]
    checks += _revocation(path, root, at, trust, collateral, ends)
    return Endorsement(vek, tuple(checks), min(ends))


def _select(report: Report, candidates: Sequence[x509.Certificate]) -> Vek:
    """The VEK under which the report verifies, or else the first that is one."""
    first: Vek | None = None
    problem: UnsupportedError | None = None
    tried = 0
    for certificate in candidates:
        try:
            vek = read_vek(certificate)
        except UnsupportedError as error:
            problem = problem or error
            continue
        first = first or vek
        if len(candidates) == 1:
            break
        if vek.kind != report.signing_key or vek.tcb.octets != report.reported_tcb or tried == MAX_CANDIDATES:
            continue
        tried += 1
        if signed_by(report, vek.key):
            return vek
    if first is None:
        raise problem or UnsupportedError(f"{_CHAIN}-missing", "no VEK certificate")
    return first


def _validate(
    vek: Vek,
    given: tuple[x509.Certificate, ...],
    issuers: tuple[x509.Certificate, ...],
    anchors: Anchors,
    at: datetime,
) -> tuple[tuple[x509.Certificate, ...], x509.Certificate]:
    """The path from VEK to the certificate below the root, and the root."""
    if given:
        candidates = [given]
    else:
        name = common_name(vek.certificate.issuer)  # cheaper to compare than whole names, which `validate` does
        named = dict.fromkeys(issuer for issuer in issuers if common_name(issuer.subject) == name)
        candidates = [(issuer,) for issuer in list(named)[:MAX_CANDIDATES]] or [()]
    refusal: EvidenceError | None = None
    for chain in candidates:
        try:
            if len(chain) > 1:
                raise RejectedError(
                    f"{_CHAIN}-chain-broken", f"{len(chain)} certificates between VEK and root; one expected"
                )
            root = validate(vek.certificate, chain, anchors, at, _CHAIN)
            if common_name(vek.certificate.issuer) != vek.issuer_name():
                raise RejectedError(
                    f"{_CHAIN}-usage",
                    f"a {vek.kind.upper()} of {vek.product.name}, issued by {common_name(vek.certificate.issuer)!r}",
                )
        except (RejectedError, UnsupportedError) as error:
            refusal = refusal or error
            continue
        return tuple(link for link in (vek.certificate, *chain) if link != root), root
    raise refusal or UnsupportedError(f"{_CHAIN}-missing", "no certificate chain")


def _without_root(certificates: Sequence[x509.Certificate], anchors: Anchors) -> tuple[x509.Certificate, ...]:
    """Leave out a listed root at the end, known already; another one stays, and is one certificate too many."""
    chain = tuple(certificates)
    return chain[:-1] if chain and chain[-1] in anchors.certificates else chain


def _revocation(
    path: tuple[x509.Certificate, ...],
    root: x509.Certificate,
    at: datetime,
    trust: SnpTrust,
    collateral: Collateral,
    ends: list[datetime],
) -> Iterator[Check]:
    """Checks by the lists of collateral; the ends of those relied upon are added to `ends`.

    AMD publishes lists of its roots, on intermediates. For VEKs themselves there is none to demand.
    """
    crls = _crls(collateral, {common_name(issuer.subject).encode() for issuer in (*path[1:], root)})
    for name, certificate, issuer in zip(("vek", "issuer"), path, (*path[1:], root), strict=False):
        relevant = [crl for crl in crls if issuer_name(crl) == issuer.subject]
        line = partial(
            check_revocation, certificate, issuer, at=at, check=f"{ID}.{name}-revocation", prefix=f"{ID}.{name}"
        )
        check = line(relevant, demanded=trust.require_crl and issuer == root)
        if check.code == f"{ID}.vek-crl-missing":
            # AMD publishes lists of its roots alone: no policy can demand what is not there.
            check = replace(check, code=f"{ID}.vek-list-unpublished")
        if check.outcome == "PASS":
            ends.append(max(crl.next_update_utc or at for crl in relevant if line([crl]).outcome == "PASS"))
        yield replace(check, category="hardware")


def _certificates(collateral: Collateral, report: Report) -> tuple[x509.Certificate, ...]:
    """Certificates of the collateral that may be AMD's; others' and broken ones are left alone.

    VCEKs of the report's chip come before those of others, and are told by octets that they must contain, so that a
    folder for a whole fleet does as well as one for this machine.
    """
    chip = report.chip_id[:8] if any(report.chip_id) else b""
    loose = dict.fromkeys((*collateral.of("x509"), *certificates_in_texts(collateral)))
    candidates = [data for data in loose if len(data) <= MAX_CERTIFICATE and b"SEV-" in data]
    candidates.sort(key=lambda data: b"SEV-VCEK" in data and chip not in data)
    found: list[x509.Certificate] = []
    for data in candidates[:MAX_COLLATERAL_CERTIFICATES]:
        try:
            found.append(load_certificate(data, CERTIFICATES))
        except EvidenceError:
            continue
    return tuple(found)


def _crls(collateral: Collateral, issuers: Set[bytes]) -> list[x509.CertificateRevocationList]:
    """Lists that may be by one of these issuers (common names): a folder may hold any number of others'."""
    found: list[x509.CertificateRevocationList] = []
    for data in collateral.of("crl"):
        if len(found) == MAX_COLLATERAL_CRLS:
            break
        if len(data) <= MAX_CRL_SIZE and any(name in data for name in issuers):
            try:
                found.append(load_crl(data, f"{ID}.issuer"))
            except EvidenceError:
                continue
    return found


@lru_cache(maxsize=16)
def _anchors(listed: tuple[bytes, ...]) -> Anchors:
    """Parsed once per policy, not per report."""
    return Anchors.load(listed)
