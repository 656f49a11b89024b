# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit verifier``: the verifying service, and the attestation CA that it can be."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from affidavit.cli.files import write_bytes
from affidavit.cli.terminal import Console, escape

app = typer.Typer(help="Verify for others over HTTP, and keep what was seen.", no_args_is_help=True)


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on.")] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="sqlite:///FILE or postgresql://... (SQLAlchemy URL).")
    ] = None,
    blobs: Annotated[Path | None, typer.Option("--blobs", help="Folder for affidavits and circuits.")] = None,
    policy: Annotated[
        list[Path] | None,
        typer.Option("--policy", help="Policy files; the first is the default (repeatable)."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the bearer token that writing needs.")
    ] = None,
    registrar_key: Annotated[
        Path | None, typer.Option("--registrar-key", help="PEM key of the attestation CA.")
    ] = None,
    appraisal_key: Annotated[
        Path | None, typer.Option("--appraisal-key", help="PEM key that signs attestation results.")
    ] = None,
    rego: Annotated[
        list[Path] | None, typer.Option("--rego", help="Rego policies that may worsen every appraisal (repeatable).")
    ] = None,
    registrar_certificate: Annotated[
        Path | None, typer.Option("--registrar-certificate", help="PEM certificate of the attestation CA.")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option("--tls-certificate", help="PEM: serve HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="PEM.")] = None,
) -> None:
    """Serve until stopped. Every option can be set as AFFIDAVIT_VERIFIER_<NAME> too; options win."""
    from verifier.service import Settings, serve

    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "database": database,
        "blobs": blobs,
        "policies": tuple(policy) if policy else None,
        "token_file": token_file,
        "registrar_key": registrar_key,
        "registrar_certificate": registrar_certificate,
        "appraisal_key": appraisal_key,
        "rego": tuple(rego) if rego else None,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
    }
    settings = replace(
        Settings.from_environment(os.environ),
        **{name: value for name, value in given.items() if value is not None},
    )
    scheme = "http" if settings.tls_key is None else "https"
    where = f"{scheme}://{settings.host}:{settings.port}"
    Console(stderr=True, soft_wrap=True).print(f"verifier on {where}", highlight=False)
    serve(settings)


@app.command("forget-clock")
def forget_clock_command(
    key: Annotated[str, typer.Argument(metavar="KEY", help="SHA-256 of the attestation key (claim platform_id), hex.")],
    database: Annotated[
        str | None, typer.Option("--database", help="The service's; by default as AFFIDAVIT_VERIFIER_DATABASE says.")
    ] = None,
) -> None:
    """Forget what a TPM said of its clock, because you know that its owner cleared it."""
    from affidavit.cli.files import parse_hex32
    from verifier.errors import OperationalError
    from verifier.service import Database, Settings
    from verifier.service.clocks import Clocks

    wanted = parse_hex32(key, "KEY")
    settings = Settings.from_environment(os.environ)
    opened = Database(database or settings.database)
    try:
        opened.migrate(datetime.now(UTC))
        if not Clocks(opened, settings.limits.nonce_lifetime).forget(wanted):
            raise OperationalError("service.clock.unknown", f"nothing is known of the clock of {key[:16]}")
    finally:
        opened.close()
    Console(soft_wrap=True).print(f"forgotten: {key.lower()}", highlight=False)


@app.command("registrar")
def registrar_command(
    key: Annotated[Path, typer.Option("--key", help="Where the private key goes (PEM, mode 0600).")],
    certificate: Annotated[Path, typer.Option("--certificate", help="Where the CA certificate goes (PEM).")],
    name: Annotated[str, typer.Option("--name", help="Common name.")] = "Affidavit attestation CA",
    days: Annotated[int, typer.Option("--days", min=1, max=36500, help="Validity.")] = 3650,
) -> None:
    """Make an attestation CA: it certifies a TPM's key after credential activation. Policies list its certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from attestation.tpm2.authority import make_authority
    from verifier.errors import OperationalError

    for path in (key, certificate):
        if path.exists():
            raise OperationalError("file.exists", f"{path} is already there", remedy="choose another name")
    authority = make_authority(name, datetime.now(UTC) - timedelta(minutes=5), timedelta(days=days))
    write_bytes(key, authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    pem = x509.load_der_x509_certificate(authority.der).public_bytes(Encoding.PEM)
    write_bytes(certificate, pem)
    Console(soft_wrap=True).print(
        f"attestation CA {escape(name)}: {escape(str(key))}, {escape(str(certificate))}", highlight=False
    )
