# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit prove`` and ``affidavit verify-proof``: the proof alone, with what it costs."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from affidavit.cli import files
from affidavit.cli.render import counted
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption, WeightsOption, is_digest
from affidavit.cli.where import cache_folder
from circuits import Circuit, encode_inputs
from verifier import RejectedError, UnsupportedError
from verifier.proof_file import ProofFile, parse_proof_file
from verifier.tensors import Opening

REPEAT_BELOW = 5.0


def peak_megabytes() -> float:
    """The process's largest resident set so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


Made = TypeVar("Made")


def warm_time(work: Callable[[], Made]) -> tuple[float, float, Made]:
    """Seconds of the first call, seconds warm, and the result.

    A first call that takes less than :data:`REPEAT_BELOW` seconds is repeated, since it also plans the circuit and
    fills caches; a longer one is the figure itself.
    """
    started = time.perf_counter()
    made = work()
    first = warm = time.perf_counter() - started
    if first < REPEAT_BELOW:
        started = time.perf_counter()
        made = work()
        warm = time.perf_counter() - started
    return first, warm, made


def prove_command(
    circuit: Annotated[Path, typer.Argument(metavar="CIRCUIT", help="A circuit file.")],
    inputs: Annotated[Path, typer.Option("--input", help="Inputs (.npz); a batch is proved in one proof.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the proof file goes.")],
    context: Annotated[
        str | None, typer.Option("--context", metavar="HEX", help="32 bytes to bind the proof to; default zeros.")
    ] = None,
    committed: Annotated[
        bool, typer.Option("--committed", help="For verifiers that hold a commitment to the weights, not the weights.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove that the output is the circuit's on the input. The proof is succinct, and not zero-knowledge."""
    started = time.perf_counter()
    from prover import WeightsCache, prove
    from prover.warm import warm
    from verifier.proof.outline import dump_outline

    notes = Console(stderr=True)
    with notes.status("loading kernels (compiling them on first use)", spinner="line") as status:
        loaded = files.read_circuit(circuit)
        encoded = encode_inputs(loaded, files.read_arrays(inputs))
        bound = files.parse_hex32(context, "--context") if context else bytes(32)
        warm()
        start_s = time.perf_counter() - started
        status.update("setting the model up")
        started = time.perf_counter()
        set_up = WeightsCache(cache_folder()).set_up(loaded) if committed else None
        weights = None if set_up is None else set_up.weights
        setup_s = time.perf_counter() - started
        first_s, prove_s, made = warm_time(
            lambda: prove(
                loaded,
                encoded,
                context=bound,
                mode="committed" if committed else "held",
                progress=lambda phase: status.update(f"proving: {phase}"),
                weights=weights,
            )
        )
    mode = "committed" if committed else "held"
    root = None if weights is None else weights.root
    outline = dump_outline(loaded) if committed else b""
    file = ProofFile(loaded.digest, bound, mode, root, Opening(encoded), Opening(made.outputs), outline, made.bytes)
    files.write_bytes(output, file.encode())
    report: dict[str, Any] = {
        "circuit": loaded.digest.hex(),
        "mode": mode,
        "weights_commitment": None if root is None else root.hex(),
        "start_s": round(start_s, 4),
        "setup_s": round(setup_s, 4),
        "setup_from": None if set_up is None else set_up.source,
        "first_s": round(first_s, 4),
        "prove_s": round(prove_s, 4),
        "phases_s": {name: round(seconds, 4) for name, seconds in made.timings.items()},
        "proof_bytes": len(made.bytes),
        "peak_mb": peak_megabytes(),
        "soundness_bits": round(made.soundness_bits, 2),
    }
    console = Console()
    if as_json:
        console.print_json(data=report)
        return
    console.print(
        f"proved in {prove_s:.3f} s: {len(made.bytes)} bytes, {made.soundness_bits:.1f} bits, "
        f"peak {report['peak_mb']} MB, written to {escape(str(output))}",
        highlight=False,
        soft_wrap=True,
    )
    if root is not None:
        console.print(f"weights commitment {root.hex()}", highlight=False, soft_wrap=True)


def _circuit(given: str, claimed: ProofFile) -> Circuit:
    """The circuit that the caller trusts: a file, or for committed weights the outline under a digest."""
    from verifier.proof.outline import load_outline

    if is_digest(given):
        digest = bytes.fromhex(given)
        if claimed.circuit == digest and not claimed.outline:
            raise UnsupportedError(
                "proof.circuit.missing",
                "the proof is for verifiers that hold the model",
                remedy="give --circuit FILE, or ask for a proof made with --committed",
            )
        loaded = load_outline(claimed.outline, digest) if claimed.circuit == digest else None
    else:
        loaded = files.read_circuit(Path(given))
    if loaded is None or claimed.circuit != loaded.digest:
        raise RejectedError("model.circuit.mismatch", "the proof speaks of another circuit than yours")
    return loaded


def verify_proof_command(
    file: Annotated[Path, typer.Argument(metavar="PROOF", help="A proof file.")],
    circuit: Annotated[
        str,
        typer.Option(
            "--circuit",
            metavar="FILE|DIGEST",
            help="Your own copy of the circuit; its digest alone is enough with --weights-commitment.",
        ),
    ],
    context: Annotated[
        str | None, typer.Option("--context", metavar="HEX", help="32 bytes that the proof must be bound to.")
    ] = None,
    weights_commitment: WeightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a proof. Exit codes: 0 accepted, 10 rejected, 20 not decidable, 30 malformed."""
    started = time.perf_counter()
    from prover.warm import warm
    from verifier.proof import verify_proof

    claimed = parse_proof_file(files.read_bytes(file))
    bound = files.parse_hex32(context, "--context") if context else bytes(32)
    trusted = files.parse_hex32(weights_commitment, "--weights-commitment") if weights_commitment else None
    if claimed.mode == "committed" and trusted is None:
        raise UnsupportedError(
            "proof.weights.unknown",
            "the proof speaks of committed weights",
            remedy="give --weights-commitment, from somebody who made it from the circuit's weights",
        )
    loaded = _circuit(circuit, claimed)
    warm()
    start_s = time.perf_counter() - started
    first_s, verify_s, found = warm_time(
        lambda: verify_proof(
            claimed.proof,
            circuit=loaded,
            inputs=claimed.inputs.tensors,
            outputs=claimed.outputs.tensors,
            context=bound,
            weights_commitment=trusted if claimed.mode == "committed" else None,
        )
    )
    report: dict[str, Any] = {
        "verdict": "ACCEPT",
        "exit_code": 0,
        "code": "",
        "circuit": loaded.digest.hex(),
        "mode": claimed.mode,
        "gates": len(found.gates),
        "batch": found.batch,
        "start_s": round(start_s, 4),
        "first_s": round(first_s, 4),
        "verify_s": round(verify_s, 4),
        "proof_bytes": found.size,
        "peak_mb": peak_megabytes(),
        "soundness_bits": round(found.bits, 2),
    }
    console = Console()
    if as_json:
        console.print_json(data=report)
        return
    console.print(
        f"[bold green]ACCEPT[/] {counted(len(found.gates), 'gate')}, batch {found.batch}, {found.bits:.1f} bits; "
        f"verified in {verify_s:.3f} s",
        highlight=False,
    )
