# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit verify`` and ``affidavit inspect``: offline, and nothing is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from affidavit.cli import files
from affidavit.cli.render import print_result
from affidavit.cli.terminal import Console
from verifier import Known, read_affidavit, verify
from verifier.container import MAX_FILE_BYTES
from verifier.inspection import inspect_affidavit, inspect_proof_file
from verifier.proof_file import MAGIC as PROOF_MAGIC
from verifier.proof_file import parse_proof_file
from verifier.report import result_json
from verifier.tensors import decode_tensors

AffidavitFile = Annotated[Path, typer.Argument(metavar="FILE", help="The affidavit.")]
ModelOption = Annotated[Path | None, typer.Option("--model", help="Your own copy of the circuit.")]
InputOption = Annotated[Path | None, typer.Option("--input", help="The input you sent (.npz, real values).")]
NonceOption = Annotated[str | None, typer.Option("--nonce", metavar="HEX", help="The nonce you drew (64 hex digits).")]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights-commitment", metavar="HEX", help="The commitment to the model's weights that you trust."),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="What you demand (policy@v1, TOML). Without it nobody is trusted."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]


def is_digest(given: str) -> bool:
    """Whether an argument that may name a circuit file or its digest is a digest: a file of that name comes first."""
    return re.fullmatch(r"[0-9a-f]{64}", given) is not None and not Path(given).exists()


def verify_command(
    file: AffidavitFile,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="FILE|DIGEST", help="Your own copy of the circuit, or its digest alone."),
    ] = None,
    inputs: InputOption = None,
    nonce: NonceOption = None,
    policy: PolicyOption = None,
    weights_commitment: WeightsOption = None,
    opening: Annotated[
        list[Path] | None,
        typer.Option("--opening", help="Opening of a sealed request's input or answer (repeatable)."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Time of the question, RFC 3339. Default: now.")
    ] = None,
    as_json: JsonOption = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why and what to do, line by line.")] = False,
) -> None:
    """Decide whether an affidavit is believed. Offline.

    Exit codes: 0 ACCEPT, 10 REJECT, 20 UNVERIFIABLE, 30 MALFORMED, 1 our own fault.
    """
    time = files.parse_time(at)
    by_digest = model is not None and is_digest(model)
    trusted = files.parse_hex32(weights_commitment, "--weights-commitment") if weights_commitment else None
    known = Known(
        circuit=files.read_circuit(Path(model)) if model and not by_digest else None,
        digest=bytes.fromhex(model) if model and by_digest else None,
        weights_commitment=trusted,
        inputs=files.read_arrays(inputs) if inputs else None,
        nonce=files.parse_hex32(nonce, "--nonce") if nonce else None,
        openings=tuple(decode_tensors(files.read_bytes(path)) for path in opening or ()),
    )
    data = files.read_bytes(file, limit=MAX_FILE_BYTES)
    result = verify(data, at=time, policy=files.read_policy(policy), known=known)
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(data=result_json(result, time))
    else:
        print_result(console, result, explained=explain)
    raise typer.Exit(result.verdict.exit_code)


def inspect_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An affidavit or a proof file.")],
    model: ModelOption = None,
) -> None:
    """Print what a file claims, as JSON, believing none of it; of a proof also every term of its soundness."""
    data = files.read_bytes(file)
    circuit = files.read_circuit(model) if model else None
    if data.startswith(PROOF_MAGIC):
        claims = inspect_proof_file(parse_proof_file(data), circuit)
    else:
        claims = inspect_affidavit(read_affidavit(data), circuit)
    Console(soft_wrap=True).print_json(data=claims)
