# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signatures without the head that says how they were made, as `tpm2_quote -f plain`, OpenSSL and JOSE have them.

::

    RSA      the bare value, as long as the modulus
    ECDSA    Ecdsa-Sig-Value in DER (RFC 3279, 2.2.3), or r || s at the size of the curve (RFC 7518, 3.4)

Scheme and hash are those of the key's public area; of a bare key they are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from attestation.errors import EvidenceError, RejectedError
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.ak import AttestationKey
from attestation.tpm2.signature import SCHEME_NAMES, Signature, parse_signature

STRONG = ("sha256", "sha384", "sha512")


def readings(data: bytes, ak: AttestationKey) -> Iterator[Signature]:
    """What these bytes may be as a signature by this key: TPMT_SIGNATURE first. None of them is verified."""
    with suppress(EvidenceError):
        yield parse_signature(data)
    if isinstance(ak.key, rsa.RSAPublicKey):
        if len(data) == (ak.key.key_size + 7) // 8:
            for scheme, name in _made(ak, (alg.RSASSA, alg.RSAPSS)):
                yield Signature(scheme, name, value=data)
        return
    size = alg.coordinate_size(ak.key.curve)
    numbers = _numbers(data, size)
    if numbers is not None:
        r, s = (number.to_bytes(size, "big") for number in numbers)
        for scheme, name in _made(ak, (alg.ECDSA,)):
            yield Signature(scheme, name, r=r, s=s)


def first_fitting(data: bytes, ak: AttestationKey, message: bytes) -> bytes:
    """TPMT_SIGNATURE of the reading that verifies over `message`, else of the first. Raises `ValueError`."""
    found = list(readings(data, ak))
    for signature in found:
        try:
            signature.verify(ak.key, message)
        except (RejectedError, ValueError):
            continue
        return signature.encode()
    if not found:
        raise ValueError("no signature of this key's type")
    return found[0].encode()


def _made(ak: AttestationKey, schemes: tuple[int, ...]) -> list[tuple[int, str]]:
    """Scheme and hash, by the public area where there is one."""
    if ak.public is not None and ak.public.scheme in SCHEME_NAMES and ak.public.scheme_hash is not None:
        return [(ak.public.scheme, ak.public.scheme_hash)]
    return [(scheme, name) for scheme in schemes for name in STRONG]


def _numbers(data: bytes, size: int) -> tuple[int, int] | None:
    """r and s, both above zero and of at most `size` bytes."""
    if len(data) == 2 * size:
        r, s = int.from_bytes(data[:size], "big"), int.from_bytes(data[size:], "big")
    else:
        try:
            r, s = decode_dss_signature(data)
        except ValueError:
            return None
    return (r, s) if 0 < r < 1 << 8 * size and 0 < s < 1 << 8 * size else None
