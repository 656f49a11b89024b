# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a verifier demands, as a file that people can read and edit (``policy@v1``, TOML).

A policy never weakens by omission: what is not stated is required or not trusted. The one profile that may
accept simulated evidence is ``development``, and the switch for it has ``unsafe`` in its name.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from verifier.errors import MalformedError
from verifier.fields import Fields

FORMAT = "policy@v1"
CODE = "policy.malformed"
MAX_BYTES = 1 << 20
MAX_LIST = 256
PROFILES = ("development", "production")
ASSURANCES = ("signed", "attested", "rechecked", "proved", "private")
DEFAULT_MAX_MACS = 5_000_000_000


@dataclass(frozen=True)
class Tpm2Roots:
    """Trust for ``tpm2-quote@v1``; certificates as DER.

    Attributes:
        ek_roots: CAs of TPM vendors, for endorsement-key certificates.
        ak_issuers: attestation CAs that certify an AK after credential activation against such an EK.
        platform_ak_issuers: CAs of platforms that certify AKs by themselves (cloud vTPMs).
        pcrs: allowed SHA-256 PCR values by index; an index that is listed is required.
    """

    ek_roots: tuple[bytes, ...] = ()
    ak_issuers: tuple[bytes, ...] = ()
    platform_ak_issuers: tuple[bytes, ...] = ()
    pcrs: Mapping[int, frozenset[bytes]] = field(default_factory=dict)


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
        name, profile: for people; ``profile`` is one of :data:`PROFILES`.
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
        tpm2: roots for TPM evidence.
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
    tpm2: Tpm2Roots = Tpm2Roots()
    request: RequestPins = RequestPins()
    max_macs: int = DEFAULT_MAX_MACS
    unsafe_accept_simulated: bool = False


DEFAULT_POLICY = Policy()
"""Trusts nobody: with it no affidavit is accepted, since no key and no root is listed."""


def _certificates(fields: Fields, key: str) -> tuple[bytes, ...]:
    if key not in fields.value:
        return ()

    def read(value: Any, path: str) -> bytes:
        try:
            return x509.load_pem_x509_certificate(str(value).encode()).public_bytes(Encoding.DER)
        except ValueError as error:
            raise MalformedError(CODE, f"{path}: not a PEM certificate ({str(error)[:80]})") from None

    return fields.list(key, read, limit=MAX_LIST)


def _pcrs(fields: Fields) -> dict[int, frozenset[bytes]]:
    out: dict[int, frozenset[bytes]] = {}
    for key in fields.value:
        if not (key.isascii() and key.isdigit() and len(key) <= 2 and int(key) < 24 and str(int(key)) == key):
            raise MalformedError(CODE, f"{fields.path}.{key[:20]}: PCR index 0 to 23 expected")
        values = frozenset(fields.digests(key, limit=MAX_LIST))
        if not values:
            raise MalformedError(CODE, f"{fields.path}.{key}: at least one allowed value expected")
        out[int(key)] = values
    return out


def _tpm2(fields: Fields) -> Tpm2Roots:
    fields.exactly((), optional={"ek_roots", "ak_issuers", "platform_ak_issuers", "pcrs"})
    return Tpm2Roots(
        _certificates(fields, "ek_roots"),
        _certificates(fields, "ak_issuers"),
        _certificates(fields, "platform_ak_issuers"),
        _pcrs(fields.object("pcrs")) if "pcrs" in fields.value else {},
    )


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
        {"format", "profile", "require"}, optional={"name", "request", "models", "keys", "evidence", "limits"}
    )
    require, request = fields.object("require"), _optional(fields, "request")
    models, keys = _optional(fields, "models"), _optional(fields, "keys")
    evidence, limits = _optional(fields, "evidence"), _optional(fields, "limits")
    require.exactly({"assurance"}, optional={"nonce", "input", "model", "minimum_score_permille", "max_age_seconds"})
    request.exactly((), optional={"nonce", "input"})
    models.exactly((), optional={"allowed", "commitments"})
    keys.exactly((), optional={"nodes", "recheckers"})
    evidence.exactly((), optional={"accept", "unsafe_accept_simulated", "tpm2"})
    limits.exactly((), optional={"max_macs"})
    profile = fields.text("profile")
    if profile not in PROFILES:
        raise fields.fail("profile", f"one of {PROFILES}")
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
        tpm2=_tpm2(_optional(evidence, "tpm2")),
        request=RequestPins(
            request.digest("nonce") if "nonce" in request.value else None,
            request.digest("input") if "input" in request.value else None,
        ),
        max_macs=limits.integer("max_macs", 0, 1 << 50) if "max_macs" in limits.value else DEFAULT_MAX_MACS,
        unsafe_accept_simulated=unsafe,
    )
