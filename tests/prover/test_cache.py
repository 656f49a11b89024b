# SPDX-License-Identifier: AGPL-3.0-or-later
"""Weights commitments on disk: kept once, believed never."""

from __future__ import annotations

import os
import stat
import time

import numpy as np
import pytest

from prover import commit_weights, prove
from prover.cache import IN_MEMORY, MAGIC, WeightsCache
from tests.proof.models import CONTEXT, convolutional, mixed, sample
from verifier.proof import verify_proof
from verifier.proof.field import P

CIRCUIT = convolutional()
ROOT = commit_weights(CIRCUIT).root
NAME = f"{CIRCUIT.digest.hex()}.columns"
HEAD = len(MAGIC) + 16


@pytest.fixture
def folder(tmp_path):
    """A folder where the circuit's columns are kept."""
    found = WeightsCache(tmp_path / "weights", least=0).set_up(CIRCUIT)
    assert found.source == "computed" and found.weights.root == ROOT
    return tmp_path / "weights"


def again(folder, circuit=CIRCUIT, **options):
    """What another process finds."""
    return WeightsCache(folder, least=0, **options).set_up(circuit)


def test_a_second_process_reads_what_the_first_kept(folder):
    found = again(folder)
    assert found.source == "disk" and found.weights.root == ROOT
    fresh = commit_weights(CIRCUIT)
    assert found.weights.committed is not None and fresh.committed is not None
    np.testing.assert_array_equal(found.weights.vector, fresh.vector)
    np.testing.assert_array_equal(found.weights.committed.columns, fresh.committed.columns)
    for ours, theirs in zip(found.weights.committed.tree, fresh.committed.tree, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_read_proves(folder):
    inputs = sample(CIRCUIT)
    proof = prove(CIRCUIT, inputs, context=CONTEXT, mode="committed", weights=again(folder).weights)
    assert proof.bytes == prove(CIRCUIT, inputs, context=CONTEXT, mode="committed").bytes
    verify_proof(
        proof.bytes,
        circuit=CIRCUIT,
        inputs=inputs,
        outputs=proof.outputs,
        context=CONTEXT,
        weights_commitment=ROOT,
    )


def test_memory_comes_first(folder):
    cache = WeightsCache(folder, least=0)
    first = cache.set_up(CIRCUIT)
    (folder / NAME).unlink()
    assert cache.set_up(CIRCUIT) == (first.weights, "memory")
    for seed in range(1, IN_MEMORY + 1):
        cache.set_up(convolutional(seed))
    assert cache.set_up(CIRCUIT).source == "computed"


def word_changed(data: bytes, at: int, change) -> bytes:
    value = change(int.from_bytes(data[at : at + 8], "little"))
    return data[:at] + value.to_bytes(8, "little") + data[at + 8 :]


def small_word(data: bytes) -> int:
    """Where a word stands that has a second form below 2^64."""
    words = np.frombuffer(data[HEAD:], "<u8")
    return HEAD + 8 * int(np.argmax(words < (1 << 64) - P))


TAMPERED = {
    "empty": lambda data: b"",
    "header alone": lambda data: data[:HEAD],
    "cut": lambda data: data[:-8],
    "longer": lambda data: data + bytes(8),
    "magic": lambda data: b"X" + data[1:],
    "other shape": lambda data: word_changed(data, len(MAGIC), lambda v: v * 2),
    "zeros": lambda data: data[:HEAD] + bytes(len(data) - HEAD),
    "first word": lambda data: word_changed(data, HEAD, lambda v: v ^ 1),
    "last word": lambda data: word_changed(data, len(data) - 8, lambda v: v ^ 1),
    "word above p": lambda data: word_changed(data, HEAD, lambda v: (1 << 64) - 1),
    "same residue, other word": lambda data: word_changed(data, small_word(data), lambda v: v + P),
    "two columns exchanged": lambda data: data[:HEAD] + data[HEAD + 800 : HEAD + 1600] + data[HEAD : HEAD + 800]
    + data[HEAD + 1600 :],
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
def test_tampered_files_are_not_believed(folder, how):
    """Recomputed, the right root, and the file replaced by a good one."""
    path = folder / NAME
    good = path.read_bytes()
    bad = TAMPERED[how](good)
    assert bad != good
    path.write_bytes(bad)
    found = again(folder)
    assert (found.source, found.weights.root) == ("computed", ROOT)
    assert path.read_bytes() == good
    assert again(folder).source == "disk"


def test_columns_of_other_weights(folder):
    """A valid file of a circuit with the same shapes and other weights, under this circuit's name."""
    other = convolutional(1)
    wrong = again(folder, other).weights
    (folder / f"{other.digest.hex()}.columns").replace(folder / NAME)
    found = again(folder)
    assert (found.source, found.weights.root) == ("computed", ROOT) and wrong.root != ROOT


def test_a_link_and_a_folder_in_its_place(folder, tmp_path):
    path = folder / NAME
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert again(folder).weights.root == ROOT
    path.unlink(missing_ok=True)
    path.mkdir()
    assert again(folder).weights.root == ROOT


def test_private_and_whole(folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_the_folder_is_bounded(folder):
    size = (folder / NAME).stat().st_size
    os.utime(folder / NAME, (1, 1))
    again(folder, convolutional(1), limit=5 * size // 2)
    again(folder, convolutional(2), limit=5 * size // 2)
    left = {path.name for path in folder.iterdir()}
    assert left == {f"{convolutional(seed).digest.hex()}.columns" for seed in (1, 2)}
    again(folder, convolutional(3), limit=size)  # one file may take half of it
    assert {path.name for path in folder.iterdir()} == left


def test_what_a_killed_process_left_goes(folder):
    for name, age in ((".new-old", 7200), (".new-young", 10)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    again(folder, convolutional(1))
    assert [path.name for path in folder.glob(".new-*")] == [".new-young"]


def test_small_ones_and_circuits_without_weights_are_not_kept(tmp_path):
    assert WeightsCache(tmp_path).set_up(CIRCUIT).source == "computed"
    assert again(tmp_path, mixed()).weights.root == bytes(32)
    assert again(None).weights.root == ROOT
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert again(tmp_path / "file" / "weights").weights.root == ROOT
