# SPDX-License-Identifier: AGPL-3.0-or-later
"""The example network: as accurate as its README says, and the same on ciphertexts as in clear."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

import fhe
from affidavit.local import LocalClient
from affidavit.private import PrivateSession
from circuits import Circuit, dump_circuit, encode_inputs, evaluate, load_circuit
from tests.conftest import ROOT
from tests.private.making import policy


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 10,000 test images of MNIST as the network takes them, and their labels."""
    with np.load(ROOT / "tests/data/mnist/mnist-test.npz", allow_pickle=False) as loaded:
        images = loaded["image"].reshape(10_000, 784) / np.float32(255)
        return images.astype(np.float32), loaded["label"]


@pytest.fixture(scope="module")
def circuit() -> Circuit:
    return load_circuit((resources.files("affidavit.demo") / "data" / "square-mlp.circuit").read_bytes())


def test_at_least_97_percent_of_the_test_set(circuit, digits):
    found = evaluate(circuit, encode_inputs(circuit, {"image": digits[0]}))[-1].argmax(axis=1)
    right = float((found == digits[1]).mean())
    assert right >= 0.97
    assert f"{right:.2%}".replace("%", " %") in (ROOT / "models/square_mlp/README.md").read_text()


def test_a_requantisation_free_circuit(circuit):
    assert [gate.kind for gate in circuit.gates] == ["dense", "mul", "dense"]
    assert fhe.read_network(circuit).exact


@pytest.mark.parametrize("options", [{"preset": "mlp1"}, {"last": 1, "preset": "lin8"}])
def test_digits_are_classified_on_ciphertexts_as_in_clear(node, circuit, digits, options):
    node.models.put(dump_circuit(circuit), name="square-mlp")
    local = LocalClient(node, policy=policy(node))
    session = PrivateSession(circuit, **options)
    scale = circuit.outputs[0].scale
    for index in (0, 1, 2):
        image = {"image": digits[0][index : index + 1]}
        answer = session.infer(local, image)
        clear = evaluate(circuit, encode_inputs(circuit, image))[-1] * scale
        assert np.abs(answer.outputs["logits"] - clear).max() <= answer.error
        assert answer.outputs["logits"].argmax() == clear.argmax() == digits[1][index]
