# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is absorbed before each challenge: the golden inventory, and the transcript itself.

``python -m tests.proof.test_transcript`` writes the inventory anew.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from prover import prove, proving
from tests.proof.models import CONTEXT, arguments, convolutional, mixed, root_of, sample
from verifier.proof import statement, verify_proof
from verifier.proof.field import P
from verifier.proof.transcript import START, Transcript

INVENTORY = Path(__file__).with_name("inventory.txt")
CASES = {"convolutional": convolutional, "mixed": mixed}


class Recorded(Transcript):
    """Keeps every transcript that was made."""

    made: list[Transcript] = []  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.made.append(self)


def events(monkeypatch, circuit, mode):
    """Events of prover and verifier, which must agree."""
    Recorded.made.clear()
    monkeypatch.setattr(statement, "Transcript", Recorded)
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT, mode=mode)
    root = root_of(circuit, mode)
    verify_proof(proof.bytes, **arguments(circuit, inputs, proof.outputs, root))
    ours, theirs = (t.events for t in Recorded.made)
    assert ours == theirs
    return ours


def folded(lines):
    """Runs of repeated events, of up to three kinds, written once with their number."""
    out, at = [], 0
    while at < len(lines):
        for width in (1, 2):
            count = 1
            while lines[at : at + width] == lines[at + count * width : at + (count + 1) * width]:
                count += 1
            if count > 1:
                out.append(f"{count} x [{'; '.join(lines[at : at + width])}]")
                at += count * width
                break
        else:
            out.append(lines[at])
            at += 1
    return out


def inventory(monkeypatch):
    text = []
    for name, make in CASES.items():
        for mode in ("held", "committed"):
            text += [f"# {name}, {mode}", *folded(events(monkeypatch, make(), mode)), ""]
    return "\n".join(text)


def test_inventory(monkeypatch):
    assert inventory(monkeypatch) == INVENTORY.read_text()


@pytest.mark.parametrize("mode", ["held", "committed"])
def test_statement_comes_first(monkeypatch, mode):
    first = ["parameters", "circuit", "mode", "weights", "context", "batch", "public tensor", "public tensor"]
    found = events(monkeypatch, convolutional(), mode)
    assert found[: len(first) + 1] == [*(f"absorb {x}" for x in first), "absorb commitment"]


def test_known_answer():
    transcript = Transcript()
    transcript.absorb("greeting", b"hello")
    state = hashlib.sha256(START).digest()
    state = hashlib.sha256(state + b"\0\x08greeting" + (5).to_bytes(8, "little") + b"hello").digest()
    block = hashlib.sha256(state + b"\1\x04name" + bytes(8)).digest()
    words = [int.from_bytes(block[i : i + 8], "little") for i in range(0, 32, 8)]
    assert all(w < P for w in words)
    assert transcript.challenges("name", 2) == [(words[0], words[1]), (words[2], words[3])]
    state = hashlib.sha256(state + b"\2\x04name").digest()
    block = hashlib.sha256(state + b"\1\x03pos" + bytes(8)).digest()
    assert transcript.indices("pos", 1, 10) == [int.from_bytes(block[:8], "little") & 1023]


def test_every_part_matters():
    def draw(parts):
        transcript = Transcript()
        for label, data in parts:
            transcript.absorb(label, data)
        return transcript.challenge("c")

    different = [
        [("a", b"xy")],
        [("a", b"x"), ("a", b"y")],
        [("ax", b"y")],
        [("b", b"xy")],
        [("a", b"xy"), ("a", b"")],
        [],
    ]
    assert len({draw(parts) for parts in different}) == len(different)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        INVENTORY.write_text(inventory(patch))
    assert proving is not None
