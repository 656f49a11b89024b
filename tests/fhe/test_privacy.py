# SPDX-License-Identifier: AGPL-3.0-or-later
"""Model privacy: what a bare reply gives away, and that a protected one does not."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import fhe
from circuits import CircuitBuilder
from fhe import privacy
from fhe.ring import Ring
from fhe.scaling import times_mod
from tests.fhe.making import expected, inputs_of, linear, mlp, needs_seal, run, session

SEED = hashlib.sha256(b"a seed for a test").digest()


def divided(answer: bytes, request: bytes) -> np.ndarray:
    """c1 of the first reply over c1 of the request modulo the first prime, as centred coefficients: no key needed."""
    ours, theirs = fhe.parse_ciphertexts(answer), fhe.parse_ciphertexts(request)
    q = ours.preset.moduli[0]
    over = np.array([pow(int(x), -1, q) for x in theirs.limbs[0, 1, 0]], object)
    ratio = (ours.limbs[0, 1, 0].astype(object) * over % q).astype(np.uint64)
    coefficients = Ring(ours.preset).backward(ratio[None])[0].astype(np.int64)
    return np.where(coefficients > q // 2, coefficients - q, coefficients)


@needs_seal
def test_a_bare_reply_hands_over_the_weights_and_a_protected_one_does_not() -> None:
    circuit = linear((64, 64))  # one block of inputs: c1 of the reply is weights times c1 of the request
    weights = circuit.constants[0].data.T
    inputs = inputs_of(circuit, 1)
    bare = fhe.plan(circuit, preset="lin8")
    assert bare.interface.sent == 1
    values, request, answer = run(bare, inputs)
    stolen = divided(answer, request)
    m = int(bare.interface.scatter[0]) + 1
    for i, place in enumerate(bare.interface.scatter):
        assert np.array_equal(stolen[place - m + 1 : place + 1][::-1], weights[i])

    guarded = fhe.plan(circuit, preset="lin8", private=True)
    values, request, answer = run(guarded, inputs, SEED)
    assert np.array_equal(values, expected(circuit, inputs))
    noise = divided(answer, request)
    assert np.abs(noise).max() > 2**40  # nothing small: not an integer polynomial of weights
    share = np.mean(
        [
            np.any(np.abs(noise[p - m + 1 : p + 1][::-1] - w) < 2**20)
            for p, w in zip(guarded.interface.scatter, weights, strict=True)
        ]
    )
    assert share < 0.05


@needs_seal
def test_coefficients_without_output_are_drowned() -> None:
    """In a bare reply the other coefficients decrypt to more dot products; in a protected one to noise."""
    circuit = linear((60, 3))
    inputs = inputs_of(circuit, 1)
    client = session("lin8")
    for private in (False, True):
        plan = fhe.plan(circuit, preset="lin8", private=private)
        _, _, answer = run(plan, inputs, SEED if private else None)
        row = client._rows(fhe.parse_ciphertexts(answer), False)[0]
        row[plan.interface.scatter] = 0
        idle = privacy.idle_places(plan.interface, 0)
        assert idle is not None and idle.sum() == 4096 - 3
        beyond = row[300:]  # no product of 60 inputs and 180 weights reaches these
        assert bool(np.any(beyond)) is private
        if private:
            assert abs(float(np.mean(row[idle] / plan.preset.plain_modulus))) < 0.03
            assert 0.27 < float(np.std(row[idle] / plan.preset.plain_modulus)) < 0.31  # uniform: 1 / sqrt(12)


@needs_seal
def test_protected_replies_are_a_function_of_the_seed() -> None:
    plan = fhe.plan(linear((64, 64)), preset="lin8", private=True)
    from fhe.evaluation import Evaluation

    client = session("lin8")
    evaluation = Evaluation(plan, fhe.parse_keys(client.evaluation_keys(plan.interface)))
    requests = [fhe.parse_ciphertexts(client.encrypt(plan.interface, inputs_of(plan.circuit, 1))) for _ in range(2)]
    first = evaluation.run(requests[0], SEED)
    assert evaluation.run(requests[0], SEED).digest == first.digest
    assert evaluation.run(requests[0], bytes(32)).digest != first.digest
    other = evaluation.run(requests[1], SEED)
    # the same seed under another request gives other noise: the difference is no small multiple of anything
    gap = Ring(plan.preset).backward(
        (first.limbs[:, 1] + (plan.preset.moduli[0] - other.limbs[:, 1]))[:, :1] % np.uint64(plan.preset.moduli[0])
    )
    assert len(np.unique(gap)) > 4000
    for wrong in (None, b"short"):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.seed\.length"):
            evaluation.run(requests[0], wrong)


def test_the_statistical_distance_is_stated_and_small() -> None:
    plan = fhe.plan(linear((784, 64)), private=True)
    assert plan.preset.name == "lin8" and plan.interface.keys.public
    assert fhe.statistical_distance_bits(plan) >= privacy.TARGET_BITS
    more = fhe.plan(linear((784, 64)), preset="lin8", samples=8, private=True)
    assert fhe.statistical_distance_bits(plan) - fhe.statistical_distance_bits(more) == pytest.approx(3)


@pytest.mark.parametrize(
    ("sizes", "hi", "most", "preset", "samples"),
    [
        ((300, 10), 63, 15, "lin6-public", 1),
        ((20, 5), 15, 7, "batch-lin", 8),
        ((784, 64, 10), 15, 7, "mlp1", 1),
        ((20, 8, 3), 15, 7, "batch-mlp-ckks", 8),
        ((20, 8, 3), 15, 7, "batch-mlp-exact", 8),
    ],
)
def test_a_preset_without_room_is_refused(
    sizes: tuple[int, ...], hi: int, most: int, preset: str, samples: int
) -> None:
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.privacy\.no-room"):
        fhe.plan(mlp(sizes, hi, most), preset=preset, samples=samples, private=True)


@needs_seal
def test_columns_are_protected_where_there_is_room() -> None:
    circuit = mlp((30, 4, 1), 3, 3)
    plan = fhe.plan(circuit, preset="card-8192", samples=8, private=True)
    inputs = inputs_of(circuit, 8)
    assert np.array_equal(run(plan, inputs, SEED)[0], expected(circuit, inputs))


@needs_seal
def test_slots_without_a_sample_are_drowned() -> None:
    """They hold the network's values at zero, which nobody asked for."""
    circuit = mlp((30, 4, 1), 3, 3)
    (at_zero,) = expected(circuit, np.zeros((1, 30), np.int64))[0]
    inputs = inputs_of(circuit, 8)
    for private in (False, True):
        plan = fhe.plan(circuit, preset="card-8192", samples=8, private=private)
        values, _, answer = run(plan, inputs, SEED if private else None)
        assert np.array_equal(values, expected(circuit, inputs))
        idle = session("card-8192")._rows(fhe.parse_ciphertexts(answer), True)[0, 8:]
        assert (np.mean(idle == at_zero) == 1.0) is not private
        if private:
            assert len(np.unique(idle)) > 8000  # of 8184 in about a million
            assert 0.28 < float(np.std(idle / plan.preset.plain_modulus)) < 0.30


def test_seeds_are_committed_to() -> None:
    commitment = fhe.commit_seed(SEED)
    assert commitment != SEED and len(commitment) == 32
    fhe.open_seed(SEED, commitment)
    with pytest.raises(fhe.RejectedError, match=r"fhe\.seed\.mismatch"):
        fhe.open_seed(bytes(32), commitment)
    with pytest.raises(fhe.MalformedError, match=r"fhe\.seed\.length"):
        fhe.commit_seed(b"")


def test_samplers_have_the_documented_distributions() -> None:
    n = 1 << 16
    stream = hashlib.shake_256(b"distribution").digest(n + 512)
    u, rest = privacy.ternary(stream, n)
    assert len(rest) == 0 and set(np.unique(u)) == {-1, 0, 1}
    assert abs(np.mean(u == 0) - 1 / 3) < 0.01 and abs(float(u.mean())) < 0.01
    e = privacy.binomial(hashlib.shake_256(b"errors").digest(6 * n))
    assert np.abs(e).max() <= 21 and abs(float(e.var()) - 10.5) < 0.3 and abs(float(e.mean())) < 0.06


def test_ternary_never_runs_dry() -> None:
    u, _ = privacy.ternary(bytes([255]) * 600 + bytes([1]) * 200, 288)
    assert len(u) == 288 and set(np.unique(u)) <= {-1, 0, 1}


def test_long_noise_is_reduced_exactly() -> None:
    ring = Ring(fhe.preset_of("lin8"))
    rng = np.random.default_rng(0)
    low, high = rng.integers(0, 1 << 63, (2, 4096), np.uint64)
    flooding = object.__new__(privacy.Flooding)
    flooding.ring = ring
    q = int(ring.q[1])
    got = flooding._residue(low, high, 1, 1 << 70)
    want = [(int(a) + (int(b) << 64) - (1 << 70)) % q for a, b in zip(low, high, strict=True)]
    assert got.tolist() == want
    assert times_mod(np.array([5]), 7, 11)[0] == 2


@pytest.mark.parametrize(("shape", "bits"), [((128, 10), 40.8), ((784, 64), 35.2), ((512, 512), 30.5)])
def test_distances_are_those_of_the_page_and_add_up(shape: tuple[int, int], bits: float) -> None:
    """docs/privacy.md: a reply's distance in `lin8` with 8 bits, and replies until 2^-20."""
    rng = np.random.default_rng(0)
    builder = CircuitBuilder()
    weights = builder.constant("w", rng.integers(-127, 128, shape))
    offset = builder.constant("b", rng.integers(-9, 10, shape[1]))
    builder.output("y", builder.gate("dense", "d", [builder.input("x", shape[:1], 0, 255)], [weights, offset]))
    plan = fhe.plan(builder.build(), preset="lin8", private=True)
    distance = privacy.statistical_distance_bits(plan)
    assert distance == pytest.approx(bits, abs=0.05)
    assert privacy.replies_until(plan) == int(2 ** (distance - 20))
    assert privacy.replies_until(plan, 10) == int(2 ** (distance - 10))
