# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on the quote itself: the key's nature, the challenge, the signature."""

from __future__ import annotations

import hmac

from attestation.contract import MAX_CHALLENGE, Check
from attestation.errors import RejectedError
from attestation.freshness import ambiguous, freshness, unclear
from attestation.pki.path import MIN_RSA_BITS
from attestation.tpm2 import algorithms as alg
from attestation.tpm2 import public as pub
from attestation.tpm2.attest import ST_ATTEST_QUOTE, TPM_GENERATED, Attest
from attestation.tpm2.public import Public
from attestation.tpm2.signature import SCHEME_NAMES, Signature
from attestation.tpm2.trust import Tpm2Trust

ID = "evidence.tpm2"

REQUIRED_ATTRIBUTES = pub.FIXED_TPM | pub.FIXED_PARENT | pub.SENSITIVE_DATA_ORIGIN | pub.RESTRICTED | pub.SIGN
"""A restricted key signs nothing that starts with TPM_GENERATED_VALUE unless the TPM itself made it. The
other bits say that the private part was born in this TPM and can never leave it (Part 1, 25)."""

HIERARCHIES = {0x40000001: "owner", 0x4000000B: "endorsement", 0x4000000C: "platform", 0x40000007: "null"}
_CLEAR_COUNTERS = frozenset({"endorsement", "platform"})


def check_ak(public: Public, trust: Tpm2Trust) -> list[Check]:
    """Is this the public area of a key that can only sign what its TPM made, of sufficient strength?"""
    attributes_fine = public.has(REQUIRED_ATTRIBUTES) and not public.has(pub.DECRYPT)
    checks = [
        Check(
            f"{ID}.ak-attributes",
            "PASS" if attributes_fine else "FAIL",
            " ".join(public.attribute_names()) or "none",
            "restricted sign fixedTPM fixedParent sensitiveDataOrigin, not decrypt",
            "" if attributes_fine else f"{ID}.ak-attributes",
        )
    ]
    problem = _weakness(public, trust)
    checks.append(
        Check(
            f"{ID}.ak-key",
            "FAIL" if problem else "PASS",
            problem or describe_key(public),
            "RSA of at least 2048 bits with exponent 65537, or P-256/P-384; a signing scheme with SHA-2",
            f"{ID}.ak-key-weak" if problem else "",
            bits=None if problem else security_bits(public),
        )
    )
    return checks


def describe_key(public: Public) -> str:
    """For instance `RSA-2048 RSASSA sha256, name sha256`."""
    kind = f"RSA-{public.key_bits}" if public.type == alg.RSA else alg.CURVES[public.curve].name
    scheme = SCHEME_NAMES.get(public.scheme, "no signing scheme")
    return f"{kind} {scheme} {public.scheme_hash or ''}, name {public.name_hash}"


def security_bits(public: Public) -> int:
    """Classical security level of the key, in bits."""
    if public.type == alg.RSA:
        return alg.RSA_BITS.get(public.key_bits, 112)
    return alg.CURVES[public.curve].key_size // 2


def _weakness(public: Public, trust: Tpm2Trust) -> str:
    if public.name_hash in alg.WEAK_HASHES:
        return f"name algorithm {public.name_hash}"
    if public.scheme not in SCHEME_NAMES:
        return "no signing scheme"
    if public.scheme_hash not in trust.signature_hashes:
        return f"signs with {public.scheme_hash}"
    if public.type == alg.RSA:
        if public.key_bits < MIN_RSA_BITS:
            return f"RSA of {public.key_bits} bits"
        if public.exponent not in (0, pub.DEFAULT_EXPONENT):
            return f"RSA exponent {public.exponent}"
    elif alg.CURVES[public.curve].name not in ("secp256r1", "secp384r1"):
        return f"curve {alg.CURVES[public.curve].name}"
    return ""


def check_header(attest: Attest) -> list[Check]:
    """Did a TPM make this structure, and is it a quote?"""
    magic, kind = attest.magic == TPM_GENERATED, attest.type == ST_ATTEST_QUOTE
    return [
        Check(
            f"{ID}.quote-magic",
            "PASS" if magic else "FAIL",
            f"0x{attest.magic:08x}",
            f"0x{TPM_GENERATED:08x} (TPM_GENERATED_VALUE)",
            "" if magic else f"{ID}.not-tpm-generated",
        ),
        Check(
            f"{ID}.quote-type",
            "PASS" if kind else "FAIL",
            f"0x{attest.type:04x}",
            f"0x{ST_ATTEST_QUOTE:04x} (TPM_ST_ATTEST_QUOTE)",
            "" if kind else f"{ID}.not-a-quote",
        ),
    ]


def check_challenge(attest: Attest, challenge: bytes | None) -> Check:
    """Is the qualifying data the challenge, or the challenge with zeros up to 64 bytes, as Trustee's attester pads it?

    An empty challenge shows no freshness: SKIP.
    """
    if challenge is None:
        return freshness(attest.extra_data, None, f"{ID}.challenge", ID)
    observed, required = attest.extra_data.hex() or "empty", challenge.hex() or "empty"
    padded = challenge and len(attest.extra_data) == MAX_CHALLENGE
    if not hmac.compare_digest(attest.extra_data, challenge.ljust(MAX_CHALLENGE, b"\0") if padded else challenge):
        return Check(f"{ID}.challenge", "FAIL", observed, required, f"{ID}.challenge-mismatch")
    if not challenge:
        return Check(f"{ID}.challenge", "SKIP", observed, "a challenge of the verifier", f"{ID}.challenge-missing")
    if padded and len(challenge) < MAX_CHALLENGE and ambiguous(challenge):
        return unclear(attest.extra_data, challenge, f"{ID}.challenge")
    return Check(f"{ID}.challenge", "PASS", observed, required)


def check_signature(public: Public, signature: Signature, message: bytes) -> Check:
    """Does the signature verify over the received bytes, in the very scheme that the key is restricted to?"""
    required = "the AK's own scheme and key, over the attestation as received"
    observed = f"{SCHEME_NAMES[signature.scheme]} {signature.hash}"
    if (signature.scheme, signature.hash) != (public.scheme, public.scheme_hash):
        code = f"{ID}.signature-scheme-mismatch"
        return Check(f"{ID}.signature", "FAIL", observed, f"{required}: {describe_key(public)}", code)
    try:
        signature.verify(public.key(), message)
    except RejectedError as error:
        return Check(f"{ID}.signature", "FAIL", f"{observed}: {error.message}", required, error.code)
    return Check(f"{ID}.signature", "PASS", f"{observed}, verifies", required, bits=security_bits(public))


def hierarchy(attest: Attest, public: Public) -> str | None:
    """The hierarchy whose primary key the AK is, when the qualified signer shows that; otherwise None.

    QN = nameAlg || H( handle of the hierarchy || Name ) for primary keys (Part 1, 16.4).
    """
    prefix = alg.HASH_IDS[public.name_hash].to_bytes(2, "big")
    for handle, name in HIERARCHIES.items():
        qualified = prefix + alg.digest(public.name_hash, handle.to_bytes(4, "big") + public.name())
        if qualified == attest.qualified_signer:
            return name
    return None


def counters_obfuscated(placed: str | None) -> bool | None:
    """Whether the TPM obfuscates reset count, restart count and firmware version for this key.

    It does for keys outside the endorsement and platform hierarchies (Part 1, 36.7). None when unknown.
    """
    return None if placed is None else placed not in _CLEAR_COUNTERS
