# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPM algorithm identifiers (TCG Algorithm Registry) and what they mean here."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.errors import UnsupportedError

RSA = 0x0001
ECC = 0x0023
NULL = 0x0010
AES = 0x0006
CFB_MODE = 0x0043
RSASSA = 0x0014
RSAES = 0x0015
RSAPSS = 0x0016
OAEP = 0x0017
ECDSA = 0x0018
ECDH = 0x0019

SHA1 = 0x0004
SHA256 = 0x000B
SHA384 = 0x000C
SHA512 = 0x000D

HASH_NAMES = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}
HASH_IDS = {name: identifier for identifier, name in HASH_NAMES.items()}
HASH_SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}

WEAK_HASHES = frozenset({"sha1"})
"""Readable, never sufficient: collisions are practical (Leurent and Peyrin, 2020)."""

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303  read to refuse it with a reason, never to accept
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

CURVES: dict[int, ec.EllipticCurve] = {
    0x0003: ec.SECP256R1(),
    0x0004: ec.SECP384R1(),
    0x0005: ec.SECP521R1(),
}
CURVE_IDS = {curve.name: identifier for identifier, curve in CURVES.items()}


RSA_BITS = {2048: 112, 3072: 128, 4096: 140}
"""Classical security of RSA moduli: NIST SP 800-57 part 1, table 2; 4096 interpolated."""


def hash_name(identifier: int) -> str:
    """Name of a TPM_ALG_ID hash. Raises `UnsupportedError` for any other algorithm."""
    try:
        return HASH_NAMES[identifier]
    except KeyError:
        raise UnsupportedError(
            "evidence.tpm2.algorithm-unsupported",
            f"hash algorithm 0x{identifier:04x}; supported: {', '.join(HASH_IDS)}",
        ) from None


def digest(name: str, data: bytes) -> bytes:
    """Hash `data` with the algorithm `name`."""
    return hashlib.new(name, data, usedforsecurity=name not in WEAK_HASHES).digest()


def hash_algorithm(name: str) -> hashes.HashAlgorithm:
    """The `cryptography` object for a hash name."""
    return _HASHES[name]


def coordinate_size(curve: ec.EllipticCurve) -> int:
    """Bytes of one field element of `curve`."""
    return (curve.key_size + 7) // 8
