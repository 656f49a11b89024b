# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether evidence answers this challenge: a caller's bytes, filled up with zeros where the field is longer."""

from __future__ import annotations

import hmac

from attestation.contract import Check

FIXED_CHALLENGE = 32
"""Bytes from which on a challenge is taken to have a length of its own."""


def freshness(observed: bytes, challenge: bytes | None, check: str, prefix: str) -> Check:
    """Is `observed` the challenge itself, or the challenge followed by zeros up to its own length?

    FAIL with `<prefix>.challenge-mismatch`; SKIP, not demanded, with `<prefix>.challenge-not-given` when the caller
    gave none; SKIP, demanded, with `evidence.challenge-ambiguous` where only padding makes it fit and the padding
    cannot be told from the challenge (`ambiguous`).
    """
    if challenge is None:
        return Check(
            check,
            "SKIP",
            observed.hex() or "empty",
            "a challenge of the verifier",
            f"{prefix}.challenge-not-given",
            demanded=False,
        )
    same = bool(challenge) and hmac.compare_digest(observed, challenge.ljust(len(observed), b"\0"))
    if same and len(challenge) < len(observed) and ambiguous(challenge):
        return unclear(observed, challenge, check)
    return Check(
        check,
        "PASS" if same else "FAIL",
        observed.hex() or "empty",
        challenge.hex() or "a challenge that is not empty",
        "" if same else f"{prefix}.challenge-mismatch",
    )


def ambiguous(challenge: bytes) -> bool:
    """Whether zeros behind the challenge could as well be its own: N and N || 00 would ask the same question.

    A challenge that ends in 00 and is shorter than 32 bytes, or zeros alone. From 32 bytes on it is a digest or a
    random number of a fixed length (as all of this project's own are), which nobody asks for one byte shorter.
    """
    return challenge[-1:] == b"\0" and (len(challenge) < FIXED_CHALLENGE or not any(challenge))


def unclear(observed: bytes, challenge: bytes, check: str) -> Check:
    """The open line for a challenge that is `ambiguous` and fits by padding alone."""
    required = (
        f"{challenge.hex()}, whose last zeros cannot be told from padding: ask with a challenge that ends in none"
    )
    return Check(check, "SKIP", observed.hex(), required, "evidence.challenge-ambiguous")
