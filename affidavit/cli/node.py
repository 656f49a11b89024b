# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit node``: the machine that computes, as a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affidavit.cli import files
from affidavit.cli.run import EvidenceOption, FetchCollateralOption, ServicesOption, TctiOption
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption
from affidavit.cli.where import DataOption, data_folder

app = typer.Typer(help="Answer inference requests over HTTP, each with an affidavit.", no_args_is_help=True)


@app.command("serve")
def serve_command(
    circuit: Annotated[
        list[Path] | None,
        typer.Option("--circuit", help="A circuit to offer (repeatable); earlier ones stay."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on.")] = 8420,
    data: DataOption = None,
    database: Annotated[str, typer.Option("--database", help="Jobs (SQLAlchemy URL); default SQLite in --data.")] = "",
    evidence: EvidenceOption = None,
    tcti: TctiOption = "",
    fetch_collateral: FetchCollateralOption = False,
    services: ServicesOption = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Inferences at a time.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=0, help="onnxruntime threads each; 0: all cores.")] = 0,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Accepted requests that may wait; then 503.")] = 64,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the bearer token that requests need.")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option("--tls-certificate", help="PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="PEM.")] = None,
) -> None:
    """Serve until stopped."""
    from affidavit.cli.evidence import open_producers, with_collateral
    from circuits import load_circuit
    from node.models import ModelStore
    from node.serve import serve
    from node.settings import Settings

    folder = data_folder(data)
    notes = Console(stderr=True, soft_wrap=True)
    settings = Settings(
        data_dir=folder, database_url=database, host=host, port=port, workers=workers, threads=threads,
        queue=queue, token_file=token_file, tls_certificate=tls_certificate, tls_key=tls_key,
    )  # fmt: skip
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = ModelStore(folder / "models")
    for path in circuit or ():
        content = files.read_bytes(path)
        store.put(content, name=path.stem)
        notes.print(f"offering {escape(path.stem)}: {load_circuit(content).digest.hex()}", highlight=False)
    producer = open_producers([choice.value for choice in evidence or ()], tcti, folder, notes)
    if fetch_collateral and producer is not None:
        producer = with_collateral(producer, services, notes)
    serve(settings, producer, ready=lambda url: notes.print(f"node on {url}", highlight=False))


@app.command("keys")
def keys_command(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print the node's public keys (made on first use), for a policy's list of nodes."""
    from node.keys import NodeKeys

    folder = data_folder(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = NodeKeys.open(folder).public
    if as_json:
        Console(soft_wrap=True).print_json(data={"signing": keys.signing.hex(), "sealing": keys.sealing.hex()})
        return
    Console(soft_wrap=True).print(f"signing {keys.signing.hex()}\nsealing {keys.sealing.hex()}", highlight=False)


@app.command("enrol")
def enrol_command(
    verifier: Annotated[
        str, typer.Option("--verifier", metavar="URL", help="A verifying service that is an attestation CA.")
    ],
    data: DataOption = None,
    tcti: TctiOption = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the service's bearer token.")
    ] = None,
) -> None:
    """Have this machine's TPM certified: the service challenges its EK, the TPM answers, its AK gets a certificate."""
    from affidavit.cli.evidence import AK_CERTIFICATE
    from affidavit.enrolment import enrol
    from attestation.tpm2.device import DEVICE_TCTI, TpmDevice
    from attestation.tpm2.producer import Tpm2Producer

    folder = data_folder(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = files.read_bytes(token_file, limit=4096).decode("ascii", "replace").strip() if token_file else None
    with TpmDevice(tcti or DEVICE_TCTI) as device:
        certificate = enrol(Tpm2Producer(device), verifier, token=token)
    files.write_bytes(folder / AK_CERTIFICATE, certificate)
    Console(soft_wrap=True).print(f"enrolled; certificate in {escape(str(folder / AK_CERTIFICATE))}", highlight=False)


@app.command("open-seed")
def open_seed_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An affidavit of this node's with protected replies.")],
    data: DataOption = None,
) -> None:
    """Print the flooding seed of a protected reply, for an auditor who executes it again.

    Give it to nobody who holds the session's secret key: with both, the reply shows the model.
    """
    from node.encrypted_recheck import open_own_seed
    from node.keys import NodeKeys
    from verifier import read_affidavit
    from verifier.container import MAX_FILE_BYTES

    parsed = read_affidavit(files.read_bytes(file, limit=MAX_FILE_BYTES))
    typer.echo(open_own_seed(parsed, NodeKeys.existing(data_folder(data))).hex())
