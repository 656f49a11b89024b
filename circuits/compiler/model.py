# SPDX-License-Identifier: AGPL-3.0-or-later
"""The imported model: plain Python records and numpy arrays, no ONNX types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuits.ops import Node
from circuits.ops.operator import Array


@dataclass(frozen=True)
class ModelInput:
    """One real input: numpy dtype name, and the dimensions that the file states (None where it leaves them open)."""

    dtype: str
    dims: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """A model file, parsed and checked. `serialised` is the file itself, for the float runs."""

    nodes: tuple[Node, ...]
    inputs: Mapping[str, ModelInput]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array]
    serialised: bytes

    @property
    def fixed_batch(self) -> int | None:
        """The batch size that the inputs state, if they all state the same."""
        stated = {i.dims[0] for i in self.inputs.values()}
        return stated.pop() if len(stated) == 1 else None
