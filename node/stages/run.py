# SPDX-License-Identifier: AGPL-3.0-or-later
"""Run: the circuit on the input, exactly, keeping every tensor for the commitment."""

from __future__ import annotations

from dataclasses import dataclass

from node.inference import Inference
from node.stages.load import Loaded
from node.stages.unseal import Unsealed
from verifier.tensors import IntArray


@dataclass(frozen=True)
class Executed:
    """One int64 array per tensor of the circuit, batch first."""

    tensors: tuple[IntArray, ...]


class Run:
    """See the module."""

    name = "run"

    def __call__(self, inference: Inference) -> Executed:
        """Raises ``node.runtime.failed``, ``node.runtime.inexact``."""
        return Executed(tuple(inference[Loaded].runtime.trace(inference[Unsealed].opening.tensors)))
