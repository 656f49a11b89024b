# SPDX-License-Identifier: AGPL-3.0-or-later
"""One node, one pool of workers and one session for all tests of private inference: starting them takes seconds."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """What clients of private inference need; CI installs it."""
    if importlib.util.find_spec("seal") is None:
        missing("seal-python", "pip install 'affidavit[fhe]'")


@pytest.fixture(scope="session")
def node(_engine, tmp_path_factory) -> Iterator[object]:
    from circuits import dump_circuit
    from node.node import Node
    from tests.private.making import network

    with Node(tmp_path_factory.mktemp("node")) as made:
        made.models.put(dump_circuit(network()), name="network")
        yield made


@pytest.fixture(scope="session")
def pool(_engine) -> Iterator[object]:
    from fhe.pool import EvaluationPool

    with EvaluationPool() as made:
        yield made


@pytest.fixture(scope="session")
def session(_engine) -> object:
    """Keys for the first layer in BFV."""
    from affidavit.private import PrivateSession
    from tests.private.making import network

    return PrivateSession(network(), last=1, preset="lin8")


@pytest.fixture(scope="session")
def answered(node, session) -> tuple[object, bytes]:
    """A question in ciphertext and its honest affidavit, with request and keys in it."""
    from affidavit.local import LocalClient
    from tests.private.making import inputs, policy

    local = LocalClient(node, policy=policy(node))
    question = session.ask(inputs(), policy=local.policy, embed_input=True)
    local.upload(session.evaluation_keys)
    local.upload(question.ciphertexts)
    return question, local.exchange_unverified(question.request)


@pytest.fixture
def circuit_file(tmp_path) -> Path:
    from circuits import dump_circuit
    from tests.private.making import network

    path = tmp_path / "network.circuit"
    path.write_bytes(dump_circuit(network()))
    return path
