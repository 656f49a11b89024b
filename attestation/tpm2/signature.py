# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPMT_SIGNATURE: RSASSA, RSAPSS and ECDSA signatures by a TPM key.

Source: TPM 2.0 Library, Part 2, 11.3.4 (TPMT_SIGNATURE); Part 1, annexes B and C.

ECDSA: a TPM emits high and low `s` alike, so both are accepted. The twin (r, n-s) of a valid signature is
valid too and says the same of the same bytes; nothing here is keyed on signature bytes, and a receipt pins
the very bytes by digest.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from attestation.errors import RejectedError, UnsupportedError
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.public import MAX_COORDINATE, MAX_RSA_BYTES, PublicKey
from attestation.wire import Reader, sized

PREFIX = "evidence.tpm2.signature"
SCHEME_NAMES = {alg.RSASSA: "RSASSA", alg.RSAPSS: "RSAPSS", alg.ECDSA: "ECDSA"}


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed TPMT_SIGNATURE: `value` for RSA; `r` and `s` for ECDSA, as received."""

    scheme: int
    hash: str
    value: bytes = b""
    r: bytes = b""
    s: bytes = b""

    def encode(self) -> bytes:
        """The TPMT_SIGNATURE bytes; inverse of `parse_signature`."""
        head = self.scheme.to_bytes(2, "big") + alg.HASH_IDS[self.hash].to_bytes(2, "big")
        return head + (sized(self.r) + sized(self.s) if self.scheme == alg.ECDSA else sized(self.value))

    def verify(self, key: PublicKey, message: bytes) -> None:
        """Verify over the received `message` bytes.

        Raises `RejectedError` with `evidence.tpm2.signature-invalid` or `-scheme-mismatch`.
        """
        algorithm = alg.hash_algorithm(self.hash)
        try:
            if isinstance(key, rsa.RSAPublicKey) and self.scheme in (alg.RSASSA, alg.RSAPSS):
                # cryptography refuses a signature whose length is not the modulus's.
                if self.scheme == alg.RSASSA:
                    key.verify(self.value, message, padding.PKCS1v15(), algorithm)
                else:
                    # A TPM salts with as many bytes as fit, or with the digest's size, depending on its age.
                    pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
                    key.verify(self.value, message, pss, algorithm)
                return
            if isinstance(key, ec.EllipticCurvePublicKey) and self.scheme == alg.ECDSA:
                size = alg.coordinate_size(key.curve)
                if max(len(self.r), len(self.s)) > size:
                    raise InvalidSignature
                r, s = int.from_bytes(self.r, "big"), int.from_bytes(self.s, "big")
                key.verify(encode_dss_signature(r, s), message, ec.ECDSA(algorithm))
                return
        except InvalidSignature:
            raise RejectedError(
                "evidence.tpm2.signature-invalid", "the signature does not verify over the attestation"
            ) from None
        raise RejectedError(
            "evidence.tpm2.signature-scheme-mismatch",
            f"{SCHEME_NAMES[self.scheme]} signature for a key of another type",
        )


def parse_signature(data: bytes) -> Signature:
    """Parse a TPMT_SIGNATURE, refusing anything that is not canonical.

    Raises `MalformedError` (`evidence.tpm2.signature-*`) and `UnsupportedError`.
    """
    reader = Reader(data, PREFIX)
    scheme = reader.integer(2, "scheme")
    if scheme not in SCHEME_NAMES:
        raise UnsupportedError("evidence.tpm2.algorithm-unsupported", f"signature scheme 0x{scheme:04x}")
    name = alg.hash_name(reader.integer(2, "hash"))
    if scheme == alg.ECDSA:
        r, s = reader.sized(MAX_COORDINATE, "r"), reader.sized(MAX_COORDINATE, "s")
        if not any(r) or not any(s):
            reader.fail("zero in an ECDSA signature")
        signature = Signature(scheme, name, r=r, s=s)
    else:
        signature = Signature(scheme, name, value=reader.sized(MAX_RSA_BYTES, "RSA signature"))
    reader.done()
    if signature.encode() != data:
        reader.fail("not in canonical form")
    return signature
