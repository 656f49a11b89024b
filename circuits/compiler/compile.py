# SPDX-License-Identifier: AGPL-3.0-or-later
"""The passes in order: import, fold, canonicalise, calibrate, plan, lower, check, measure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from circuits import Circuit
from circuits.compiler.calibration import calibrate
from circuits.compiler.exactness import check_exactness
from circuits.compiler.folding import fold
from circuits.compiler.groups import join_residuals, structural_groups
from circuits.compiler.importer import import_model
from circuits.compiler.lowering import lower
from circuits.compiler.model import Model
from circuits.compiler.options import Options, Progress
from circuits.compiler.plan import make_plan
from circuits.compiler.program import Program, program_of
from circuits.compiler.quality import measure
from circuits.compiler.samples import check_samples
from circuits.compiler.simplify import simplify
from circuits.errors import MalformedError, UnsupportedError
from circuits.ops.forms import Interval
from circuits.ops.operator import Array

COMPILER = "affidavit-compiler@v1"
"""Changes whenever the same input may give another circuit."""


def compile_model(
    model: bytes,
    calibration: Mapping[str, Array],
    *,
    evaluation: Mapping[str, Array] | None = None,
    activation_bits: int | None = None,
    weight_bits: int = 16,
    input_range: Mapping[str, Interval] | None = None,
    progress: Progress | None = None,
) -> Circuit:
    """An ONNX model as an exact integer circuit.

    `model`: the file. `calibration`: {input name: [samples, *shape]} in the model's dtypes; a few dozen typical
    inputs. `evaluation`: the same for the quality report; without it the report is on the calibration set.
    `activation_bits`: 4 to 16 for all activations; None chooses 8 to 12 per tensor. `weight_bits`: upper limit.
    `input_range`: {input name: (lo, hi)}, the real values accepted at run time. `progress(stage, done, total)`.

    Raises MalformedError (compile.onnx.*, compile.calibration.*, compile.evaluation.*, compile.option.*,
    compile.weights.not-finite), UnsupportedError (compile.operator.unsupported, ...) and OperationalError
    (compile.exactness).
    """
    options = Options(activation_bits, weight_bits, dict(input_range or {}))
    report = progress or _silent
    imported = import_model(model)
    samples = check_samples(imported, calibration, "calibration")
    held_out = None if evaluation is None else check_samples(imported, evaluation, "evaluation")
    _known_inputs(imported, options)
    report("import", 1, 1)
    with _malformed_instead():
        program = canonical_program(imported, samples)
    report("canonicalise", 1, 1)
    groups = structural_groups(program)
    names = [n for n in (*program.inputs, *program.forms) if groups.dictated(n) is None]
    ranges = calibrate(imported, samples, program.shapes, names, report)
    join_residuals(program, groups, ranges)
    plan = make_plan(program, groups, ranges, samples, options)
    scene = lower(program, plan, options, _source(model), report)
    draft = scene.builder.build()
    checked = check_exactness(draft, samples)
    report("check", checked, checked)
    quality = measure(draft, scene, imported, held_out or samples, "evaluation" if held_out else "calibration", report)
    return scene.builder.build(quality=quality)


def canonical_program(model: Model, samples: Mapping[str, Array]) -> Program:
    """The model as a program of forms, for inputs shaped like the samples."""
    folded = fold(model, {name: value.shape[1:] for name, value in samples.items()})
    program = simplify(program_of(folded, model.inputs))
    read = {n for f in program.forms.values() for n in f.inputs} | set(program.outputs.values())
    unread = sorted(set(program.inputs) - read)
    if unread:
        raise UnsupportedError(
            "compile.input.unused",
            f"input {unread[0]!r} does not influence any output",
            "Remove it from the model's inputs.",
        )
    return program


def _source(model: bytes) -> dict[str, object]:
    return {"compiler": COMPILER, "onnx": hashlib.sha256(model).digest()}


def _known_inputs(model: Model, options: Options) -> None:
    unknown = sorted(set(options.input_range) - set(model.inputs))
    if unknown:
        raise MalformedError(
            "compile.option.input-range",
            f"{unknown[0]!r} is not an input of the model",
            f"The inputs are {sorted(model.inputs)}.",
        )


def _silent(stage: str, done: int, total: int) -> None:
    """Reports nothing."""


@contextmanager
def _malformed_instead() -> Iterator[None]:
    """Hostile attribute values reach numpy in ways that no rule lists; whatever it says, the model is at fault."""
    try:
        yield
    except (ArithmeticError, AttributeError, IndexError, KeyError, MemoryError, TypeError, ValueError) as exc:
        raise MalformedError(
            "compile.onnx.malformed",
            f"a node has impossible operands: {str(exc)[:200]}",
            "Check the file with onnx.checker, or export the model again.",
        ) from exc
