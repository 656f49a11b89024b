# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPMT_PUBLIC: the public area of a TPM key, its Name and its attributes.

Source: TPM 2.0 Library, Part 2, 12.2.4 (TPMT_PUBLIC), 8.3 (TPMA_OBJECT); Part 1, 16 (Names).
Only what keys of this format use is read: RSA and ECC, AES-CFB or no symmetric algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from attestation.errors import MalformedError, UnsupportedError
from attestation.tpm2 import algorithms as alg
from attestation.wire import Reader, sized

PREFIX = "evidence.tpm2.public"

FIXED_TPM = 1 << 1
ST_CLEAR = 1 << 2
FIXED_PARENT = 1 << 4
SENSITIVE_DATA_ORIGIN = 1 << 5
USER_WITH_AUTH = 1 << 6
ADMIN_WITH_POLICY = 1 << 7
NO_DA = 1 << 10
RESTRICTED = 1 << 16
DECRYPT = 1 << 17
SIGN = 1 << 18

ATTRIBUTE_NAMES = {
    FIXED_TPM: "fixedTPM",
    ST_CLEAR: "stClear",
    FIXED_PARENT: "fixedParent",
    SENSITIVE_DATA_ORIGIN: "sensitiveDataOrigin",
    USER_WITH_AUTH: "userWithAuth",
    ADMIN_WITH_POLICY: "adminWithPolicy",
    1 << 8: "firmwareLimited",
    1 << 9: "svnLimited",
    NO_DA: "noDA",
    1 << 11: "encryptedDuplication",
    RESTRICTED: "restricted",
    DECRYPT: "decrypt",
    SIGN: "sign",
    1 << 19: "x509sign",
}
_KNOWN_ATTRIBUTES = sum(ATTRIBUTE_NAMES)

DEFAULT_EXPONENT = 65537
MAX_RSA_BYTES = 512
MAX_COORDINATE = 66

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Symmetric:
    """TPMT_SYM_DEF_OBJECT: what a storage key protects its children with; None bits means TPM_ALG_NULL."""

    key_bits: int
    mode: int = alg.CFB_MODE


@dataclass(frozen=True, slots=True)
class Public:
    """A parsed TPMT_PUBLIC.

    `scheme` is TPM_ALG_NULL or a scheme identifier with `scheme_hash` (a hash name, or None where the
    scheme has none). RSA keys have `key_bits`, `exponent` (0 means 65537) and `modulus`; ECC keys have
    `curve` (TPM_ECC_CURVE), `x` and `y`, as the bytes that were received.
    """

    type: int
    name_hash: str
    attributes: int
    policy: bytes
    symmetric: Symmetric | None
    scheme: int
    scheme_hash: str | None
    key_bits: int = 0
    exponent: int = 0
    modulus: bytes = b""
    curve: int = 0
    x: bytes = b""
    y: bytes = b""

    def has(self, attributes: int) -> bool:
        """True when all of these attribute bits are set."""
        return self.attributes & attributes == attributes

    def attribute_names(self) -> list[str]:
        """The names of the attributes that are set."""
        return [name for bit, name in ATTRIBUTE_NAMES.items() if self.attributes & bit]

    def encode(self) -> bytes:
        """The TPMT_PUBLIC bytes; inverse of `parse_public`."""
        parts = [
            self.type.to_bytes(2, "big"),
            alg.HASH_IDS[self.name_hash].to_bytes(2, "big"),
            self.attributes.to_bytes(4, "big"),
            sized(self.policy),
        ]
        if self.symmetric is None:
            parts.append(alg.NULL.to_bytes(2, "big"))
        else:
            parts += [value.to_bytes(2, "big") for value in (alg.AES, self.symmetric.key_bits, self.symmetric.mode)]
        parts.append(self.scheme.to_bytes(2, "big"))
        if self.scheme_hash is not None:
            parts.append(alg.HASH_IDS[self.scheme_hash].to_bytes(2, "big"))
        if self.type == alg.RSA:
            parts += [self.key_bits.to_bytes(2, "big"), self.exponent.to_bytes(4, "big"), sized(self.modulus)]
        else:
            parts += [
                self.curve.to_bytes(2, "big"),
                alg.NULL.to_bytes(2, "big"),
                sized(self.x),
                sized(self.y),
            ]
        return b"".join(parts)

    def name(self) -> bytes:
        """The TPM Name: the name algorithm's identifier, then the digest of the public area."""
        return alg.HASH_IDS[self.name_hash].to_bytes(2, "big") + alg.digest(self.name_hash, self.encode())

    def key(self) -> PublicKey:
        """The key itself. Raises `MalformedError` when the numbers are no key (point not on its curve...)."""
        try:
            if self.type == alg.RSA:
                modulus = int.from_bytes(self.modulus, "big")
                return rsa.RSAPublicNumbers(self.exponent or DEFAULT_EXPONENT, modulus).public_key()
            x, y = int.from_bytes(self.x, "big"), int.from_bytes(self.y, "big")
            return ec.EllipticCurvePublicNumbers(x, y, alg.CURVES[self.curve]).public_key()
        except ValueError as error:
            raise MalformedError(f"{PREFIX}-malformed", f"not a public key: {error}") from error


def parse_public(data: bytes) -> Public:
    """Parse a TPMT_PUBLIC (not wrapped in a TPM2B), refusing anything that is not canonical.

    Raises `MalformedError` (`evidence.tpm2.public-*`) and `UnsupportedError`
    (`evidence.tpm2.algorithm-unsupported`).
    """
    reader = Reader(data, PREFIX)
    kind = reader.integer(2, "type")
    if kind not in (alg.RSA, alg.ECC):
        raise UnsupportedError("evidence.tpm2.algorithm-unsupported", f"key type 0x{kind:04x}; RSA or ECC needed")
    name_hash = alg.hash_name(reader.integer(2, "name algorithm"))
    attributes = reader.integer(4, "attributes")
    if attributes & ~_KNOWN_ATTRIBUTES:
        reader.fail(f"reserved attribute bits set in 0x{attributes:08x}")
    policy = reader.sized(64, "policy")
    if policy and len(policy) != alg.HASH_SIZES[name_hash]:
        reader.fail(f"policy of {len(policy)} bytes; 0 or {alg.HASH_SIZES[name_hash]} for {name_hash}")
    symmetric = _symmetric(reader)
    scheme, scheme_hash = _scheme(reader, kind)
    if kind == alg.RSA:
        public = _rsa(reader, name_hash, attributes, policy, symmetric, scheme, scheme_hash)
    else:
        public = _ecc(reader, name_hash, attributes, policy, symmetric, scheme, scheme_hash)
    reader.done()
    if public.encode() != data:
        reader.fail("not in canonical form")
    return public


def _symmetric(reader: Reader) -> Symmetric | None:
    identifier = reader.integer(2, "symmetric algorithm")
    if identifier == alg.NULL:
        return None
    if identifier != alg.AES:
        raise UnsupportedError(
            "evidence.tpm2.algorithm-unsupported", f"symmetric algorithm 0x{identifier:04x}; AES needed"
        )
    bits, mode = reader.integer(2, "symmetric key bits"), reader.integer(2, "symmetric mode")
    if bits not in (128, 192, 256):
        reader.fail(f"AES key of {bits} bits")
    return Symmetric(bits, mode)


def _scheme(reader: Reader, kind: int) -> tuple[int, str | None]:
    scheme = reader.integer(2, "scheme")
    if scheme == alg.NULL:
        return scheme, None
    if kind == alg.RSA and scheme == alg.RSAES:
        return scheme, None
    hashed = (alg.RSASSA, alg.RSAPSS, alg.OAEP) if kind == alg.RSA else (alg.ECDSA, alg.ECDH)
    if scheme not in hashed:
        raise UnsupportedError("evidence.tpm2.algorithm-unsupported", f"scheme 0x{scheme:04x}")
    return scheme, alg.hash_name(reader.integer(2, "scheme hash"))


def _rsa(
    reader: Reader,
    name_hash: str,
    attributes: int,
    policy: bytes,
    symmetric: Symmetric | None,
    scheme: int,
    scheme_hash: str | None,
) -> Public:
    bits, exponent = reader.integer(2, "key bits"), reader.integer(4, "exponent")
    modulus = reader.sized(MAX_RSA_BYTES, "modulus")
    if not modulus or len(modulus) * 8 != bits or not modulus[0] & 0x80:
        reader.fail(f"modulus of {len(modulus)} bytes for a key of {bits} bits")
    return Public(alg.RSA, name_hash, attributes, policy, symmetric, scheme, scheme_hash, bits, exponent, modulus)


def _ecc(
    reader: Reader,
    name_hash: str,
    attributes: int,
    policy: bytes,
    symmetric: Symmetric | None,
    scheme: int,
    scheme_hash: str | None,
) -> Public:
    curve = reader.integer(2, "curve")
    if curve not in alg.CURVES:
        raise UnsupportedError("evidence.tpm2.algorithm-unsupported", f"curve 0x{curve:04x}; NIST P-256/384/521")
    if reader.integer(2, "key derivation scheme") != alg.NULL:
        raise UnsupportedError("evidence.tpm2.algorithm-unsupported", "a key derivation scheme; none expected")
    size = alg.coordinate_size(alg.CURVES[curve])
    x, y = reader.sized(MAX_COORDINATE, "x"), reader.sized(MAX_COORDINATE, "y")
    for coordinate in (x, y):
        check_element(reader, coordinate, size, "coordinate")
    return Public(alg.ECC, name_hash, attributes, policy, symmetric, scheme, scheme_hash, curve=curve, x=x, y=y)


def check_element(reader: Reader, value: bytes, size: int, what: str) -> None:
    """Refuse a field element that is neither padded to `size` bytes nor stripped of leading zeros.

    TPMs do either; anything between, or longer, is one more spelling of the same number.
    """
    if len(value) > size or not value or (len(value) < size and value[0] == 0):
        reader.fail(f"{what} of {len(value)} bytes; {size}, or fewer without leading zeros")
