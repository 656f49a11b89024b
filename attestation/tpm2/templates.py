# SPDX-License-Identifier: AGPL-3.0-or-later
"""Key templates: endorsement keys as TPM makers certify them, and this format's attestation keys.

Source: TCG EK Credential Profile for TPM Family 2.0, 2.5, annex B.3 (L-1 RSA 2048, L-2 ECC P-256). A primary
key is a function of its hierarchy's seed and the template: both are made anew, identical, whenever needed.
"""

from __future__ import annotations

from attestation.errors import OperationalError
from attestation.tpm2 import algorithms as alg
from attestation.tpm2 import public as pub
from attestation.tpm2.public import Public, Symmetric

P256 = 0x0003

EK_POLICY_SHA256 = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
"""PolicyA: PolicySecret(TPM_RH_ENDORSEMENT), SHA-256."""

_EK_ATTRIBUTES = (
    pub.FIXED_TPM | pub.FIXED_PARENT | pub.SENSITIVE_DATA_ORIGIN | pub.ADMIN_WITH_POLICY | pub.RESTRICTED | pub.DECRYPT
)
_AK_ATTRIBUTES = (
    pub.FIXED_TPM
    | pub.FIXED_PARENT
    | pub.SENSITIVE_DATA_ORIGIN
    | pub.USER_WITH_AUTH
    | pub.NO_DA
    | pub.RESTRICTED
    | pub.SIGN
)

EK_RSA_2048 = Public(
    alg.RSA,
    "sha256",
    _EK_ATTRIBUTES,
    EK_POLICY_SHA256,
    Symmetric(128),
    alg.NULL,
    None,
    key_bits=2048,
    modulus=bytes(256),
)
EK_ECC_P256 = Public(
    alg.ECC,
    "sha256",
    _EK_ATTRIBUTES,
    EK_POLICY_SHA256,
    Symmetric(128),
    alg.NULL,
    None,
    curve=P256,
    x=bytes(32),
    y=bytes(32),
)
AK_RSA_2048 = Public(alg.RSA, "sha256", _AK_ATTRIBUTES, b"", None, alg.RSASSA, "sha256", key_bits=2048, modulus=b"")
AK_ECC_P256 = Public(alg.ECC, "sha256", _AK_ATTRIBUTES, b"", None, alg.ECDSA, "sha256", curve=P256)

EK_TEMPLATES = {"rsa-2048": EK_RSA_2048, "ecc-p256": EK_ECC_P256}
AK_TEMPLATES = {"rsa-2048": AK_RSA_2048, "ecc-p256": AK_ECC_P256}

EK_CERTIFICATE_INDEX = {"rsa-2048": 0x01C00002, "ecc-p256": 0x01C0000A}
"""NV indices where makers store the EK certificates of the two templates (annex B.1)."""


def template(kinds: dict[str, Public], kind: str) -> Public:
    """The template of that kind. Raises `OperationalError` (`evidence.tpm2.key-kind-unknown`)."""
    try:
        return kinds[kind]
    except KeyError:
        raise OperationalError(
            "evidence.tpm2.key-kind-unknown", f"key kind {kind!r}; one of {', '.join(kinds)}"
        ) from None
