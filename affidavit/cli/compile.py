# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit compile``: from an ONNX file to a circuit file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from affidavit.cli import files
from affidavit.cli.render import quality_lines
from affidavit.cli.verify import JsonOption
from circuits import dump_circuit
from verifier.errors import MalformedError


def _ranges(texts: list[str]) -> dict[str, tuple[float, float]]:
    ranges = {}
    for text in texts:
        name, _, span = text.rpartition("=")
        low, _, high = span.partition(":")
        try:
            ranges[name] = (float(low), float(high))
        except ValueError:
            raise MalformedError(
                "option.malformed", f"--input-range: expected NAME=LOW:HIGH, found {text[:80]!r}"
            ) from None
    return ranges


def compile_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A float or quantised ONNX model.")],
    calibrate: Annotated[Path, typer.Option("--calibrate", help="Representative inputs (.npz, arrays by input name).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the circuit goes.")],
    evaluate: Annotated[
        Path | None,
        typer.Option("--evaluate", help="Inputs on which quality is measured (default: the calibration)."),
    ] = None,
    activation_bits: Annotated[
        int | None, typer.Option(help="Bits of activations; by default 8 to 12, chosen per tensor.")
    ] = None,
    weight_bits: Annotated[int, typer.Option(help="Most bits of weights.")] = 16,
    input_range: Annotated[
        list[str] | None,
        typer.Option("--input-range", metavar="NAME=LOW:HIGH", help="Accepted range of an input."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compile an ONNX model into a circuit of exact integer operations.

    The same file, calibration and options give the same digest.
    """
    from circuits.compiler import compile_model

    console = Console(stderr=True, soft_wrap=True)
    with console.status("compiling", spinner="line") as status:
        circuit = compile_model(
            files.read_bytes(model),
            files.read_arrays(calibrate),
            evaluation=files.read_arrays(evaluate) if evaluate else None,
            input_range=_ranges(input_range or []),
            progress=lambda stage, done, total: status.update(escape(f"{stage} {done}/{total}")),
            activation_bits=activation_bits,
            weight_bits=weight_bits,
        )
    files.write_bytes(output, dump_circuit(circuit))
    out = Console(soft_wrap=True)
    if as_json:
        out.print_json(
            data={
                "circuit": circuit.digest.hex(),
                "weights": circuit.weights_digest.hex(),
                "profile": circuit.profile,
                "gates": len(circuit.gates),
                "quality": dict(circuit.quality),
            }
        )
        return
    out.print(f"circuit {circuit.digest.hex()}", highlight=False)
    out.print(
        f"  {len(circuit.gates)} gates, profile {circuit.profile}, written to {escape(str(output))}",
        highlight=False,
    )
    for line in quality_lines(circuit.quality):
        out.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
