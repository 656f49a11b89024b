# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit compile``: from an ONNX file to a circuit file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy.typing as npt
import typer

from affidavit.cli import files
from affidavit.cli.fhe import ExactOption, PresetOption, ProtectedOption, SamplesOption, show_plan
from affidavit.cli.render import counted, quality_lines
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption
from circuits import Circuit, UnsupportedError, dump_circuit, encode_inputs
from verifier.errors import MalformedError

LABELS = "labels"
"""In a file of inputs, beside them: the right class of each sample."""
WEIGHT_BITS = 16
POLYNOMIAL_BITS = (4, 7)
"""Of the input and of weights, where nothing else is asked for: integers grow with every layer."""


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
        int | None, typer.Option(help="Bits of activations; by default 8 to 12, chosen per tensor, with --private 4.")
    ] = None,
    weight_bits: Annotated[
        int | None, typer.Option(help="Most bits of weights; by default 16, with --private 7.")
    ] = None,
    input_range: Annotated[
        list[str] | None,
        typer.Option("--input-range", metavar="NAME=LOW:HIGH", help="Accepted range of an input."),
    ] = None,
    private: Annotated[
        bool,
        typer.Option("--private", help="For ciphertexts: no rescaling where it can be; say what runs encrypted."),
    ] = False,
    samples: SamplesOption = 1,
    preset: PresetOption = None,
    protected: ProtectedOption = False,
    exact: ExactOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compile an ONNX model into a circuit of exact integer operations.

    The same file, calibration and options give the same digest. With --private, a network of linear operators and
    squares becomes a circuit that only adds and multiplies; of any other, what can run encrypted is said. The options
    --samples, --preset, --protected and --exact go with --private. An array `labels` beside the inputs, one
    class for each sample, gives an accuracy.
    """
    if private:
        import fhe

        if preset is not None:
            fhe.preset_of(preset)
        circuit = _polynomial(
            files.read_bytes(model), _samples(model, calibrate)[0], _ranges(input_range or []), activation_bits,
            weight_bits,
        )  # fmt: skip
        if circuit is not None:
            from circuits.compiler.agreement import measure_agreement

            encode_inputs(circuit, _samples(model, calibrate)[0])
            arrays, _ = _samples(model, evaluate or calibrate)
            name = "evaluation" if evaluate else "calibration"
            quality = measure_agreement(files.read_bytes(model), circuit, arrays, name)
            quality |= _accuracy(model, circuit, evaluate or calibrate)
            files.write_bytes(output, dump_circuit(circuit))
            _plan(circuit, output, model, calibrate, samples, preset, protected, exact, quality, as_json=as_json)
    from circuits.compiler import compile_model

    console = Console(stderr=True, soft_wrap=True)
    with console.status("compiling", spinner="line") as status:
        circuit = compile_model(
            files.read_bytes(model),
            _samples(model, calibrate)[0],
            evaluation=_samples(model, evaluate)[0] if evaluate else None,
            input_range=_ranges(input_range or []),
            progress=lambda stage, done, total: status.update(escape(f"{stage} {done}/{total}")),
            activation_bits=activation_bits,
            weight_bits=WEIGHT_BITS if weight_bits is None else weight_bits,
        )
    quality = {**circuit.quality, **_accuracy(model, circuit, evaluate or calibrate)}
    files.write_bytes(output, dump_circuit(circuit))
    if private:
        _plan(circuit, output, model, calibrate, samples, preset, protected, exact, quality, as_json=as_json)
    out = Console(soft_wrap=True)
    if as_json:
        out.print_json(
            data={
                "circuit": circuit.digest.hex(),
                "weights": circuit.weights_digest.hex(),
                "profile": circuit.profile,
                "gates": len(circuit.gates),
                "quality": quality,
            }
        )
        return
    out.print(f"circuit {circuit.digest.hex()}", highlight=False)
    out.print(
        f"  {counted(len(circuit.gates), 'gate')}, profile {circuit.profile}, written to {escape(str(output))}",
        highlight=False,
    )
    for line in quality_lines(quality):
        out.print(f"  {escape(line)}", highlight=False, soft_wrap=True)


def _samples(model: Path, path: Path) -> tuple[files.Arrays, npt.NDArray[Any] | None]:
    """Inputs by name, and the right classes where the file has an array ``labels`` that is no input of the model."""
    import onnx

    arrays = dict(files.read_arrays(path))
    if LABELS not in arrays:
        return arrays, None
    try:
        named = {value.name for value in onnx.load_from_string(files.read_bytes(model)).graph.input}
    except Exception:  # noqa: BLE001 - protobuf raises what it likes; the compiler then says what is wrong with it
        return arrays, None
    return arrays, None if LABELS in named else arrays.pop(LABELS)


def _accuracy(model: Path, circuit: Circuit, path: Path) -> dict[str, int]:
    """On labelled samples, of a circuit of one input and one output; nothing where there are none."""
    from circuits.compiler.agreement import measure_accuracy

    arrays, labels = _samples(model, path)
    if labels is None or len(circuit.inputs) != 1 or len(circuit.outputs) != 1:
        return {}
    return measure_accuracy(circuit, arrays, labels)


def _polynomial(
    model: bytes,
    calibration: files.Arrays,
    ranges: dict[str, tuple[float, float]],
    activation_bits: int | None,
    weight_bits: int | None,
) -> Circuit | None:
    """A circuit without rescaling; ``None``, with a note, where the network is more than linear maps and squares.

    Raises MalformedError (``compile.option.input-range``) for the range of something else than its input.
    """
    from circuits.compiler.polynomial import compile_polynomial

    stated = list(ranges.values()) or [(float(array.min()), float(array.max())) for array in calibration.values()]
    bits, most = activation_bits or POLYNOMIAL_BITS[0], weight_bits or POLYNOMIAL_BITS[1]
    try:
        circuit = compile_polynomial(model, input_range=stated[0], activation_bits=bits, weight_bits=most)
    except UnsupportedError as error:
        note = f"not as a network of linear operators and squares: {error.message}"
        Console(stderr=True, soft_wrap=True).print(escape(note), highlight=False)
        return None
    name = circuit.inputs[0].name
    if unknown := sorted(ranges.keys() - {name}):
        raise MalformedError(
            "compile.option.input-range",
            f"--input-range: {unknown[0][:80]!r} is not an input of the model",
            remedy=f"its input is {name!r}",
        )
    return circuit


def _plan(
    circuit: Circuit,
    output: Path,
    model: Path,
    calibrate: Path,
    samples: int,
    preset: str | None,
    protected: bool,
    exact: bool,
    quality: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """How good the circuit is, and what of it runs encrypted; ends the command."""
    out = Console(soft_wrap=True)
    if not as_json:
        out.print(f"circuit {circuit.digest.hex()}", highlight=False)
        out.print(f"  {counted(len(circuit.gates), 'gate')}, written to {escape(str(output))}", highlight=False)
        for line in quality_lines(quality):
            out.print(f"  {escape(line)}", highlight=False)
    typical, _ = _samples(model, calibrate)
    code = show_plan(
        out, circuit, samples=samples, preset=preset, protected=protected, exact=exact, calibrate=typical,
        more={"quality": dict(quality)}, as_json=as_json,
    )  # fmt: skip
    raise typer.Exit(code)
