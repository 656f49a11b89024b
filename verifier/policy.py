# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a verifier demands, as a file that people can read and edit (``policy@v1``, TOML).

A policy never weakens by omission: what is not stated is required or not trusted, unless the profile that it names
says otherwise (:mod:`verifier.profiles`). The one profile that may accept simulated evidence is ``development``, and
the switch for it has ``unsafe`` in its name.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from attestation.formats import FORMATS
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.profiles import BULLETIN_STATUSES, MAX_AGE_DAYS, PROFILES, TCB_STATUSES, Demands
from verifier.trust import READERS

FORMAT = "policy@v1"
CODE = "policy.malformed"
MAX_BYTES = 1 << 20
MAX_LIST = 256
ASSURANCES = ("signed", "attested", "rechecked", "proved", "private")
DEFAULT_MAX_MACS = 5_000_000_000


@dataclass(frozen=True)
class RequestPins:
    """What this verifier itself asked for; ``None`` where the policy does not pin it."""

    nonce: bytes | None = None
    input: bytes | None = None


@dataclass(frozen=True)
class Policy:
    """A typed policy.

    Attributes:
        id: SHA-256 of the file's bytes; zeros for the built-in default.
        name, profile: for people; ``profile`` is one of :data:`verifier.profiles.PROFILES` and sets ``demands``.
        assurance: layers that must be reached, of :data:`ASSURANCES`; never empty.
        require_nonce, require_input, require_model: the verifier must know them itself, not take the
        file's word. minimum_score: integrity score in thousandths, 0 to 1000.
        max_age_seconds: bound on the node's self-asserted completion time; ``None`` for no bound.
        models: circuit digests that may answer; empty means that the caller must supply the circuit.
        commitments: for circuits among ``models``, the commitment to their weights that proofs in mode ``committed``
        must speak of.
        nodes: Ed25519 keys trusted by themselves, without evidence.
        recheckers: Ed25519 keys whose recheck statements count.
        evidence: accepted evidence types.
        trust: by format name, what the policy says of that format (:mod:`verifier.trust`).
        tables: the same as it stands in the file; :mod:`verifier.appraisal.trust` joins it with reference values.
        demands: of each appraisal: the profile's, changed by the table ``[appraisal]``.
        request: pinned nonce and input.
        max_macs: largest circuit (multiply-accumulates times batch) that verification recomputes by itself.
        unsafe_accept_simulated: whether ``simulated@v1`` evidence counts as attested (development only).
    """

    id: bytes = bytes(32)
    name: str = "default"
    profile: str = "production"
    assurance: tuple[str, ...] = ("signed", "attested")
    require_nonce: bool = True
    require_input: bool = True
    require_model: bool = True
    minimum_score: int = 0
    max_age_seconds: int | None = None
    models: frozenset[bytes] = frozenset()
    commitments: Mapping[bytes, bytes] = field(default_factory=dict)
    nodes: frozenset[bytes] = frozenset()
    recheckers: frozenset[bytes] = frozenset()
    evidence: tuple[str, ...] = ()
    trust: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    demands: Demands = PROFILES["production"]
    request: RequestPins = RequestPins()
    max_macs: int = DEFAULT_MAX_MACS
    unsafe_accept_simulated: bool = False


DEFAULT_POLICY = Policy()
"""Trusts nobody: with it no affidavit is accepted, since no key and no root is listed."""


def profile_policy(profile: str) -> Policy:
    """A named profile alone, for appraising evidence: every type but simulated, each under its pinned vendor roots.

    Raises:
        KeyError: no profile of this name.
    """
    accepted = tuple(format_.type for format_ in FORMATS.values() if not format_.simulated)
    return Policy(name=profile, profile=profile, evidence=accepted, demands=PROFILES[profile])


def _commitments(fields: Fields, allowed: frozenset[bytes]) -> dict[bytes, bytes]:
    if len(fields.value) > MAX_LIST:
        raise fields.fail("", f"at most {MAX_LIST} entries")
    out = {}
    for key in fields.value:
        if key not in {digest.hex() for digest in allowed}:
            raise MalformedError(CODE, f"{fields.path}.{key[:20]}: a circuit digest that models.allowed lists expected")
        out[bytes.fromhex(key)] = fields.digest(key)
    return out


def _optional(fields: Fields, key: str) -> Fields:
    return fields.object(key) if key in fields.value else Fields({}, f"{fields.path}.{key}", CODE)


def _digests(fields: Fields, key: str) -> frozenset[bytes]:
    return frozenset(fields.digests(key, limit=MAX_LIST)) if key in fields.value else frozenset()


def _flag(fields: Fields, key: str, default: bool) -> bool:
    return fields.boolean(key) if key in fields.value else default


def _names(fields: Fields, key: str, allowed: tuple[str, ...] | None) -> tuple[str, ...]:
    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or (allowed is not None and value not in allowed):
            raise MalformedError(CODE, f"{path}: expected one of {allowed or 'the evidence types'}")
        return value

    return tuple(dict.fromkeys(fields.list(key, read, limit=16)))


def _bulletin_statuses(fields: Fields, base: Demands) -> frozenset[str]:
    """What is stated for statuses by bulletins, or for statuses at all, or the profile's."""
    for key, allowed in (("bulletin_statuses", BULLETIN_STATUSES), ("tcb_statuses", TCB_STATUSES[:-1])):
        if key in fields.value:
            return frozenset(_names(fields, key, allowed)) & frozenset(BULLETIN_STATUSES)
    return base.bulletin_statuses


def _demands(fields: Fields, base: Demands) -> Demands:
    """What ``[appraisal]`` says; the profile's value for a key that is not there."""
    fields.exactly(
        (),
        optional={
            "freshness", "revocation", "tcb_statuses", "bulletin_statuses", "max_collateral_age_days",
            "minimum_score_permille", "debug",
        },
    )  # fmt: skip
    stated = fields.value
    return Demands(
        freshness=_flag(fields, "freshness", base.freshness),
        revocation=_flag(fields, "revocation", base.revocation),
        tcb_statuses=frozenset(_names(fields, "tcb_statuses", TCB_STATUSES[:-1]))
        if "tcb_statuses" in stated
        else base.tcb_statuses,
        bulletin_statuses=_bulletin_statuses(fields, base),
        max_collateral_age_days=fields.integer("max_collateral_age_days", 1, MAX_AGE_DAYS)
        if "max_collateral_age_days" in stated
        else base.max_collateral_age_days,
        minimum_score=fields.integer("minimum_score_permille", 0, 1000)
        if "minimum_score_permille" in stated
        else base.minimum_score,
        debug=_flag(fields, "debug", base.debug),
    )


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        MalformedError: ``policy.malformed`` (grammar), ``policy.version.unknown``,
        ``policy.unsafe.in-production``.
    """
    if len(data) > MAX_BYTES:
        raise MalformedError(CODE, f"policy of {len(data)} bytes, at most {MAX_BYTES}")
    try:
        fields = Fields.of(tomllib.loads(data.decode("utf-8")), "policy", CODE)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise MalformedError(CODE, f"policy: not TOML ({str(error)[:120]})") from None
    if fields.value.get("format") != FORMAT:
        raise MalformedError("policy.version.unknown", f"policy: expected format = {FORMAT!r}")
    fields.exactly(
        {"format", "profile", "require"},
        optional={"name", "request", "models", "keys", "evidence", "appraisal", "limits"},
    )
    require, request = fields.object("require"), _optional(fields, "request")
    models, keys = _optional(fields, "models"), _optional(fields, "keys")
    evidence, limits = _optional(fields, "evidence"), _optional(fields, "limits")
    require.exactly({"assurance"}, optional={"nonce", "input", "model", "minimum_score_permille", "max_age_seconds"})
    request.exactly((), optional={"nonce", "input"})
    models.exactly((), optional={"allowed", "commitments"})
    keys.exactly((), optional={"nodes", "recheckers"})
    evidence.exactly((), optional={"accept", "unsafe_accept_simulated", *READERS})
    limits.exactly((), optional={"max_macs"})
    profile = fields.text("profile")
    if profile not in PROFILES:
        raise fields.fail("profile", f"one of {tuple(PROFILES)}")
    unsafe = _flag(evidence, "unsafe_accept_simulated", False)
    if unsafe and profile != "development":
        raise MalformedError(
            "policy.unsafe.in-production", "policy: unsafe_accept_simulated needs profile = 'development'"
        )
    assurance = _names(require, "assurance", ASSURANCES)
    if not assurance:
        raise require.fail("assurance", "at least one layer")
    allowed = _digests(models, "allowed")
    return Policy(
        id=hashlib.sha256(data).digest(),
        name=fields.text("name", limit=80) if "name" in fields.value else "unnamed",
        profile=profile,
        assurance=assurance,
        require_nonce=_flag(require, "nonce", True),
        require_input=_flag(require, "input", True),
        require_model=_flag(require, "model", True),
        minimum_score=require.integer("minimum_score_permille", 0, 1000)
        if "minimum_score_permille" in require.value
        else 0,
        max_age_seconds=require.integer("max_age_seconds", 1, 1 << 40) if "max_age_seconds" in require.value else None,
        models=allowed,
        commitments=_commitments(_optional(models, "commitments"), allowed),
        nodes=_digests(keys, "nodes"),
        recheckers=_digests(keys, "recheckers"),
        evidence=_names(evidence, "accept", None) if "accept" in evidence.value else (),
        trust={name: read(evidence.object(name)) for name, read in READERS.items() if name in evidence.value},
        tables={name: evidence.object(name).value for name in READERS if name in evidence.value},
        demands=_demands(_optional(fields, "appraisal"), PROFILES[profile]),
        request=RequestPins(
            request.digest("nonce") if "nonce" in request.value else None,
            request.digest("input") if "input" in request.value else None,
        ),
        max_macs=limits.integer("max_macs", 0, 1 << 50) if "max_macs" in limits.value else DEFAULT_MAX_MACS,
        unsafe_accept_simulated=unsafe,
    )
