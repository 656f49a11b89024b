# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report's signature: ECDSA on P-384 with SHA-384, r and s as 72 octets each, little-endian.

A P-384 number has 48 octets, so the upper 24 of each are zero, which the range check sees to. AMD's firmware makes high
and low s alike, so both are accepted: of a valid (r, s), (r, n - s) is valid too and says the same of the same bytes.
Whoever needs one name for one report takes a hash of its first 672 bytes.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from attestation.snp.report import SIGNED_SIZE, Report

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
"""n of P-384 (SEC 2, section 2.5.1)."""

_ECDSA = ec.ECDSA(hashes.SHA384())


def in_range(report: Report) -> bool:
    """Are r and s between 1 and n - 1?"""
    return 0 < report.r < ORDER and 0 < report.s < ORDER


def signed_by(report: Report, key: ec.EllipticCurvePublicKey) -> bool:
    """Does the signature verify under `key`, over the bytes as received?"""
    if not in_range(report) or key.curve.name != "secp384r1":
        return False
    try:
        key.verify(encode_dss_signature(report.r, report.s), report.data[:SIGNED_SIZE], _ECDSA)
    except InvalidSignature:
        return False
    return True
