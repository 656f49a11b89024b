# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same call as :class:`affidavit.client.Client`, with the node in this process: no server, same checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy.typing as npt

from affidavit.client import as_circuit, as_policy
from affidavit.exchange import Answer, ask, believe
from circuits import Circuit, dump_circuit
from node.node import Node, utc_now
from node.request import Request
from verifier.policy import Policy


class LocalClient:
    """Asks a node of one's own and verifies its affidavits like anybody else's.

    Args:
        node: who computes; stays open.
        policy: what an answer must satisfy; ``None`` accepts nothing.
        clock: the time at which affidavits are judged.
    """

    def __init__(self, node: Node, *, policy: Policy | bytes | None, clock: Callable[[], datetime] = utc_now) -> None:
        self.policy = as_policy(policy)
        self._node, self._clock = node, clock

    def upload(self, data: bytes) -> bytes:
        """Ciphertexts or evaluation keys for requests to name; their SHA-256. Raises node.errors.NodeError."""
        return self._node.upload(data)

    def exchange_unverified(self, request: Request) -> bytes:
        """An affidavit in which nothing has been checked. Raises node.errors.NodeError."""
        return self._node.run(request).affidavit

    def infer(
        self,
        model: Circuit | Path | str,
        inputs: Mapping[str, npt.NDArray[Any]],
        *,
        name: str = "",
        seal: bool = False,
        embed_circuit: bool = False,
        embed_input: bool = False,
        prove: bool | None = None,
        committed: bool | None = None,
    ) -> Answer:
        """One inference, verified; the model comes to the node under ``name`` if it is not there.

        Raises:
            NotAccepted: the verdict is not ACCEPT.
            node.errors.NodeError: the node refuses.
            circuits.CircuitError: ``input.*``, ``circuit.*``.
        """
        circuit = as_circuit(model)
        self._node.models.put(dump_circuit(circuit), name=name)
        question = ask(
            circuit,
            inputs,
            policy=self.policy,
            seal_to=self._node.keys if seal else None,
            embed_circuit=embed_circuit,
            embed_input=embed_input,
            prove=prove,
            committed=committed,
        )
        answered = self._node.run(question.request)
        return believe(question, answered.affidavit, answered.sealed, policy=self.policy, at=self._clock())
