# SPDX-License-Identifier: AGPL-3.0-or-later
"""A foreign result: signature under the caller's key, then grammar, time, and statuses against their vectors.

Steps, each with its code when it fails (`evidence.ear.*`):

1. size and outer form (`token-malformed`), critical headers that nobody here knows (`critical-header`),
2. the algorithm that belongs to the key (`algorithm`; `none` and HMAC belong to no key), the signature (`signature`),
3. a profile that is known (`profile`), claims of that dialect's grammar (`claims-malformed`): `iat`, a verifier, at
   least one submodule, tiers and vectors in range,
4. time: not before it was issued (`not-yet`), not at or after `exp` (`expired`),
5. the nonce, where the caller gave one (`nonce-mismatch`),
6. no status better than a claim of its own vector (`status-better-than-vector`), no overall one than a submodule's. A
   claim of 0 is none at all (draft-ietf-rats-ar4si, 2.3.2: treated as no claim being made); 1 and -1, evidence that was
   not understood and a verifier that failed, are claims, and nothing beside them is affirming.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attestation.ear.claims import LABELS, PROFILES, Dialect, Ear, Submodule
from attestation.ear.keys import ID, VerificationKey, unpadded
from attestation.ear.tiers import CATEGORIES, Tier, tier_of, worst
from attestation.ear.tokens import open_cwt, open_jwt, token_format
from attestation.errors import MalformedError, OperationalError, RejectedError, UnsupportedError

NOT_BEFORE = 5
"""Label of `nbf` in a CWT (RFC 8392, section 3.1.5); no profile of EAR has it, and one that is there counts."""
LEEWAY_SECONDS = 60
"""How far the issuer's clock may be ahead of the caller's."""

NONCE_TEXT, NONCE_BYTES = range(8, 89), range(8, 65)
"""Sizes of `eat_nonce` in JSON, in characters, and in CBOR, in bytes (RFC 9711, section 4.1)."""

MAX_SUBMODS, MAX_NONCES, MAX_TEXT, MAX_TIME = 64, 16, 1024, 1 << 40


def verify_ear(token: bytes, key: VerificationKey, *, at: datetime, nonce: bytes | None = None) -> Ear:
    """The result in `token`, once `key` signed it, it holds at the time `at` and it does not contradict itself.

    Believe of it what its `status` and vectors say; that its issuer's key deserves trust is the caller's to know.

    Raises `MalformedError`, `RejectedError`, `UnsupportedError` as listed above; `OperationalError`
    (`evidence.time-naive`) for a time without zone.
    """
    if at.tzinfo is None:
        raise OperationalError("evidence.time-naive", "the time of the question has no time zone")
    labels: tuple[str | int, str | int]
    if token_format(token) == "jwt":
        claims: Mapping[Any, Any] = open_jwt(token, key)
        (ear, overall), labels = read_json(claims), ("nbf", "eat_nonce")
    else:
        claims = open_cwt(token, key)
        (ear, overall), labels = read_cbor(claims), (NOT_BEFORE, LABELS["nonce"])
    start, stated = labels
    now = at.timestamp()
    if start in claims and _time(claims[start], "nbf") > now + LEEWAY_SECONDS:
        raise RejectedError(f"{ID}.not-yet", f"not before {claims[start]}, asked at {now:.0f}")
    if ear.iat > now + LEEWAY_SECONDS:
        raise RejectedError(f"{ID}.not-yet", f"issued at {ear.iat}, asked at {now:.0f}")
    if ear.exp is not None and now >= ear.exp:
        raise RejectedError(f"{ID}.expired", f"expired at {ear.exp}, asked at {now:.0f}")
    if nonce is not None and not any(hmac.compare_digest(known, nonce) for known in _nonces(claims, stated)):
        raise RejectedError(f"{ID}.nonce-mismatch", "the result is not about this nonce")
    _check_statuses(ear, overall)
    return ear


def _check_statuses(ear: Ear, overall: Tier | None) -> None:
    for name, submodule in ear.submods.items():
        tiers = [tier for claim in submodule.vector.values() if claim != 0 and (tier := tier_of(claim)) is not None]
        found = worst(tiers)
        if tiers and submodule.status.badness < found.badness:
            raise RejectedError(
                f"{ID}.status-better-than-vector", f"{name[:64]}: {submodule.status.word}, a claim is {found.word}"
            )
    if overall is not None and overall is not Tier.NONE and overall.badness < ear.status.badness:
        raise RejectedError(
            f"{ID}.status-better-than-vector", f"overall {overall.word}, a submodule is {ear.status.word}"
        )


def read_json(claims: Mapping[str, Any]) -> tuple[Ear, Tier | None]:
    """The value of a JSON claims set, and its overall status where it states one."""
    dialect = _dialect(claims.get("eat_profile"))
    return _read(claims, dialect, dialect.names, words=True)


def read_cbor(claims: Mapping[Any, Any]) -> tuple[Ear, Tier | None]:
    """The value of a CBOR claims set, likewise."""
    dialect = _dialect(claims.get(LABELS["profile"]))
    return _read(claims, dialect, dialect.labels, words=False)


def _nonces(claims: Mapping[Any, Any], label: str | int) -> tuple[bytes, ...]:
    """What the result is about, best reading first: one nonce or a list of them (RFC 9711, section 4.1).

    In JSON a nonce is text, most often of base64url (Veraison: padded); whatever it is, its characters may be it.
    """
    if label not in claims:
        return ()
    stated = claims[label] if isinstance(claims[label], list | tuple) else [claims[label]]
    if not 1 <= len(stated) <= MAX_NONCES:
        raise _malformed(f"eat_nonce: 1 to {MAX_NONCES} nonces required")
    found: list[bytes] = []
    for nonce in stated:
        if isinstance(nonce, bytes) and isinstance(label, int) and len(nonce) in NONCE_BYTES:
            found.append(nonce)
        elif isinstance(nonce, str) and isinstance(label, str) and len(nonce) in NONCE_TEXT and nonce.isprintable():
            with contextlib.suppress(ValueError):
                found.append(unpadded(nonce.rstrip("=")) or nonce.encode())
            found.append(nonce.encode())
        else:
            raise _malformed("eat_nonce: text of 8 to 88 characters, or 8 to 64 bytes in CBOR, required")
    return tuple(found)


def _dialect(profile: object) -> Dialect:
    if not isinstance(profile, str):
        raise _malformed("no eat_profile")
    if profile not in PROFILES:
        raise UnsupportedError(f"{ID}.profile", f"profile {profile[:80]!r}; known: {', '.join(PROFILES)}")
    return PROFILES[profile]


def _read(
    claims: Mapping[Any, Any], dialect: Dialect, names: Mapping[str, Any], *, words: bool
) -> tuple[Ear, Tier | None]:
    verifier = _map(claims.get(names["verifier"]), "verifier id")
    developer, build = ("developer", "build") if words else (0, 1)
    submods = _map(claims.get(names["submods"]), "submods")
    if not 1 <= len(submods) <= MAX_SUBMODS:
        raise _malformed(f"{len(submods)} submods; 1 to {MAX_SUBMODS}")
    nonces = _nonces(claims, names["nonce"])
    ear = Ear(
        iat=_time(claims.get(names["iat"]), "iat"),
        exp=_time(claims[names["exp"]], "exp") if names["exp"] in claims else None,
        developer=_text(verifier.get(developer), "developer"),
        build=_text(verifier.get(build), "build"),
        nonce=nonces[0] if nonces else None,
        submods={
            _text(name, "submodule name"): _submodule(_map(value, "submodule"), dialect, names, words)
            for name, value in submods.items()
        },
        profile=claims[names["profile"]],
    )
    return ear, _tier(claims[names["status"]], words) if names["status"] in claims else None


def _submodule(claims: Mapping[Any, Any], dialect: Dialect, names: Mapping[str, Any], words: bool) -> Submodule:
    vector = {}
    for label, claim in _map(claims.get(names["vector"], {}), "vector").items():
        known = label in CATEGORIES if words else type(label) is int and 0 <= label < len(CATEGORIES)
        if not known or type(claim) is not int or tier_of(claim) is None:
            raise _malformed(f"vector: {str(label)[:40]} = {str(claim)[:40]}")
        vector[label if words else CATEGORIES[label]] = claim
    stated = claims.get(names["policy"], [])
    policies = stated if isinstance(stated, list) else [stated]
    return Submodule(
        _tier(claims.get(names["status"]), words),
        vector,
        tuple(_text(policy, "policy") for policy in policies),
        _map(claims.get(names["annotated"], {}), "annotated evidence"),
        _map(claims.get(names["policy_claims"], {}), "policy claims"),
    )


def _tier(value: object, words: bool) -> Tier:
    for tier in Tier:
        if value == (tier.word if words else tier.value) and type(value) in (str, int):
            return tier
    raise _malformed(f"status {str(value)[:40]!r}")


def _time(value: object, what: str) -> int:
    if type(value) not in (int, float) or not isinstance(value, int | float) or not 0 <= value < MAX_TIME:
        raise _malformed(f"{what}: seconds since 1970 required")
    return int(value)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _malformed(f"{what}: text of at most {MAX_TEXT} characters required")
    return value


def _map(value: object, what: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise _malformed(f"{what}: a map required")
    return value


def _malformed(message: str) -> MalformedError:
    return MalformedError(f"{ID}.claims-malformed", message)
