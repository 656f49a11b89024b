# SPDX-License-Identifier: AGPL-3.0-or-later
"""Manifests: their signature by itself, and a device of one's own held against them."""

from __future__ import annotations

from attestation.nvidia.swid import parse_signed
from attestation.nvidia.xmldsig import signed_bytes
from attestation.pki.certificate import load_certificate
from tests.attestation.nvidia.paper import bag, judge, rims


def verified(data: bytes) -> bytes:
    signed = parse_signed(data)
    return signed_bytes(data, load_certificate(signed.certificates[0], "evidence.nvidia.rim-certificate"))


def one(driver: bytes, vbios: bytes | None = None, **settings):
    return judge(collateral=bag(driver, vbios or rims()[1]), **{"require_ocsp": False, **settings})
