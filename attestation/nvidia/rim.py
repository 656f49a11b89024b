# SPDX-License-Identifier: AGPL-3.0-or-later
"""RIMs among the collateral: which are of a device, who signed them, and when that was valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509 import ocsp

from attestation.collateral.bag import Collateral
from attestation.contract import Check, Outcome
from attestation.errors import EvidenceError, MalformedError, RejectedError, UnsupportedError
from attestation.nvidia.chains import check_path
from attestation.nvidia.swid import MAX_RESOURCES, MAX_RIM, Manifest, Signed, parse_manifest, parse_signed
from attestation.nvidia.trust import NvidiaTrust
from attestation.nvidia.xmldsig import signed_bytes
from attestation.pki.certificate import load_certificate
from attestation.pki.effort import Effort
from attestation.pki.path import extended_key_usage, key_usage

PREFIX = "evidence.nvidia.rim"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
"""The RIM CAs certify OCSP responders, too; those sign no RIMs."""
MAX_TOTAL = 256 << 10
"""Bytes of all documents that are read: ten or so, where a machine needs two or three."""
HEAD = 4096
"""Within so many bytes a RIM tells its version; looked for where there are more documents than are read."""
REMEMBERED = 64
MAX_CANDIDATES = 4
"""Documents for one version of one product that are looked into; there is one, or two revisions of it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A RIM that a device needs: `part` is `driver` or `vbios`."""

    part: str
    edition: str
    products: frozenset[str]
    version: str | None

    def fits(self, manifest: Manifest) -> bool:
        """Whether that is what the document says of itself; compared without regard to case, `LS_10` as `LS10`."""
        return (
            self.version is not None
            and manifest.version.upper() == self.version.upper()
            and manifest.edition.upper() == self.edition
            and normal(manifest.product) in self.products
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The check line, the manifest where it passed, and what it relied upon."""

    check: Check
    manifest: Manifest | None = None
    expires: datetime | None = None
    revocation: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Documents:
    """RIMs among the collateral, of which nothing is believed yet; how many XML documents are none; and how many were
    not read, for they name none of the versions and there is too much before them."""

    rims: tuple[Signed, ...]
    others: int
    unread: int = 0


def normal(product: str) -> str:
    """`LS_10` in a certificate is `LS10` in a RIM."""
    return product.replace("_", "").upper()


@lru_cache(maxsize=REMEMBERED)
def _parsed(data: bytes) -> Signed | None:
    try:
        return parse_signed(data)
    except MalformedError:
        return None


def documents(collateral: Collateral, versions: Set[str]) -> Documents:
    """The XML of the collateral, read, up to `MAX_TOTAL` bytes; what speaks of one of these versions comes first."""
    told = [version.encode("ascii").lower() for version in versions]
    found = collateral.of("xml")
    if sum(map(len, found)) > MAX_TOTAL:
        found = tuple(sorted(found, key=lambda data: not any(version in data[:HEAD].lower() for version in told)))
    rims, others, unread, left = [], 0, 0, MAX_TOTAL
    for data in found:
        if len(data) > left:
            others += len(data) > MAX_RIM
            unread += len(data) <= MAX_RIM
            continue
        left -= len(data)
        document = _parsed(data)
        if document is None:
            others += 1
        else:
            rims.append(document)
    return Documents(tuple(rims), others, unread)


def find(
    wanted: Wanted,
    among: Documents,
    responses: Sequence[ocsp.OCSPResponse],
    trust: NvidiaTrust,
    at: datetime,
    check: str,
    measured: Mapping[int, bytes],
    effort: Effort,
) -> Found:
    """The RIM for a device's part: NVIDIA's signature, valid at the given time, for this very version.

    There may be several (revisions, other boards): of those that pass, the one that fits best what was `measured`, by
    index from 0. FAIL or SKIP with `evidence.nvidia.rim-*`.
    """
    name = f"{', '.join(sorted(wanted.products))} {wanted.part} {wanted.version or 'of a version that is not reported'}"
    required = f"NVIDIA's RIM for {name}"
    candidates = [document for document in among.rims if wanted.fits(document.claimed)][:MAX_CANDIDATES]
    found = [_verify(document, wanted, responses, trust, at, check, required, effort) for document in candidates]
    if found:
        return min(
            found, key=lambda each: MAX_RESOURCES + 1 if each.manifest is None else each.manifest.misfit(measured)
        )
    code, observed = f"{PREFIX}-missing", f"{len(among.rims) + among.unread} RIMs for other versions or products"
    if among.others:
        code, observed = f"{PREFIX}-malformed", f"{observed}; {among.others} XML documents that are no RIM"
    return Found(Check(check, "SKIP", observed, required, code, demanded=trust.require_rims, category="executables"))


def _verify(
    document: Signed,
    wanted: Wanted,
    responses: Sequence[ocsp.OCSPResponse],
    trust: NvidiaTrust,
    at: datetime,
    check: str,
    required: str,
    effort: Effort,
) -> Found:
    try:
        if not all(effort.allows(document.data, number) for number in range(len(document.certificates) + 1)):
            raise UnsupportedError(
                f"{PREFIX}-too-many",
                "more signatures in the collateral than are looked at",
                remedy="give only the RIMs and OCSP responses of these devices",
            )
        chain = _chain(document.certificates)
        path = check_path(chain, trust.rim_roots, at, f"{PREFIX}-signer")
        usage = key_usage(chain[0])
        if usage is None or not usage.digital_signature or OCSP_SIGNING in extended_key_usage(chain[0]):
            raise RejectedError(f"{PREFIX}-signer-usage", "the signer's certificate is not for signing documents")
        manifest = _signed_manifest(document.data, chain[0])
        if isinstance(manifest, EvidenceError):
            raise manifest
        if not wanted.fits(manifest):
            raise RejectedError(f"{PREFIX}-signature-invalid", "what is signed is for another version")
    except EvidenceError as error:
        outcome: Outcome = "SKIP" if isinstance(error, UnsupportedError) else "FAIL"
        demanded = trust.require_rims or outcome == "FAIL"
        line = Check(check, outcome, error.message, required, error.code, demanded=demanded, category="executables")
        return Found(line)
    revocation = path.revocation(responses, at, f"{check}-revocation", f"{PREFIX}-signer", trust, effort, leaf=True)
    observed = f"{len(manifest.golden)} active measurements, signed by {path.leaf_name!r}"
    ends = [path.expires, *([revocation.expires] if revocation.expires else [])]
    line = Check(check, "PASS", observed, required, bits=192, category="executables")
    return Found(line, manifest, min(ends), (revocation.check,))


@lru_cache(maxsize=REMEMBERED)
def _chain(certificates: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """Read once for all devices of a machine."""
    return tuple(load_certificate(data, f"{PREFIX}-certificate") for data in certificates)


@lru_cache(maxsize=REMEMBERED)
def _signed_manifest(data: bytes, signer: x509.Certificate) -> Manifest | EvidenceError:
    """What the signature covers, read from the very bytes that were verified; or why it is nothing.

    Both are remembered, so that no document costs more than once for all devices. Raises `UnsupportedError` where the
    library is absent.
    """
    try:
        return parse_manifest(signed_bytes(data, signer))
    except (MalformedError, RejectedError) as error:
        return type(error)(error.code, error.message)
