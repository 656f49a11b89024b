# SPDX-License-Identifier: AGPL-3.0-or-later
"""From settings to a running service's parts: the one place that reads files and the package's metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from attestation.ear.keys import load_signer
from attestation.errors import EvidenceError
from attestation.tpm2.authority import Authority
from attestation.tpm2.registrar import Registrar
from attestation.tpm2.trust import Tpm2Trust
from verifier.errors import MalformedError, OperationalError, VerifierError
from verifier.policy import DEFAULT_POLICY, MAX_BYTES, Policy, parse_policy
from verifier.service.appraisals import Appraisals, Signer
from verifier.service.blobs import BlobStore, FolderBlobs
from verifier.service.catalogue import Catalogue
from verifier.service.clocks import Clocks
from verifier.service.database import Database
from verifier.service.enrolment import Enrolments
from verifier.service.metrics import Metrics
from verifier.service.nonces import Nonces
from verifier.service.records import Records
from verifier.service.rego import RegoPolicy, load_rego
from verifier.service.rego_process import require_engine
from verifier.service.settings import Limits, Settings
from verifier.service.tokens import Gatekeeper
from verifier.service.verification import Verification
from verifier.service.workers import Workers

Clock = Callable[[], datetime]

_MAX_VERSION = 40  # as wide as its column


@dataclass(frozen=True)
class Parts:
    """Everything that the routes need."""

    clock: Clock
    limits: Limits
    public_reads: bool
    gatekeeper: Gatekeeper
    database: Database
    blobs: BlobStore
    records: Records
    nonces: Nonces
    catalogue: Catalogue
    policies: dict[str, Policy]
    verification: Verification
    appraisals: Appraisals
    enrolments: Enrolments | None
    metrics: Metrics
    workers: Workers

    def close(self) -> None:
        """Let go of threads and connections."""
        self.workers.close()
        self.database.close()


def assemble(settings: Settings, clock: Clock) -> Parts:
    """Read what the settings name, open the database, make or check its schema.

    Raises:
        OperationalError: ``service.settings.malformed``, ``service.settings.unreadable``,
            ``service.database.*``, ``service.schema.*``, ``service.storage.unavailable``.
    """
    limits = settings.limits
    token = None
    if settings.token_file is not None:
        token = _read(settings.token_file).decode("utf-8", "replace").strip()
    gatekeeper = Gatekeeper.of(token)
    policies = {policy.id.hex(): policy for policy in map(_policy, settings.policies)} or {
        DEFAULT_POLICY.id.hex(): DEFAULT_POLICY
    }
    default = next(iter(policies.values()))
    authority, signer = _authority(settings), _signer(settings)
    rego = _rego(settings)
    blobs = FolderBlobs(settings.blobs, min_free_bytes=limits.free_bytes)
    database = Database(settings.database)
    try:
        database.migrate(clock())
    except OperationalError:
        database.close()
        raise
    records = Records(database, blobs, limits.nonce_lifetime)
    clocks = Clocks(database, limits.nonce_lifetime)
    nonces = Nonces(database, limits.nonce_lifetime, limits.outstanding)
    catalogue = Catalogue(database, blobs, limits.loaded_circuits)
    enrolments = None
    if authority is not None:
        makers = (default.trust.get("tpm2") or Tpm2Trust()).ek_roots
        enrolments = Enrolments(database, Registrar(authority, makers), limits.outstanding)
    return Parts(
        clock=clock,
        limits=limits,
        public_reads=settings.public_reads,
        gatekeeper=gatekeeper,
        database=database,
        blobs=blobs,
        records=records,
        nonces=nonces,
        catalogue=catalogue,
        policies=policies,
        verification=Verification(records, nonces, catalogue, clocks, policies, _version()),
        appraisals=Appraisals(database, nonces, clocks, signer, _version(), rego),
        enrolments=enrolments,
        metrics=Metrics(),
        workers=Workers(limits.concurrency),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise OperationalError(
            "service.settings.unreadable", f"{path.name}: {error.strerror or type(error).__name__}"
        ) from error


def _policy(path: Path) -> Policy:
    try:
        return parse_policy(_read(path))
    except MalformedError as error:
        raise OperationalError(error.code, f"{path.name}: {error.message}", remedy=error.remedy) from None


def _authority(settings: Settings) -> Authority | None:
    key_file, certificate_file = settings.registrar_key, settings.registrar_certificate
    if key_file is None and certificate_file is None:
        return None
    if key_file is None or certificate_file is None:
        raise OperationalError("service.settings.malformed", "a registrar needs both its key and its certificate")
    try:
        key = load_pem_private_key(_read(key_file), None)
        certificate = x509.load_pem_x509_certificate(_read(certificate_file))
        public = certificate.public_key()
    except (ValueError, TypeError) as error:
        raise OperationalError("service.settings.malformed", f"registrar: {str(error)[:120]}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != public:
        raise OperationalError(
            "service.settings.malformed",
            "registrar: an unencrypted EC key and the certificate of that very key are required",
        )
    return Authority(certificate, key)


def _rego(settings: Settings) -> tuple[RegoPolicy, ...]:
    try:
        if settings.rego:
            require_engine()
        return tuple(load_rego(_read(path), path.name) for path in settings.rego)
    except VerifierError as error:
        raise OperationalError(error.code, error.message, remedy=error.remedy) from None


def _signer(settings: Settings) -> Signer | None:
    if settings.appraisal_key is None:
        return None
    try:
        return Signer(*load_signer(_read(settings.appraisal_key)))
    except EvidenceError as error:
        raise OperationalError("service.settings.malformed", f"appraisal key: {error.message}") from None


def _version() -> str:
    try:
        return metadata.version("affidavit")[:_MAX_VERSION]
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
