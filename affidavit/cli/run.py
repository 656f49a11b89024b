# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit run``: one inference on this machine, without a server."""

from __future__ import annotations

import secrets
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from affidavit.cli import files
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption, NonceOption
from affidavit.cli.where import DataOption, data_folder
from circuits import decode_outputs


class EvidenceChoice(Enum):
    """Where evidence comes from."""

    auto = "auto"
    snp = "snp"
    tdx = "tdx"
    nitro = "nitro"
    tpm = "tpm"
    nvidia = "nvidia"
    simulated = "simulated"
    none = "none"


EvidenceOption = Annotated[
    list[EvidenceChoice] | None,
    typer.Option(
        "--evidence", help="Of the machine; auto (the default): the best that it has, simulated if none. Repeatable."
    ),
]
FetchCollateralOption = Annotated[
    bool,
    typer.Option("--fetch-collateral", help="Carry what verifiers need from AMD, Intel or NVIDIA. Uses the network."),
]
ServicesOption = Annotated[
    Path | None, typer.Option("--services", metavar="FILE", help="With --fetch-collateral: mirrors (TOML).")
]
TctiOption = Annotated[str, typer.Option("--tcti", help="How to reach the TPM (tpm2-tss TCTI string).")]


def run_command(
    circuit: Annotated[Path, typer.Argument(metavar="CIRCUIT", help="A circuit file.")],
    inputs: Annotated[Path, typer.Option("--input", help="Inputs (.npz: real arrays by input name, batch first).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the affidavit goes.")],
    nonce: NonceOption = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="Name this policy in the receipt.")] = None,
    evidence: EvidenceOption = None,
    tcti: TctiOption = "",
    fetch_collateral: FetchCollateralOption = False,
    services: ServicesOption = None,
    data: DataOption = None,
    embed_model: Annotated[bool, typer.Option("--embed-model", help="Carry the circuit in the affidavit.")] = False,
    embed_input: Annotated[bool, typer.Option("--embed-input", help="Carry the input in the affidavit.")] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Prove that the output is the circuit's on this input.")
    ] = False,
    committed: Annotated[
        bool, typer.Option("--committed", help="With --prove: for verifiers that hold a commitment to the weights.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Refused: one process hides nothing from itself; docs/private.md.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a circuit on an input and write the answer with its affidavit."""
    import fhe
    from affidavit.cli.evidence import open_producers, with_collateral
    from node.node import Node
    from node.request import RealInput, Request

    if private:
        fhe.require_encrypted_execution()
    loaded = files.read_circuit(circuit)
    arrays = files.read_arrays(inputs)
    drawn = files.parse_hex32(nonce, "--nonce") if nonce else secrets.token_bytes(32)
    demanded = files.read_policy(policy).id
    notes = Console(stderr=True, soft_wrap=True)
    folder = data_folder(data)
    producer = open_producers([choice.value for choice in evidence or ()], tcti, folder, notes)
    if fetch_collateral and producer is not None:
        producer = with_collateral(producer, services, notes)
    with (
        notes.status("running", spinner="line") as status,
        Node(folder, producer, progress=lambda phase: status.update(f"proving: {phase}")) as node,
    ):
        node.models.put(circuit.read_bytes(), name=circuit.stem)
        request = Request(loaded.digest, drawn, RealInput(arrays), demanded, embed_model, embed_input, prove, committed)
        answered = node.run(request)
    files.write_bytes(output, answered.affidavit)
    answer = decode_outputs(loaded, answered.output.tensors)
    claim = answered.receipt.proof
    weights = None if claim is None or claim.weights is None else claim.weights.hex()
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(
            data={
                "affidavit": str(output),
                "nonce": drawn.hex(),
                "circuit": loaded.digest.hex(),
                "evidence": [item.type for item in answered.receipt.evidence],
                "proof_bytes": None if claim is None else claim.size,
                "weights_commitment": weights,
                "answer": {name: array.tolist() for name, array in answer.items()},
            }
        )
        return
    for name, array in answer.items():
        console.print(f"{escape(name)} {list(array.shape)}: {escape(str(array))}", highlight=False)
    console.print(f"nonce {drawn.hex()}", highlight=False)
    if weights is not None:
        console.print(f"weights commitment {weights}", highlight=False)
    console.print(f"affidavit {escape(str(output))} ({len(answered.affidavit)} bytes)", highlight=False)
