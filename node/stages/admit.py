# SPDX-License-Identifier: AGPL-3.0-or-later
"""Admit: the model that is asked for is here, and what is asked can be delivered."""

from __future__ import annotations

from dataclasses import dataclass

from circuits import Circuit
from node.errors import MalformedError
from node.inference import Inference
from node.limits import MAX_EMBEDDED_CIRCUIT
from node.models import ModelStore, StoredModel
from node.sessions import Sessions


@dataclass(frozen=True)
class Admitted:
    """The model's description and its checked circuit."""

    model: StoredModel
    circuit: Circuit


class Admit:
    """See the module."""

    name = "admit"

    def __init__(self, models: ModelStore, sessions: Sessions) -> None:
        self._models, self._sessions = models, sessions

    def __call__(self, inference: Inference) -> Admitted:
        """Raises ``request.model.unknown``, ``request.embed.too-large``, ``node.model.*``."""
        digest = inference.request.model
        model = self._models.about(digest)
        if inference.request.embed_circuit and model.size > MAX_EMBEDDED_CIRCUIT:
            raise MalformedError(
                "request.embed.too-large",
                f"the circuit file has {model.size} bytes, an affidavit carries at most {MAX_EMBEDDED_CIRCUIT}",
                remedy="leave embed_circuit out and fetch the circuit by itself",
            )
        return Admitted(model, self._sessions.circuit(digest))
