# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every message of a proof, changed: rejected, and for the right reason.  A message without an entry fails the test."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from prover import prove
from tests.proof.messages import Recorder, recording
from tests.proof.models import CONTEXT, arguments, convolutional, mixed, root_of, sample
from verifier.errors import MalformedError, RejectedError, VerifierError
from verifier.proof import verify as verifying
from verifier.proof import verify_proof
from verifier.proof.field import P

OPENING = {"proof.opening.path", "proof.wire.truncated", "proof.wire.trailing", "proof.wire.element"}
"""After a changed transcript other columns are asked for: their number may differ, and they are not where they were."""

MANIFEST = {
    "commitment": {"proof.lookup.round-mismatch", "proof.lookup.children"},
    "lookup root": {"proof.lookup.sum", "proof.lookup.round-mismatch"},
    "lookup": {"proof.lookup.round-mismatch", "proof.lookup.children"},
    "lookup children": {"proof.lookup.children"},
    "product result": {"proof.product.round-mismatch"},
    "product": {"proof.product.round-mismatch", "proof.product.operands"},
    "product operands": {"proof.product.operands"},
    "layer output": {"proof.layer.round-mismatch"},
    "layer": {"proof.layer.round-mismatch", "proof.layer.operands"},
    "layer operands": {"proof.layer.operands"},
    "weights": OPENING,
    "inner product": OPENING,
    "opening rows": OPENING,
    "opened columns": {"proof.opening.path"},
    "Merkle siblings": {"proof.opening.path"},
}


LAYERS = {"layer output", "layer", "layer operands", "weights"}
PRODUCTS = {"product result", "product", "product operands"}


def spans(proof):
    ends = [at for at, _ in proof.marks[1:]] + [len(proof.bytes)]
    return [(label, at, end) for (at, label), end in zip(proof.marks, ends, strict=True)]


def altered(data: bytes, at: int, label: str) -> bytes:
    word = int.from_bytes(data[at : at + 8], "little")
    new = word ^ 1 if label in {"commitment", "Merkle siblings"} else (word + 1) % P
    return data[:at] + new.to_bytes(8, "little") + data[at + 8 :]


@pytest.mark.parametrize("mode", ["held", "committed"])
@pytest.mark.parametrize("make", [convolutional, mixed])
def test_every_message(make, mode):
    circuit = make()
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT, mode=mode)
    told = arguments(circuit, inputs, proof.outputs, root_of(circuit, mode))
    rng = random.Random(1)
    seen = set()
    for label, begin, end in spans(proof):
        places = range(begin, end, 8)
        for at in rng.sample(places, min(3, len(places))):
            with pytest.raises((RejectedError, MalformedError)) as caught:
                verify_proof(altered(proof.bytes, at, label), **told)
            assert caught.value.code in MANIFEST[label], label
        seen.add(label)
    absent = (PRODUCTS if make is convolutional else set()) | (
        LAYERS if (make, mode) != (convolutional, "committed") else set()
    )
    assert seen == set(MANIFEST) - absent


@pytest.mark.parametrize("make", [convolutional, mixed])
def test_mutations_end_in_typed_errors(make):
    circuit = make()
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT)
    rng = random.Random(2)
    for _ in range(150):
        data = bytearray(proof.bytes)
        kind = rng.randrange(4)
        if kind == 0:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[rng.randrange(len(data)) :]
        elif kind == 2:
            at = rng.randrange(len(data))
            data[at : at + 8] = rng.randbytes(8)
        else:
            data += rng.randbytes(rng.randrange(1, 40))
        if bytes(data) == proof.bytes:
            continue
        with pytest.raises(VerifierError) as caught:
            verify_proof(bytes(data), circuit=circuit, inputs=inputs, outputs=proof.outputs, context=CONTEXT)
        assert isinstance(caught.value, RejectedError | MalformedError)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "proof.wire.truncated"),
        (b"AFFPROV0" + bytes(100), "proof.wire.magic"),
        (b"AFFPROV1", "proof.wire.truncated"),
        (b"AFFPROV1" + bytes(32) + b"\xff" * 64, "proof.wire.element"),
    ],
)
def test_grammar(data, code):
    circuit = convolutional()
    inputs = sample(circuit)
    outputs = prove(circuit, inputs, context=CONTEXT).outputs
    with pytest.raises(MalformedError) as caught:
        verify_proof(data, circuit=circuit, inputs=inputs, outputs=outputs, context=CONTEXT)
    assert caught.value.code == code


def test_word_above_p_is_malformed():
    circuit = convolutional()
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT)
    for label, begin, _ in spans(proof):
        if label in {"commitment", "Merkle siblings"}:
            continue
        word = int.from_bytes(proof.bytes[begin : begin + 8], "little")
        new = word + P if word + P < 1 << 64 else P  # the same residue where there is one
        data = proof.bytes[:begin] + new.to_bytes(8, "little") + proof.bytes[begin + 8 :]
        with pytest.raises(MalformedError) as caught:
            verify_proof(data, circuit=circuit, inputs=inputs, outputs=proof.outputs, context=CONTEXT)
        assert caught.value.code == "proof.wire.element"


READERS = ("take", "words", "elements")


def reading_places():
    """Where the verifier reads from a proof: module and line of every call of a reader's method."""
    folder = Path(verifying.__file__).parent
    return {
        (path.stem, node.lineno)
        for path in folder.rglob("*.py")
        if path.stem != "wire"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in READERS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "reader"
    }


def recorded(circuit, mode):
    """Proof, its arguments, the fields as the verifier reads them, and the places where it does."""
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT, mode=mode)
    told = arguments(circuit, inputs, proof.outputs, root_of(circuit, mode))
    with recording() as fields:
        verify_proof(proof.bytes, **told)
        return proof, told, fields[1:], set(Recorder.places[1:])  # the magic has its own test


CASES = [(make, mode) for make in (convolutional, mixed) for mode in ("held", "committed")]


def test_every_place_that_reads_is_attacked():
    """The list of fields is what the verifier's source reads: a new read that no case here reaches fails."""
    reached, labels = set(), set()
    for make, mode in CASES:
        proof, _, fields, places = recorded(make(), mode)
        reached |= places
        labels |= {f.label for f in fields}
        # What the prover says that it wrote is what the verifier reads, byte for byte.
        merged = list[tuple[str, int, int]]()
        for label, begin, end in [(f.label, f.begin, f.end) for f in fields]:
            if merged and merged[-1][0] == label == "Merkle siblings":
                merged[-1] = (label, merged[-1][1], end)
            else:
                merged.append((label, begin, end))
        assert merged == [span for span in spans(proof) if span[1] < span[2]]
    assert reached == reading_places()
    assert labels == set(MANIFEST)


@pytest.mark.parametrize(("make", "mode"), CASES)
def test_every_word_of_a_message(make, mode):
    """Of one message per label every word, of long ones some: a value added to a message is attacked as well."""
    proof, arguments, fields, _ = recorded(make(), mode)
    rng = random.Random(3)
    for label in {f.label for f in fields}:
        field = rng.choice([f for f in fields if f.label == label])
        places = list(range(field.begin, field.end, 8))
        for at in places if len(places) <= 8 else rng.sample(places, 8):
            with pytest.raises((RejectedError, MalformedError)) as caught:
                verify_proof(altered(proof.bytes, at, label), **arguments)
            assert caught.value.code in MANIFEST[label], (label, at - field.begin)
