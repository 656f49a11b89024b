# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real arrays at the ports, integers inside: checks on everything that enters, and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from circuits.circuit import Circuit, IntArray, Port, Shape
from circuits.errors import MalformedError


def encode_inputs(circuit: Circuit, arrays: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, IntArray]:
    """Real input arrays [batch, *shape] of the ports' dtypes -> int64 arrays, the circuit's integers.

    integer = clamp(floor(real / scale + 1/2), lo, hi), in float64.
    Raises MalformedError: input.missing, input.unknown, input.dtype, input.shape, input.batch,
    input.not-finite, input.out-of-range.
    """
    _check_names(circuit, arrays)
    _check_batch(arrays)
    encoded = {}
    for port in circuit.inputs:
        tensor, array = circuit.tensors[port.tensor], np.asarray(arrays[port.name])
        if array.dtype.name != port.dtype:
            raise MalformedError(
                "input.dtype",
                f"input {port.name!r} is {array.dtype}; required {port.dtype}",
                f"Convert it: array.astype({port.dtype!r}), scaled to [{port.real_lo:g}, {port.real_hi:g}].",
            )
        _check_shape(port, array.shape, tensor.shape)
        real = array.astype(np.float64)
        if not np.isfinite(real).all():
            raise MalformedError("input.not-finite", f"input {port.name!r} has NaN or infinite values; required finite")
        least, most = float(real.min()), float(real.max())
        if least < port.real_lo or most > port.real_hi:
            raise MalformedError(
                "input.out-of-range",
                f"input {port.name!r} is in [{least:g}, {most:g}]; required [{port.real_lo:g}, {port.real_hi:g}]",
                "Scale it as the model expects; compiling with --input-range accepts another range.",
            )
        rounded = np.floor(real / port.scale + 0.5)
        encoded[port.name] = np.clip(rounded, tensor.lo, tensor.hi).astype(np.int64)
    return encoded


def check_integers(circuit: Circuit, arrays: Mapping[str, IntArray]) -> None:
    """Are these integer inputs of the circuit?

    Raises MalformedError: input.missing, input.unknown, input.dtype, input.shape, input.batch,
    input.out-of-range.
    """
    _check_names(circuit, arrays)
    _check_batch(arrays)
    for port in circuit.inputs:
        tensor, array = circuit.tensors[port.tensor], arrays[port.name]
        if array.dtype != np.int64:
            raise MalformedError("input.dtype", f"input {port.name!r} is {array.dtype}; required int64")
        _check_shape(port, array.shape, tensor.shape)
        least, most = int(array.min()), int(array.max())
        if least < tensor.lo or most > tensor.hi:
            raise MalformedError(
                "input.out-of-range",
                f"input {port.name!r} holds integers in [{least}, {most}]; required [{tensor.lo}, {tensor.hi}]",
            )


def decode_outputs(circuit: Circuit, integers: Mapping[str, IntArray]) -> dict[str, npt.NDArray[np.generic]]:
    """Output integers -> real arrays: float64 = integer * scale, or int64 as they are for ports of integer
    dtype.

    Raises MalformedError (output.missing) if a port's array is not there.
    """
    decoded: dict[str, npt.NDArray[np.generic]] = {}
    for port in circuit.outputs:
        if port.name not in integers:
            raise MalformedError("output.missing", f"output {port.name!r} is missing")
        array = integers[port.name]
        integral = np.dtype(port.dtype).kind in "iu"
        decoded[port.name] = array if integral else array.astype(np.float64) * port.scale
    return decoded


def _check_names(circuit: Circuit, given: Iterable[str]) -> None:
    names, required = set(given), {port.name for port in circuit.inputs}
    if required - names:
        raise MalformedError(
            "input.missing", f"inputs {sorted(required - names)} are missing; given {str(sorted(names))[:200]}"
        )
    if names - required:
        raise MalformedError(
            "input.unknown",
            f"unknown inputs {str(sorted(names - required))[:200]}; required {sorted(required)}",
        )


def _check_batch(arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    sizes = {np.shape(a)[0] if np.ndim(a) else 0 for a in arrays.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise MalformedError("input.batch", f"batch sizes {sorted(sizes)}; required one, the same for all, at least 1")


def _check_shape(port: Port, given: Shape, required: Shape) -> None:
    if given[1:] != required:
        raise MalformedError(
            "input.shape",
            f"input {port.name!r} is {list(given)}; required [batch, {', '.join(map(str, required))}]",
        )
