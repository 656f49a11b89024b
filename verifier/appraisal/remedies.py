# SPDX-License-Identifier: AGPL-3.0-or-later
"""What whoever reads a verdict can do about it, by how its code ends. Formats name their codes alike, so this does."""

from __future__ import annotations

_COLLATERAL = (
    "give it with the collateral, as of the time of the question"
    " (affidavit collateral fetch gets what AMD, Intel and NVIDIA publish)"
)
_EXPIRED = "give collateral of the time of the question, or ask about a time when this was current"
REMEDIES = (
    ("-no-anchors", "list in the policy, or with the reference values, whom you trust to vouch for it"),
    ("crl-missing", _COLLATERAL),
    ("ocsp-missing", _COLLATERAL),
    ("ocsp-too-many", "give only the responder's own responses about this machine's certificates"),
    ("rim-missing", _COLLATERAL),
    ("tcb-info-missing", _COLLATERAL),
    ("qe-identity-missing", _COLLATERAL),
    ("vek-missing", _COLLATERAL),
    ("crl-expired", _EXPIRED),
    ("ocsp-expired", _EXPIRED),
    ("tcb-info-expired", _EXPIRED),
    ("qe-identity-expired", _EXPIRED),
    ("tcb-out-of-date", "have the machine's firmware updated, or tolerate OutOfDate in the policy (a warning)"),
    ("challenge-ambiguous", "ask with a nonce of 32 random bytes, or give it at the full length of the field"),
    ("counters-backwards", "ask the machine again; where its owner cleared the TPM, forget what is kept of its clock"),
    ("kind-not-accepted", "say with kind in [evidence.nitro], or with the reference values, which documents you want"),
    ("event-log-foreign", "give the log of this machine and this boot, or none"),
    ("second-opinion-not-asked", "the policy may do without it: require_second_opinion = false"),
    ("challenge-mismatch", "ask the machine again, with the nonce of this question"),
    ("ear.expired", "ask its issuer for a current result, or about a time when this one was"),
    ("ear.not-yet", "check the time of the question, and the issuer's clock"),
    ("ear.nonce-mismatch", "ask its issuer for a result about this nonce"),
    ("ear.key-malformed", "give a JWK or a PEM key or certificate; to sign with, an unencrypted PEM private key"),
    ("ear.key-unsupported", "use a key on P-256 or P-384, or Ed25519"),
    ("ear.algorithm", "give the key of the issuer that signed it"),
    ("ear.signature", "give the key of the issuer that signed it"),
    ("ear.status-better-than-vector", "do not rely on it: it contradicts itself"),
)
"""Endings of codes with their remedies; a code takes the first that fits."""

UNREADABLE = "give the file whole, as its source gave it, under the type that it is of"
"""Where evidence or a result breaks its grammar, and nothing more is known."""

UNKNOWN = "use a newer release, or other evidence"
"""Where evidence is of a form or version that is not known here."""


def remedy_for(code: str) -> str:
    """The remedy for a code; empty where there is none but other evidence."""
    return next((remedy for ending, remedy in REMEDIES if code.endswith(ending)), "")
