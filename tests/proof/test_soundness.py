# SPDX-License-Identifier: AGPL-3.0-or-later
"""The accounting, and the proximity test against a prover that cheats at a measured rate."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from prover import prove
from prover.messages import Writer
from prover.opening import Committed, commit, hashed, leaf_digests, open_at
from tests.proof.models import CONTEXT, arguments, convolutional, mixed, root_of, sample
from verifier.errors import RejectedError, UnsupportedError
from verifier.proof import account, commitment, soundness, soundness_bits, statement, verify_proof
from verifier.proof.commitment import QUERIES, Code, choose_code
from verifier.proof.field import ZERO, add, eq_bits, mul
from verifier.proof.plan import Plan
from verifier.proof.statement import prepare
from verifier.proof.transcript import Transcript
from verifier.proof.wire import Reader


@pytest.mark.parametrize("make", [convolutional, mixed])
@pytest.mark.parametrize("mode", ["held", "committed"])
def test_account(make, mode):
    prepared = prepare(make(), 1, mode)
    terms = account(prepared.plan, prepared.code, prepared.weights.code, prepared.queries)
    assert soundness_bits(terms) == prepared.bits >= soundness.REQUIRED_BITS
    assert all(0 < t.error < 2.0**-soundness.REQUIRED_BITS for t in terms)
    by_name = {t.name: -log2(t.error) for t in terms}
    assert by_name["queries: columns differ unseen"] == pytest.approx(150 * log2(8 / 5))
    leaves = 1 << prepared.plan.log_leaves
    assert by_name["lookup identity: total degree in alpha and gamma"] == pytest.approx(127.99 - 1 - log2(leaves))


@pytest.fixture
def fewest(monkeypatch):
    """Another least number of queries; no plan made under it is kept."""
    monkeypatch.setattr(soundness, "QUERIES", 140)
    statement._prepare.cache_clear()
    yield monkeypatch
    statement._prepare.cache_clear()


def test_too_few_queries_are_refused(fewest):
    fewest.setattr(soundness, "MAX_QUERIES", 147)
    circuit = convolutional()
    with pytest.raises(UnsupportedError) as caught:
        prove(circuit, sample(circuit), context=CONTEXT)
    assert caught.value.code == "proof.soundness.too-low"


def wide() -> Plan:
    """A plan with little in it: what a code costs is a matter of lengths."""
    return prepare(convolutional(), 1).plan


@pytest.mark.parametrize(
    ("length", "weights", "expected"),
    [(1 << 15, None, 150), (1 << 15, 1 << 15, 150), (21_185_445, 6_837_250, 151), (1 << 25, 1 << 24, 152)],
)
def test_large_statements_take_more_queries(length, weights, expected):
    """The fewest that give 100 bits."""
    codes = choose_code(length), None if weights is None else choose_code(weights)
    queries, bits = soundness.require(wide(), *codes)
    assert queries == expected and bits >= soundness.REQUIRED_BITS
    assert bits == soundness_bits(account(wide(), *codes, queries))
    if queries > QUERIES:
        assert soundness_bits(account(wide(), *codes, queries - 1)) < soundness.REQUIRED_BITS


def test_what_the_field_is_too_small_for_is_refused():
    with pytest.raises(UnsupportedError) as caught:
        soundness.require(wide(), Code(1 << 27, 14))
    assert caught.value.code == "proof.soundness.too-low"


@pytest.mark.usefixtures("fewest")
@pytest.mark.parametrize("mode", ["held", "committed"])
def test_both_sides_take_them(mode):
    """A statement for which 140 queries are the least, and not enough."""
    circuit = convolutional()
    prepared = prepare(circuit, 1, mode)
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT, mode=mode)
    finding = verify_proof(proof.bytes, **arguments(circuit, inputs, proof.outputs, root_of(circuit, mode)))
    assert prepared.queries == (148 if mode == "held" else 149)
    assert finding.bits == prepared.bits >= 100


def test_opening_is_the_extension():
    rng = np.random.default_rng(0)
    vector = rng.integers(0, 1 << 60, 300, dtype=np.uint64)
    code = choose_code(len(vector))
    committed = commit(vector, code)
    point = [(int(a), int(b)) for a, b in rng.integers(0, 1 << 60, (code.log_length, 2))]
    writer = Writer()
    open_at(committed, writer, Transcript(), point, QUERIES)
    reader = Reader(writer.bytes())
    value = commitment.check_opening(reader, Transcript(), committed.root, code, point, QUERIES)
    reader.finish()
    expected = ZERO
    for i, word in enumerate(vector.tolist()):
        expected = add(expected, mul((word, 0), eq_bits(point, i)))
    assert value == expected


def corrupted(committed: Committed, count: int, rng: np.random.Generator) -> Committed:
    """A commitment to a matrix that differs from a codeword in `count` positions."""
    columns = committed.columns.copy()
    columns[rng.choice(len(columns), count, replace=False)] = 12345
    tree = [leaf_digests(columns)]
    while len(tree[-1]) > 1:
        tree.append(hashed(tree[-1].reshape(-1, 16), 1))
    return Committed(committed.code, committed.matrix, columns, tree)


@pytest.mark.parametrize(("queries", "share"), [(1, 3 / 8), (2, 3 / 8), (4, 1 / 4)])
def test_cheating_rate(queries, share):
    """With few queries, words at a share of the positions away from the code pass as often as the bound says."""
    rng = np.random.default_rng(queries)
    code = choose_code(200)
    honest = commit(rng.integers(0, 1 << 60, 200, dtype=np.uint64), code)
    point = [(int(a), 1) for a in rng.integers(0, 1 << 60, code.log_length)]
    accepted, tries = 0, 400
    for attempt in range(tries):
        bad = corrupted(honest, round(share * len(honest.columns)), rng)
        writer, transcript, other = Writer(), Transcript(), Transcript()
        for t in (transcript, other):
            t.absorb("attempt", bytes([attempt & 255, attempt >> 8]) + bad.root)
        open_at(bad, writer, transcript, point, queries)
        try:
            commitment.check_opening(Reader(writer.bytes()), other, bad.root, code, point, queries)
            accepted += 1
        except RejectedError as error:
            assert error.code in {"proof.opening.proximity", "proof.opening.evaluation"}  # noqa: PT017
    bound = (1 - share) ** queries
    deviation = (bound * (1 - bound) / tries) ** 0.5
    assert abs(accepted / tries - bound) < 4 * deviation


def test_bits_are_reported():
    circuit = mixed()
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT)
    finding = verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=proof.outputs, context=CONTEXT)
    assert 100 <= finding.bits < 102
