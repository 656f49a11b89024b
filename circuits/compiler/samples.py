# SPDX-License-Identifier: AGPL-3.0-or-later
"""Calibration and evaluation inputs: checked against the model before anything is done with them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from circuits.compiler.model import Model
from circuits.errors import MalformedError
from circuits.ops.operator import Array


def check_samples(model: Model, given: Mapping[str, Array], what: str) -> dict[str, Array]:
    """Arrays with a leading sample axis, in the model's dtypes.

    Raises MalformedError: compile.<what>.names, .empty, .shape, .dtype, .not-finite.
    """
    code = f"compile.{what}"
    if set(given) != set(model.inputs):
        raise MalformedError(
            f"{code}.names",
            f"arrays {sorted(given)}, the model's inputs are {sorted(model.inputs)}",
            "Name the arrays like the model's inputs.",
        )
    checked = {name: _array(code, name, given[name], model) for name in model.inputs}
    counts = {name: len(value) for name, value in checked.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise MalformedError(f"{code}.empty", f"numbers of samples {counts}; one number above zero is needed")
    return checked


def _array(code: str, name: str, value: Array, model: Model) -> Array:
    wanted = model.inputs[name]
    value = np.asarray(value)
    dims = wanted.dims[1:]
    fits = value.ndim == len(wanted.dims) and all(d in (None, n) for d, n in zip(dims, value.shape[1:], strict=True))
    if not fits or 0 in value.shape[1:]:
        stated = ", ".join("any" if d is None else str(d) for d in dims)
        raise MalformedError(
            f"{code}.shape",
            f"input {name!r}: shape {list(value.shape)}, needed [samples, {stated}]",
            "Give one array per input with the samples along axis 0.",
        )
    kind = np.dtype(wanted.dtype).kind
    if value.dtype != wanted.dtype and not (kind == "f" and value.dtype.kind == "f"):
        raise MalformedError(f"{code}.dtype", f"input {name!r}: {value.dtype}, needed {wanted.dtype}")
    value = np.ascontiguousarray(value, dtype=wanted.dtype)
    if not np.isfinite(value).all():
        raise MalformedError(f"{code}.not-finite", f"input {name!r} holds NaN or infinity")
    return value
