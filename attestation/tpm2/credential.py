# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPM2_MakeCredential without a TPM.

    seed      = 32 or 48 random bytes under RSA-OAEP(label "IDENTITY\\0"), or
                KDFe(nameAlg, Z.x, "IDENTITY", ephemeral.x, EK.x) by one-pass ECDH
    symKey    = KDFa(nameAlg, seed, "STORAGE", AK Name)
    encrypted = AES-CFB(symKey, iv 0, TPM2B(secret))
    hmacKey   = KDFa(nameAlg, seed, "INTEGRITY")
    blob      = TPM2B_ID_OBJECT( TPM2B(HMAC(hmacKey, encrypted || AK Name)) || encrypted )

Only the TPM that holds the EK can undo it, and only for an object loaded in it whose Name is the AK's.
Source: TPM 2.0 Library, Part 1, 24 (credential protection), 11.4.10 (KDFa, KDFe), annexes B.10.4 and C.6;
Part 3, 12.6 (TPM2_MakeCredential).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from attestation.errors import UnsupportedError
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.public import PublicKey
from attestation.wire import sized


@dataclass(frozen=True, slots=True)
class EkParameters:
    """How an EK protects credentials: its name algorithm and AES key size in bits."""

    name_hash: str
    symmetric_bits: int


@dataclass(frozen=True, slots=True)
class Credential:
    """`blob` is a TPM2B_ID_OBJECT, `encrypted_secret` a TPM2B_ENCRYPTED_SECRET, both with their lengths."""

    blob: bytes
    encrypted_secret: bytes


def ek_parameters(key: PublicKey) -> EkParameters:
    """What the TCG's default template for an EK of this type prescribes (EK Credential Profile 2.5, annex B).

    Raises `UnsupportedError` (`evidence.tpm2.ek-unsupported`) for key types without one here.
    """
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048:
        return EkParameters("sha256", 128)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in (3072, 4096):
        return EkParameters("sha384", 256)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return EkParameters("sha256", 128)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        return EkParameters("sha384", 256)
    raise UnsupportedError(
        "evidence.tpm2.ek-unsupported", "EK type without a default template; RSA-2048/3072/4096, P-256, P-384"
    )


def make_credential(ek: PublicKey, ak_name: bytes, secret: bytes, parameters: EkParameters | None = None) -> Credential:
    """Encrypt `secret` (at most one digest of the EK's name algorithm) to the TPM that holds `ek`.

    `parameters` default to `ek_parameters(ek)`.
    """
    parameters = parameters or ek_parameters(ek)
    if not 1 <= len(secret) <= alg.HASH_SIZES[parameters.name_hash]:
        raise UnsupportedError(
            "evidence.tpm2.secret-size",
            f"secret of {len(secret)} bytes; 1 to {alg.HASH_SIZES[parameters.name_hash]}",
        )
    seed, encrypted_seed = _share_seed(ek, parameters.name_hash)
    storage_key = kdfa(parameters.name_hash, seed, b"STORAGE", ak_name, b"", parameters.symmetric_bits)
    encryptor = Cipher(algorithms.AES(storage_key), CFB(bytes(16))).encryptor()
    identity = encryptor.update(sized(secret)) + encryptor.finalize()
    digest_bits = alg.HASH_SIZES[parameters.name_hash] * 8
    integrity_key = kdfa(parameters.name_hash, seed, b"INTEGRITY", b"", b"", digest_bits)
    integrity = hmac.digest(integrity_key, identity + ak_name, parameters.name_hash)
    return Credential(sized(sized(integrity) + identity), sized(encrypted_seed))


def _share_seed(ek: PublicKey, name_hash: str) -> tuple[bytes, bytes]:
    """The seed, and the form in which only the EK's holder can recover it."""
    if isinstance(ek, rsa.RSAPublicKey):
        seed = secrets.token_bytes(alg.HASH_SIZES[name_hash])
        algorithm = alg.hash_algorithm(name_hash)
        oaep = padding.OAEP(padding.MGF1(algorithm), algorithm, label=b"IDENTITY\x00")
        return seed, ek.encrypt(seed, oaep)
    ephemeral = ec.generate_private_key(ek.curve)
    size = alg.coordinate_size(ek.curve)
    shared = ephemeral.exchange(ec.ECDH(), ek)
    mine, theirs = ephemeral.public_key().public_numbers(), ek.public_numbers()
    x, y = mine.x.to_bytes(size, "big"), mine.y.to_bytes(size, "big")
    bits = alg.HASH_SIZES[name_hash] * 8
    seed = kdfe(name_hash, shared, b"IDENTITY", x, theirs.x.to_bytes(size, "big"), bits)
    return seed, sized(x) + sized(y)


def kdfa(name_hash: str, key: bytes, label: bytes, context_u: bytes, context_v: bytes, bits: int) -> bytes:
    """KDFa: SP 800-108 counter mode with HMAC; `label` without its terminating zero octet."""
    size = bits // 8
    fixed = label + b"\x00" + context_u + context_v + bits.to_bytes(4, "big")
    blocks = b""
    counter = 0
    while len(blocks) < size:
        counter += 1
        blocks += hmac.digest(key, counter.to_bytes(4, "big") + fixed, name_hash)
    return blocks[:size]


def kdfe(name_hash: str, z: bytes, label: bytes, party_u: bytes, party_v: bytes, bits: int) -> bytes:
    """KDFe: SP 800-56A concatenation; `z` and the parties' x coordinates padded to the field's size."""
    size = bits // 8
    fixed = z + label + b"\x00" + party_u + party_v
    blocks = b""
    counter = 0
    while len(blocks) < size:
        counter += 1
        blocks += alg.digest(name_hash, counter.to_bytes(4, "big") + fixed)
    return blocks[:size]
