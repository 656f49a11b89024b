# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of every inference: stages in a row, each timed, each with one job.

A stage reads what earlier ones made and returns its own product; it writes nothing anywhere. So an inference that
fails half-way leaves no trace, and one that was cut off is simply run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import attestation
import circuits
import verifier.errors
from fhe.errors import FheError
from node.errors import MalformedError, NodeError, OperationalError, RejectedError, UnsupportedError
from node.inference import Inference


class Stage(Protocol):
    """One job. ``name`` shows in durations and metrics."""

    @property
    def name(self) -> str: ...

    def __call__(self, inference: Inference) -> object:
        """The stage's product; a type that no other stage makes."""
        ...


class Pipeline:
    """Runs stages in order.

    Args:
        stages: in order; names are distinct.
        observe: called with stage name and seconds after each stage that succeeded.
    """

    def __init__(
        self, stages: Sequence[Stage], *, observe: Callable[[str, float], None] = lambda name, seconds: None
    ) -> None:
        self.stages = tuple(stages)
        self._observe = observe

    def run(self, inference: Inference) -> Inference:
        """Through all stages.

        Raises:
            NodeError: whatever a stage refuses, with the code of its own room.
        """
        for stage in self.stages:
            started = time.perf_counter_ns()
            try:
                product = stage(inference)
            except (circuits.CircuitError, attestation.EvidenceError, verifier.errors.VerifierError, FheError) as error:
                raise as_node_error(error, private=inference.request.sealed) from None
            except MemoryError:
                raise OperationalError(
                    "node.memory.exhausted",
                    f"no memory left in stage {stage.name}",
                    remedy="send a smaller batch",
                ) from None
            nanoseconds = time.perf_counter_ns() - started
            self._observe(stage.name, nanoseconds / 1e9)
            inference = inference.after(stage.name, product, nanoseconds // 1000)
        return inference


_KINDS: tuple[tuple[str, type[NodeError]], ...] = (
    ("MalformedError", MalformedError),
    ("RejectedError", RejectedError),
    ("UnsupportedError", UnsupportedError),
)


def as_node_error(
    error: circuits.CircuitError | attestation.EvidenceError | verifier.errors.VerifierError | FheError,
    *,
    private: bool = False,
) -> NodeError:
    """Another room's error as one of ours: same code, same kind.

    Args:
        error: what was raised.
        private: the request was sealed, so the message must not repeat anything of its content.
    """
    kind = next((ours for name, ours in _KINDS if type(error).__name__ == name), OperationalError)
    if private and error.code.startswith("input."):
        return kind(error.code, "the sealed input does not fit the model's signature", remedy=error.remedy)
    return kind(error.code, error.message, remedy=error.remedy)
