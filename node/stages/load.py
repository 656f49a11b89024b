# SPDX-License-Identifier: AGPL-3.0-or-later
"""Load: an onnxruntime session for the circuit, from the cache where it is loaded already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.inference import Inference
from node.sessions import Sessions

if TYPE_CHECKING:
    from node.runtime import Runtime


@dataclass(frozen=True)
class Loaded:
    """A session that runs the circuit."""

    runtime: Runtime


class Load:
    """See the module."""

    name = "load"

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def __call__(self, inference: Inference) -> Loaded:
        """Raises ``node.runtime.load-failed``, ``node.model.*``."""
        return Loaded(self._sessions.runtime(inference.request.model))
