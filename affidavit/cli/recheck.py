# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit recheck``: recompute what an affidavit commits to, and sign the finding if asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affidavit.cli import files
from affidavit.cli.recheck_encrypted import execute_again, print_finding
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import AffidavitFile, InputOption, JsonOption, ModelOption
from affidavit.cli.where import data_folder
from circuits import Circuit, encode_inputs, load_circuit, stated_digest
from verifier import Affidavit, RejectedError, UnsupportedError, Verdict, read_affidavit
from verifier.affidavit import add_envelope
from verifier.container import MAX_FILE_BYTES
from verifier.dsse import sign_envelope
from verifier.keys import key_id
from verifier.tensors import Opening, decode_tensors

if TYPE_CHECKING:
    from node.encrypted_recheck import EncryptedFinding
    from node.recheck import Finding


def recheck_command(
    file: AffidavitFile,
    model: ModelOption = None,
    inputs: InputOption = None,
    opening: Annotated[Path | None, typer.Option("--opening", help="Opening of a sealed request's input.")] = None,
    engine: Annotated[
        str, typer.Option("--engine", help="onnxruntime (fast) or reference (the meaning).")
    ] = "onnxruntime",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write a copy of the affidavit with your signed finding."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="AFFIDAVIT_DATA", help="Folder with the key that signs it."),
    ] = None,
    ciphertexts: Annotated[
        Path | None, typer.Option("--ciphertexts", help="Of an encrypted request: what its client sent.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="Of an encrypted request: the session's evaluation keys.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option("--seed", metavar="HEX", help="Of protected replies: the seed that the node opened.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute the circuit on the input and compare every tensor, or name the first operation that differs.

    An encrypted request is executed again on its ciphertexts, and its answer compared; no secret key is needed.
    Model, input, ciphertexts and keys are taken from the file where it carries them and you give none.
    Exit codes: 0 all agrees, 10 something differs, 20 something is missing.
    """
    from node.recheck import Engine, recheck

    if engine not in {known.value for known in Engine}:
        raise typer.BadParameter(f"{engine!r} is not one of onnxruntime, reference", param_hint="--engine")
    affidavit = read_affidavit(files.read_bytes(file, limit=MAX_FILE_BYTES))
    circuit = files.read_circuit(model) if model else _carried_circuit(affidavit)
    console = Console(soft_wrap=True)
    if affidavit.receipt.fhe is not None:
        again = execute_again(affidavit, circuit, ciphertexts, keys, seed)
        by = _sign(affidavit, again, output, data) if output else None
        raise typer.Exit(print_finding(console, again, by, as_json=as_json).exit_code)
    known = _opening(affidavit, circuit, inputs, opening)
    finding = recheck(affidavit, circuit, known.tensors, known.salt, Engine(engine))
    signer = _sign(affidavit, finding, output, data) if output else None
    verdict = Verdict.ACCEPT if finding.agrees else Verdict.REJECT
    code = "" if finding.agrees else "recheck.trace.mismatch"
    if as_json:
        console.print_json(
            data={
                "verdict": verdict.value,
                "exit_code": verdict.exit_code,
                "code": code,
                "agrees": finding.agrees,
                "difference": finding.difference,
                "trace": finding.recomputation.root.hex(),
                "tensors": len(finding.recomputation.leaves),
                "engine": engine,
                "signer": signer,
            }
        )
    elif finding.agrees:
        count = len(finding.recomputation.leaves)
        console.print(f"[green]PASS[/] all {count} tensors are bit for bit what {engine} recomputes", highlight=False)
    else:
        console.print(f"[bold red]FAIL[/] {code}: {escape(finding.difference)}", highlight=False)
    if output and not as_json:
        console.print(f"finding signed by {signer}, written to {escape(str(output))}", highlight=False)
    raise typer.Exit(verdict.exit_code)


def _carried_circuit(affidavit: Affidavit) -> Circuit:
    content = affidavit.blob("circuit")
    if content is None:
        raise UnsupportedError("recheck.circuit.missing", "the affidavit carries no circuit", remedy="give --model")
    if stated_digest(content) != affidavit.receipt.model.circuit:  # before loading, which costs time and memory
        raise RejectedError("model.carried.mismatch", "the circuit in the file is not the one that the receipt names")
    return load_circuit(content)


def _opening(affidavit: Affidavit, circuit: Circuit, inputs: Path | None, opening: Path | None) -> Opening:
    if opening is not None:
        return decode_tensors(files.read_bytes(opening))
    if inputs is not None:
        return Opening(encode_inputs(circuit, files.read_arrays(inputs)))
    content = affidavit.blob("input")
    if content is None:
        raise UnsupportedError("recheck.input.missing", "the affidavit carries no input", remedy="give --input")
    return decode_tensors(content)


def _sign(affidavit: Affidavit, finding: Finding | EncryptedFinding, output: Path, data: Path | None) -> str:
    from node.keys import NodeKeys

    folder = data_folder(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = NodeKeys.open(folder)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    envelope = sign_envelope(
        finding.statement(now).statement().encode(), public_key=keys.public.signing, sign=keys.sign
    )
    signer = key_id(keys.public.signing)
    files.write_bytes(output, add_envelope(affidavit, f"recheck-{signer[:16]}", envelope))
    return signer
