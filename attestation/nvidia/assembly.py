# SPDX-License-Identifier: AGPL-3.0-or-later
"""A device's chain out of loose certificates, where the report comes alone."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.collateral.bag import Collateral
from attestation.errors import EvidenceError
from attestation.nvidia.device import device_info
from attestation.nvidia.spdm import Report, parse_report
from attestation.pki.certificate import READ_ERRORS, load_certificate
from attestation.pki.effort import Effort
from attestation.pki.path import bound_key, issued, key_usage

MAX_LOOSE = 64
"""Certificates that are looked at: two each of sixteen devices, and those that they share."""
MAX_LENGTH = 5


class Loose:
    """The certificates of the collateral, read once for all devices."""

    def __init__(self, collateral: Collateral, effort: Effort) -> None:
        self._effort = effort
        self._all = []
        for data in collateral.of("x509")[:MAX_LOOSE]:
            try:
                self._all.append(load_certificate(data, "evidence.nvidia.certificate"))
            except EvidenceError:
                continue
        self._leaves = [certificate for certificate in self._all if _may_sign(certificate)]

    def assemble(self, report: bytes) -> bytes:
        """The concatenated DER of the certificate whose key signed `report`, and of its issuers.

        Empty where there is none. A certificate is an issuer's by name and signature. Whether it is to be trusted is
        asked later. Beyond the effort no signature counts. Raises as `parse_report`.
        """
        parsed = parse_report(report)
        # Where no key fits, a device's certificate is taken all the same: the report is then refused for its signature.
        fitting = (index for index, certificate in enumerate(self._leaves) if self._signed(parsed, certificate))
        found = next(fitting, 0)
        if not self._leaves:
            return b""
        leaf = self._leaves.pop(found)
        self._leaves.append(leaf)  # the next report is another device's: this one is tried last
        chain = [leaf]
        while len(chain) < MAX_LENGTH:
            issuer = next((other for other in self._all if other not in chain and self._issued(chain[-1], other)), None)
            if issuer is None:
                break
            chain.append(issuer)
        return b"".join(certificate.public_bytes(Encoding.DER) for certificate in chain)

    def _signed(self, report: Report, certificate: x509.Certificate) -> bool:
        try:
            key = certificate.public_key()
            if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
                return False
            if not self._effort.allows(report.signed, report.r, report.s, certificate):
                return False
            key.verify(encode_dss_signature(report.r, report.s), report.signed, ec.ECDSA(hashes.SHA384()))
        except (InvalidSignature, *READ_ERRORS):
            return False
        return True

    def _issued(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        try:
            if certificate.issuer != issuer.subject or not self._effort.allows(certificate, issuer):
                return False
            bound_key(issuer, "evidence.nvidia.certificate")
        except (EvidenceError, *READ_ERRORS):
            return False
        return issued(certificate, issuer)


def _may_sign(certificate: x509.Certificate) -> bool:
    usage = key_usage(certificate)
    return usage is not None and usage.digital_signature and device_info(certificate) is not None
