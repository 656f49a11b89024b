# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificate paths of devices and RIM signers: to a pinned root, every byte of them covered, revocation by OCSP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509 import ocsp

from attestation.errors import RejectedError
from attestation.nvidia.trust import NvidiaTrust
from attestation.pki.effort import Effort
from attestation.pki.ocsp import Status, check_status
from attestation.pki.path import Anchors, validate


@dataclass(frozen=True, slots=True)
class Path:
    """A validated path: certificates from the leaf to below the anchor, and the anchor."""

    certificates: tuple[x509.Certificate, ...]
    anchor: x509.Certificate

    @property
    def leaf_name(self) -> str:
        """Common name of the leaf."""
        return common_name(self.certificates[0])

    @property
    def expires(self) -> datetime:
        """The first end of validity."""
        return min(certificate.not_valid_after_utc for certificate in (*self.certificates, self.anchor))

    def revocation(
        self,
        responses: Sequence[ocsp.OCSPResponse],
        at: datetime,
        check: str,
        prefix: str,
        trust: NvidiaTrust,
        effort: Effort,
        *,
        leaf: bool,
    ) -> Status:
        """The least good status of the path's certificates, and the first end of the responses.

        Without `leaf`, the leaf is left out where it is not all that there is.
        """
        every = (*self.certificates, self.anchor)
        found = [
            check_status(
                every[index],
                every[index + 1 :],
                responses,
                at,
                check=check,
                prefix=prefix,
                demanded=trust.require_ocsp,
                effort=effort,
            )
            for index in range(0 if leaf or len(self.certificates) == 1 else 1, len(self.certificates))
        ]
        order = {"FAIL": 0, "SKIP": 1, "PASS": 2}
        worst = min(found, key=lambda status: (order[status.check.outcome], not status.check.demanded))
        return Status(worst.check, min((status.expires for status in found if status.expires), default=None))


@lru_cache(maxsize=16)
def anchors(listed: tuple[bytes, ...]) -> Anchors:
    """Anchors of a policy, parsed once."""
    return Anchors.load(listed)


@lru_cache(maxsize=128)
def check_path(chain: tuple[x509.Certificate, ...], roots: tuple[bytes, ...], at: datetime, prefix: str) -> Path:
    """The path of `chain`, leaf first, which may end with the anchor itself or with what the anchor issued.

    Nothing may stand above the anchor: a certificate that no key vouches for could be changed at will. Raises as
    `pki.path.validate`. Devices of one machine share RIMs, so that answers are kept.
    """
    listed = anchors(roots)
    if chain[-1] in listed.certificates and len(chain) > 1:
        chain = chain[:-1]
    anchor = validate(chain[0], chain[1:], listed, at, prefix)
    # `validate` has verified whichever certificate names the anchor as its issuer: that must be the last, and no other.
    if anchor in chain or [index for index, one in enumerate(chain) if one.issuer == anchor.subject] != [
        len(chain) - 1
    ]:
        raise RejectedError(f"{prefix}-untrusted", "the chain goes on above the policy's anchor")
    return Path(chain, anchor)


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, or nothing."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value)[:120] if names else ""
