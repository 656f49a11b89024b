# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's steps beside slow ones in plain Python: the same bytes sent, the same claims left."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from circuits import evaluate
from prover import lookup
from prover.inner_product import prove_inner_product
from prover.layers import _folded_input, _folded_weights
from prover.messages import Writer
from prover.opening import commit, open_at
from prover.products import bound_rounds
from prover.witness import Witness
from tests.circuits.strategies import single_gate_circuit
from tests.proof import liars
from tests.proof.models import convolutional, mixed, sample
from tests.proof.tiny import TINY, linear
from tests.prover.edges import words
from verifier.proof import modular, vectors
from verifier.proof.commitment import QUERIES, RATE_BITS, Code
from verifier.proof.field import ONE, ZERO, P, add, eq_bits, inverse, mul, root_of_unity, scale, sub
from verifier.proof.layers import at_point, layers_of
from verifier.proof.layout import bits_of
from verifier.proof.linear import Matrices
from verifier.proof.statement import prepare
from verifier.proof.transcript import Transcript


def elements(rng, count):
    return vectors.elements(words(rng, 2, count))


def transcripts(seed):
    """Two in the same state, for fast and slow."""
    found = Transcript(), Transcript()
    for transcript in found:
        transcript.absorb("test", seed.to_bytes(8, "little"))
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 7), st.data())
def test_fractions(seed, log_leaves, data):
    """Fractions that add up to zero; what the slow one does about others is the matter of `cheating`.

    Numerators are 1, then any residue, then 0 over 1: none or all of the leaves' lower half count one.
    """
    rng, n = np.random.default_rng(seed), 1 << log_leaves
    used = data.draw(st.integers(n // 2 + 1, n))
    counted = data.draw(st.integers(0, used) | st.integers(n // 2, used))
    p = [1] * counted + words(rng, used - counted).tolist() + [0] * (n - used)
    q = [x if x != ZERO else ONE for x in elements(rng, used)] + [ONE] * (n - used)
    rest = ZERO
    for a, b in zip(p[1:], q[1:], strict=True):
        rest = add(rest, scale(inverse(b), a))
    assume(p[0] and rest != ZERO)
    q[0] = scale(inverse(rest), -p[0])
    sent = []
    for prove, transcript in zip((lookup.prove_fractions, liars.fractions()), transcripts(seed), strict=True):
        writer = Writer()
        claim = prove(writer, transcript, np.array(p, np.uint64), vectors.array(q), counted, used)
        sent.append((writer.bytes(), writer.marks, claim, transcript.events, transcript.challenge("end")))
    assert sent[0] == sent[1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 6), st.data())
def test_inner_product(seed, log_length, data):
    rng = np.random.default_rng(seed)
    used = data.draw(st.integers(1, 1 << log_length))
    vector, weights = words(rng, used), words(rng, 2, used)
    claim = vectors.dot(vectors.embed(vector), weights)
    fast, slow = transcripts(seed)
    ours, theirs = Writer(), Writer()
    point = prove_inner_product(ours, fast, vector.copy(), weights.copy(), log_length, claim, "inner")
    expected, *_ = liars.inner_rounds(
        theirs, slow, vector, weights, log_length, claim, "inner", lambda error: pytest.fail("an error")
    )
    assert (point, ours.bytes()) == (expected, theirs.bytes())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(0, 4), st.integers(0, 3))
def test_products(seed, weighted, summed):
    """sum over x, k of eq(beta, x) left right: each round's polynomial from the definition."""
    rng, variables = np.random.default_rng(seed), weighted + summed
    left, right, beta = elements(rng, 1 << variables), elements(rng, 1 << variables), elements(rng, weighted)
    eq = np.repeat(vectors.eq_vector(beta, 1 << weighted), 1 << summed, axis=1)
    writer, (fast, slow) = Writer(), transcripts(seed)
    v = np.stack([vectors.array(left), vectors.array(right)], axis=1)
    reached = bound_rounds(writer, fast, v, eq, weighted, "product")
    expected = Writer()
    for i in range(variables):
        half = len(left) // 2
        point = beta[i + 1 :]
        eqs = [eq_bits(point, j >> summed) if i < weighted else ONE for j in range(half)]
        sums = []
        for a, b in (
            (left[:half], right[:half]),
            (left[half:], right[half:]),
            tuple([sub(h, l) for l, h in zip(x[:half], x[half:], strict=True)] for x in (left, right)),
        ):
            sums.append(liars.total([mul(e, mul(x, y)) for e, x, y in zip(eqs, a, b, strict=True)]))
        expected.elements("product", sums, slow)
        r = slow.challenge("product")
        assert reached[i] == r
        left, right = liars.bound(left, r), liars.bound(right, r)
    assert writer.bytes() == expected.bytes()
    assert vectors.elements(v[:, 0, :1]) == left and vectors.elements(v[:, 1, :1]) == right


@pytest.mark.parametrize("make", [*(make for make in TINY.values() if make is not linear), convolutional, mixed])
def test_leaves(make):
    """1 / (alpha - f) per row of a lookup, -m / (alpha - t) per row of a table, 0 / 1 behind them.

    What else lies in a lookup's block says the first row of its table, and is counted there.
    """
    circuit = make()
    plan = prepare(circuit, 2).plan
    witness = Witness(plan, evaluate(circuit, sample(circuit, 2)))
    alpha, gamma = elements(np.random.default_rng(1), 2)
    p, q, counted, used = lookup.leaves(witness, alpha, gamma)
    expected = [(ZERO, ONE)] * (1 << plan.log_leaves)
    idle = [0] * len(plan.tables)

    def fingerprint(first, second, table):
        row = add(((int(first) % P), 0), scale(gamma, int(second)))
        return sub(alpha, add(row, scale(mul(gamma, gamma), table + 1)))

    def place(block, index):
        wasted = [Fraction(1 << bits_of(size), size) for size in block.shape]
        free = wasted.index(max(wasted))
        at = index[free]
        for axis, i in enumerate(index):
            if axis != free:
                at = (at << bits_of(block.shape[axis])) + i
        return block.offset + at

    for item, block in zip(plan.lookups, plan.lookup_blocks, strict=True):
        first = np.broadcast_to(witness.rows(item.first, item.shape), item.shape)
        second = np.broadcast_to(witness.rows(item.second, item.shape), item.shape) if item.second.terms else None
        ones, twos = plan.tables[item.table].rows()
        head = fingerprint(ones[0], twos[0], item.table)
        expected[block.offset : block.end] = [(ONE, head)] * block.length
        idle[item.table] += block.length
        for index in np.ndindex(item.shape):
            if all(mask[index[label]] for label, mask in item.valid.items()):
                value = fingerprint(first[index], 0 if second is None else second[index], item.table)
                expected[place(block, index)] = (ONE, value)
                idle[item.table] -= 1
    for number, block in enumerate(plan.table_blocks):
        counts = witness.columns[plan.multiplicities[number]][0]
        for i, (first, second) in enumerate(zip(*plan.tables[number].rows(), strict=True)):
            numerator = (-int(counts[i]) % P, 0)
            expected[place(block, (0, i))] = (numerator, fingerprint(first, second, number))
    assert [((x, 0), y) for x, y in zip(p.tolist(), vectors.elements(q), strict=True)] == expected
    assert [x for x, _ in expected[:counted]] == [ONE] * counted
    assert (used, plan.idle) == (plan.leaves, tuple(idle)) and expected[used:] == [(ZERO, ONE)] * (len(p) - used)
    assert liars.total([mul(x, inverse(y)) for x, y in expected]) == ZERO


def merkle_levels(leaves):
    levels = [leaves]
    while len(levels[-1]) > 1:
        pairs = zip(levels[-1][::2], levels[-1][1::2], strict=True)
        levels.append([hashlib.sha256(a + b + b"\1").digest() for a, b in pairs])
    return levels


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 4), st.integers(1, 5))
def test_commitment_and_opening(seed, log_columns, rows):
    rng, columns = np.random.default_rng(seed), 1 << log_columns
    length = int(rng.integers((rows - 1) * columns + 1, rows * columns + 1))
    code, vector = Code(length, log_columns), words(rng, length)
    committed = commit(vector, code)
    matrix = [[0] * columns for _ in range(rows)]
    for i, word in enumerate(vector.tolist()):
        matrix[i // columns][i % columns] = word
    positions = columns << RATE_BITS

    def at(row, position):
        coset, i = divmod(position, columns)
        x = pow(root_of_unity(log_columns + RATE_BITS), coset, P)
        x = x * pow(root_of_unity(log_columns), int(format(i, f"0{log_columns}b")[::-1], 2), P) % P
        return sum(c * pow(x, e, P) for e, c in enumerate(row)) % P

    encoded = [b"".join(at(row, j).to_bytes(8, "little") for row in matrix) for j in range(positions)]
    levels = merkle_levels([hashlib.sha256(column + b"\0").digest() for column in encoded])
    assert committed.root == levels[-1][0]

    point = elements(rng, code.log_length)
    writer, (fast, slow) = Writer(), transcripts(seed)
    open_at(committed, writer, fast, point, QUERIES)
    high = point[: len(point) - log_columns]
    mix, power, v, u = slow.challenge("proximity mix"), ONE, [ZERO] * columns, [ZERO] * columns
    for i, row in enumerate(matrix):
        v = [add(x, scale(eq_bits(high, i), c)) for x, c in zip(v, row, strict=True)]
        u = [add(x, scale(power, c)) for x, c in zip(u, row, strict=True)]
        power = mul(power, mix)
    data = b"".join(c.to_bytes(8, "little") for x in (*v, *u) for c in x)
    slow.absorb("opening rows", data)
    asked = sorted(set(slow.indices("queries", QUERIES, log_columns + RATE_BITS)))
    expected, known = data + b"".join(encoded[j] for j in asked), set(asked)
    for level in levels[:-1]:
        for i in sorted(known):
            if i ^ 1 not in known:
                expected += level[i ^ 1]
        known = {i // 2 for i in known}
    assert writer.bytes()[8:] == expected  # behind the magic


@pytest.mark.parametrize("kind", ["conv", "dense"])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 20))
def test_layers(kind, seed):
    """X and W of `verifier.proof.layers`, index by index."""
    circuit, rng = single_gate_circuit(seed, kind), np.random.default_rng(seed)
    tensors = evaluate(circuit, sample(circuit, 2, seed))
    plan = prepare(circuit, 2, "committed").plan
    layer = layers_of(plan)[-1]
    assume(np.prod(layer.rows) * np.prod(layer.summed) <= 4000)
    bits = [bits_of(d) for d in layer.split_rows]
    drawn = elements(rng, sum(bits))
    pieces, at = [], 0
    for count in bits:
        pieces.append(drawn[at : at + count])
        at += count
    found = at_point(layer, drawn)
    x = tensors[layer.gate.inputs[0]]
    _, members, channels, *_ = layer.view
    weights = layer.site.constants[0].T if kind == "dense" else layer.site.constants[0]
    weights = np.ascontiguousarray(weights).reshape(layer.view)
    c = layer.channel
    shape = layer.summed
    expected_x, expected_w = {}, {}
    for index in np.ndindex(shape):
        total = ZERO
        for m in range(members):
            total = add(total, scale(eq_bits(pieces[c + 1], m), int(weights[(index[0], m, *index[1:])])))
        expected_w[index] = total
    outer = [d for a, d in enumerate(layer.rows) if a != c]
    labels = [a for a in range(len(layer.rows)) if a != c]
    for index in np.ndindex(shape):
        group, channel, *taps = index
        total = ZERO
        for row in np.ndindex(*outer):
            where = dict(zip(labels, row, strict=True))
            source = [where.get(a, group * channels + channel) for a in range(len(layer.rows))]
            if kind == "conv":
                strides, pads, dilations = (layer.site.integers(n) for n in ("strides", "pads", "dilations"))
                for a, k in enumerate(taps):
                    source[2 + a] = source[2 + a] * strides[a] + k * dilations[a] - pads[a]
            if all(0 <= i < d for i, d in zip(source, x.shape, strict=True)):
                weight = ONE
                for label, i in where.items():
                    weight = mul(weight, eq_bits(pieces[label if label < c else label + 1], i))
                total = add(total, scale(weight, int(x[tuple(source)])))
        expected_x[index] = total
    for got, expected in (
        (_folded_input(layer, found, x), expected_x),
        (_folded_weights(layer, found, Matrices()), expected_w),
    ):
        assert vectors.elements(got.reshape(2, -1)) == [expected[i] for i in np.ndindex(shape)]


def test_residues():
    values = np.array([-(1 << 62), -1, 0, 1, 1 << 62])
    assert modular.from_integers(values).tolist() == [int(v) % P for v in values]
