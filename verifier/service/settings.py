# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a service is set up: plain values, from code or from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from verifier.errors import OperationalError

PREFIX = "AFFIDAVIT_VERIFIER_"


@dataclass(frozen=True)
class Limits:
    """Bounds on what one caller, or all of them, can cost. Sizes in bytes, times in seconds.

    Attributes:
        affidavit_bytes, circuit_bytes, document_bytes: largest body of each kind; the last is for JSON.
        evidence_bytes: largest body with evidence and its collateral.
        concurrency: verifications (and circuit loads) at a time; further ones get 503.
        requests: requests of any kind at a time.
        verify_seconds: wall-clock bound on one verification.
        body_seconds: wall-clock bound on receiving one body.
        nonce_seconds: how long a minted nonce is good.
        outstanding: unspent nonces, and unfinished enrolments, alive at a time.
        free_bytes: room that must be left where blobs are kept.
        loaded_circuits: circuits kept in memory.
    """

    affidavit_bytes: int = 64 << 20
    circuit_bytes: int = 256 << 20
    document_bytes: int = 1 << 20
    evidence_bytes: int = 4 << 20
    concurrency: int = 4
    requests: int = 64
    verify_seconds: int = 60
    body_seconds: int = 60
    nonce_seconds: int = 300
    outstanding: int = 10_000
    free_bytes: int = 256 << 20
    loaded_circuits: int = 4

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < (0 if field.name == "free_bytes" else 1):
                raise OperationalError("service.settings.malformed", f"limit {field.name} must be positive")

    @property
    def nonce_lifetime(self) -> timedelta:
        return timedelta(seconds=self.nonce_seconds)


@dataclass(frozen=True)
class Settings:
    """One service.

    Attributes:
        database: ``sqlite:///FILE`` or ``postgresql://...``.
        blobs: folder for content by SHA-256.
        policies: policy files; the first is the default one. Without any, the built-in policy, which trusts
            nobody.
        host, port: where to listen.
        token_file: file with the bearer token that writing needs; ``None`` lets everybody write.
        public_reads: whether reading needs no token.
        registrar_key, registrar_certificate: PEM files of the attestation CA; both or neither (no enrolment).
        appraisal_key: PEM private key (P-256, P-384 or Ed25519) that signs attestation results; without one there
            are no appraisals.
        rego: Rego policies that may worsen every appraisal.
        tls_certificate, tls_key: PEM files; both or neither (plain HTTP).
        limits: see :class:`Limits`.
    """

    database: str = "sqlite:///affidavit-verifier.db"
    blobs: Path = Path("affidavit-verifier-blobs")
    policies: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8421
    token_file: Path | None = None
    public_reads: bool = True
    registrar_key: Path | None = None
    registrar_certificate: Path | None = None
    appraisal_key: Path | None = None
    rego: tuple[Path, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    limits: Limits = Limits()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read ``AFFIDAVIT_VERIFIER_DATABASE``, ``_BLOBS``, ``_POLICIES`` (separated as in ``PATH``), ``_HOST``,
        ``_PORT``, ``_TOKEN_FILE``, ``_PUBLIC_READS`` (``yes`` or ``no``), ``_REGISTRAR_KEY``,
        ``_REGISTRAR_CERTIFICATE``, ``_APPRAISAL_KEY``, ``_REGO`` (as policies), ``_TLS_CERTIFICATE``, ``_TLS_KEY`` and
        ``_LIMIT_<NAME>`` for each limit.

        Raises:
            OperationalError: ``service.settings.malformed``, also for a variable of this prefix that is
                unknown.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
        }
        limits = {
            name.removeprefix("limit_"): _integer(name, given.pop(name))
            for name in sorted(given)
            if name.startswith("limit_")
        }
        unknown = sorted(given.keys() - ({field.name for field in fields(cls)} - {"limits"}))
        unknown += sorted(f"limit_{name}" for name in limits.keys() - {field.name for field in fields(Limits)})
        if unknown:
            raise OperationalError(
                "service.settings.malformed",
                f"unknown settings {[PREFIX + name.upper() for name in unknown]}",
            )
        settings = cls(limits=replace(Limits(), **limits))
        chosen: dict[str, Any] = {name: _value(name, value) for name, value in given.items()}
        return replace(settings, **chosen)


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise OperationalError(
            "service.settings.malformed", f"{PREFIX}{name.upper()}: {text[:40]!r} is not a whole number"
        )
    return int(text)


def _value(name: str, text: str) -> object:
    match name:
        case "database" | "host":
            return text
        case "port":
            return _integer(name, text)
        case "policies" | "rego":
            return tuple(Path(part) for part in text.split(os.pathsep) if part)
        case "public_reads":
            if text not in ("yes", "no"):
                raise OperationalError("service.settings.malformed", f"{PREFIX}PUBLIC_READS is yes or no")
            return text == "yes"
    return Path(text)
