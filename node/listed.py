# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nested lists of numbers, as JSON has them, to arrays of a port's dtype; nothing is rounded into range."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from circuits import Circuit
from node.errors import MalformedError


def to_arrays(circuit: Circuit, values: Mapping[str, object]) -> dict[str, npt.NDArray[np.generic]]:
    """Arrays of the dtypes that ``circuit`` wants.

    Names, shapes and ranges are the affair of :func:`circuits.encode_inputs`; an unknown name passes through and
    is refused there.

    Raises:
        MalformedError: ``request.inputs.malformed``: ragged, not numbers, or of the wrong kind for the dtype (a
            fraction for an integer, an integer that does not fit, true for a number).
    """
    dtypes = {port.name: np.dtype(port.dtype) for port in circuit.inputs}
    return {
        name: _to_array(name, value, dtypes[name]) if name in dtypes else np.zeros(1) for name, value in values.items()
    }


def _to_array(name: str, value: object, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    if not _holds_numbers_alone(value):
        raise _refuse(name, "numbers required")
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        raise _refuse(name, "a ragged list") from None
    if array.size == 0:
        return array.astype(dtype)
    kind = array.dtype.kind
    if dtype.kind == "b":
        if kind != "b":
            raise _refuse(name, "true and false required")
        return array
    if dtype.kind == "f":
        if kind not in "iuf":
            raise _refuse(name, "numbers required")
        with np.errstate(over="ignore"):  # what overflows becomes infinite, which encode_inputs refuses
            return array.astype(dtype)
    limits = np.iinfo(dtype.name)
    if kind not in "iu":
        raise _refuse(name, f"integers of {dtype.name} required")
    if int(array.min()) < limits.min or int(array.max()) > limits.max:
        raise _refuse(name, f"integers in [{limits.min}, {limits.max}] required")
    return array.astype(dtype)


def _holds_numbers_alone(value: object) -> bool:
    """Nested lists of numbers, true and false. numpy gives every element the room of the longest text among them:
    one long text and many numbers, a small body, would take all memory that there is."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif not isinstance(item, (bool, int, float)):
            return False
    return True


def _refuse(name: str, what: str) -> MalformedError:
    return MalformedError(
        "request.inputs.malformed",
        f"input {name[:80]!r}: {what}",
        remedy="send nested lists of numbers, batch as the outermost axis",
    )
