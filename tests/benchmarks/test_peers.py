# SPDX-License-Identifier: AGPL-3.0-or-later
"""The comparison with EZKL: its own log is read right, outputs must agree, and a peer that is not there is said so."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import ezkl_process, peers
from benchmarks.ezkl_process import PeerError, Process
from benchmarks.ezkl_worker import own_seconds
from benchmarks.goals import judge
from benchmarks.process import fresh
from benchmarks.proving import build, write_arrays
from circuits import encode_inputs, evaluate, load_circuit


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        (["proof started...", "proof took 15.704"], 15.704),
        (["proof took 0.8"], 0.008),  # its milliseconds are not padded
        (["proof took 306.20"], 306.020),
        (["verify took 0.8"], None),
        (["proof took 1.2345"], None),
        ([], None),
    ],
)
def test_own_seconds(lines, seconds):
    assert own_seconds(lines, "proof") == seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("work")
    fresh(build, "mlp-784-128-64-10", made)
    circuit = load_circuit((made / "model.circuit").read_bytes())
    with np.load(made / "input.npz") as inputs:
        tensors = evaluate(circuit, encode_inputs(circuit, dict(inputs)))
    write_arrays(made / "outputs.npz", {port.name: tensors[port.tensor] for port in circuit.outputs})
    return made


def test_outputs_that_agree(folder):
    agreement = peers.agreement(folder, None)
    assert 0 < agreement["largest_difference"]["affidavit"] < agreement["tolerance"]
    assert peers.agreement(folder, agreement["float"])["largest_difference"]["ezkl"] == 0


def test_outputs_that_do_not_agree_stop_the_comparison(folder):
    wanted = peers.agreement(folder, None)["float"]
    with pytest.raises(RuntimeError, match="ezkl computes something else"):
        peers.agreement(folder, [0.0, *wanted[:-1]])
    with pytest.raises(RuntimeError, match="ezkl computes something else"):
        peers.agreement(folder, (np.asarray(wanted) * 2).tolist())


def test_ratios_compare_like_with_like_and_leave_out_what_is_missing():
    def case(seconds):
        return {key: {"median_s": seconds} for key in peers.TIMES}

    assert peers.ratios(case(8.0), case(0.02))["prove_ratio"] == pytest.approx(400)
    missing = peers.ratios({"failed": "not installed"}, case(0.02))
    assert set(missing.values()) == {None}
    assert not any(outcome["met"] for outcome in judge(peers.GOALS["lenet5"], "lenet5", missing))


def test_a_peer_that_cannot_be_installed_is_said_so(monkeypatch, tmp_path):
    lock = tmp_path / "peers.txt"
    lock.write_text("no-such-package-of-ours==1 --hash=sha256:" + "0" * 64)
    monkeypatch.setattr(ezkl_process, "VENV", tmp_path / "venv")
    monkeypatch.setattr(ezkl_process, "LOCK", lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PeerError, match="No matching distribution"):
        ezkl_process.install()


def test_a_process_without_ezkl_is_a_peer_error(tmp_path):
    with pytest.raises(PeerError, match="ended with 1"):
        Process(Path(sys.executable), tmp_path, "x")
    assert "ModuleNotFoundError" in (tmp_path / "ezkl.log").read_text()
