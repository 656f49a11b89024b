# SPDX-License-Identifier: AGPL-3.0-or-later
"""Residue arithmetic against long integers, and against SEAL bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fhe
from fhe import embedding, kernels, transforms
from fhe.gemm import product
from fhe.packing.diagonals import rotation_element
from fhe.ring import Ring, prime
from fhe.scaling import scaled, times_mod
from fhe.switching import Switcher, permutation
from fhe.wire import Limbs
from tests.fhe.making import needs_seal, random_limbs

N = 512
PRIMES = [40961, 8796092792833, 1125899906826241, 1152921504606748673]


@pytest.mark.parametrize("q", PRIMES)
def test_the_transform_is_the_evaluation_at_the_odd_powers_of_the_root(q: int) -> None:
    p = prime(q, N)
    rows = np.random.default_rng(0).integers(0, q, (2, N), np.uint64)
    got = rows.copy()
    transforms.forward(got, *p.forward, p.q)
    root = int(p.forward[0][N // 2])  # bit-reversed index of 1
    for place in (0, 1, 200, N - 1):
        exponent = 2 * int(f"{place:09b}"[::-1], 2) + 1
        point = pow(root, exponent, q)
        value = 0
        for coefficient in reversed(rows[1].tolist()):
            value = (value * point + coefficient) % q
        assert value == int(got[1, place])
    transforms.inverse(got, *p.backward, p.q, *p.scale)
    assert np.array_equal(got, rows)


@pytest.mark.parametrize("q", PRIMES)
def test_products_of_transforms_are_negacyclic_products(q: int) -> None:
    p = prime(q, N)
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, q, (2, N), np.uint64)
    want = [0] * N
    for i in (0, 3, N - 1):  # a sparse first factor keeps the schoolbook short
        for j in range(N):
            sign = 1 if i + j < N else -1
            want[(i + j) % N] += sign * int(a[i]) * int(b[j])
    sparse = np.zeros_like(a)
    sparse[[0, 3, N - 1]] = a[[0, 3, N - 1]]
    both = np.stack([sparse, b])
    transforms.forward(both, *p.forward, p.q)
    kernels.scale_by(both[1:], *p.constant(1 << 64), p.q)
    out = np.empty((1, N), np.uint64)
    kernels.multiply(out, both[:1], both[1:], np.array([q], np.uint64), np.array([p.inverse]))
    transforms.inverse(out, *p.backward, p.q, *p.scale)
    assert out[0].tolist() == [w % q for w in want]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PRIMES), st.integers(0, 2**32), st.integers(1, 2**20))
def test_integer_matrix_products_modulo_a_prime_are_exact(q: int, seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-most, most + 1, (3, 17))
    residues = rng.integers(0, q, (17, 5), np.uint64)
    residues[:, 0] = q - 1
    want = (weights.astype(object) @ residues.astype(object)) % q
    assert (product(weights, residues, prime(q, N)).astype(object) == want).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 2**61 - 1), st.integers(0, 2**140), st.integers(0, 2**63))
def test_products_by_long_constants(modulus: int, factor: int, value: int) -> None:
    got = times_mod(np.array([value % modulus], np.int64), factor % modulus, modulus)
    assert int(got[0]) == value % modulus * (factor % modulus) % modulus


@pytest.mark.parametrize("name", ["lin8", "batch-mlp-exact", "card-8192"])
def test_scaled_messages_are_q_m_over_t_rounded(name: str) -> None:
    preset = fhe.preset_of(name)
    t, q = preset.plain_modulus, preset.modulus(preset.levels)
    values = [0, 1, -1, 2, t // 2, t // 2 + 1, t - 1, -(t // 2), 12345]
    got = scaled(np.array(values), preset, preset.levels)
    for i, m in enumerate(values):
        rounded = (q * (m % t) + t // 2) // t
        for row, p in zip(got[:, i], preset.moduli, strict=False):
            assert int(row) in {rounded % p, (rounded - 1) % p}  # a tie may go either way
    assert scaled(np.array([-5]), fhe.preset_of("mlp1"), 1)[0, 0] == fhe.preset_of("mlp1").moduli[0] - 5


def test_encoding_comes_back_and_is_multiplicative_in_slots() -> None:
    n = 1024
    slots = np.random.default_rng(0).normal(size=(2, n // 2))
    coded = embedding.encode(slots, 2.0**30, n)
    assert np.abs(embedding.decode(coded.astype(float), 2.0**30, n) - slots).max() < 1e-6
    a, b = (row.tolist() for row in coded)
    result = [0] * n
    for i in range(n):
        for j in range(n):
            result[(i + j) % n] += a[i] * b[j] * (1 if i + j < n else -1)
    back = embedding.decode(np.array([float(x) for x in result]), 2.0**60, n)
    assert np.abs(back - slots[0] * slots[1]).max() < 1e-5


def test_the_roots_are_right_to_an_ulp() -> None:
    xs, ys = embedding._roots(2048)
    angle = np.pi * np.arange(4096) / 2048
    assert np.abs(xs - np.cos(angle)).max() < 1e-15 and np.abs(ys - np.sin(angle)).max() < 1e-15
    assert (xs[0], ys[1024], xs[2048]) == (1.0, 1.0, -1.0) and abs(xs[1024]) < 1e-30


@needs_seal
@pytest.mark.parametrize("name", ["lin8", "mlp1", "card-8192", "lin6-public"])
def test_transforms_are_seals(name: str) -> None:
    from fhe.seal_bridge import SealContext

    preset = fhe.preset_of(name)
    context, ring = SealContext(preset), Ring(preset)
    evaluator = context.seal.Evaluator(context.context)
    limbs = random_limbs(preset, (2,), preset.moduli[: preset.levels])
    if preset.scheme == "bfv":
        theirs = context.limbs(evaluator.transform_to_ntt(context.ciphertext(limbs, ntt=False)))
        assert np.array_equal(ring.forward(limbs), theirs)
        assert np.array_equal(ring.backward(theirs), limbs)
    else:
        theirs = context.limbs(evaluator.transform_from_ntt(context.ciphertext(limbs, ntt=True, scale=2.0**40)))
        assert np.array_equal(ring.backward(limbs), theirs)


@needs_seal
def test_squares_and_rescaling_are_seals_and_relinearisation_is_as_defined() -> None:
    from fhe.seal_bridge import SealContext
    from fhe.squares import square

    preset = fhe.preset_of("mlp1")
    context, ring = SealContext(preset), Ring(preset)
    seal = context.seal
    generator, evaluator = seal.KeyGenerator(context.context), seal.Evaluator(context.context)
    relin = generator.create_relin_keys()
    (key,) = context.switching_keys(relin)
    switcher = Switcher(ring, fhe.EvaluationKeys(preset, relin=key))
    for level in (4, 2):
        limbs = random_limbs(preset, (2,), preset.moduli[:level], level)
        theirs = evaluator.square(context.ciphertext(limbs, ntt=True, scale=2.0**20))
        three = square(ring, limbs)
        assert np.array_equal(three, context.limbs(theirs))
        ours = switcher.relinearise(three)
        assert np.array_equal(ours, slow_relinearisation(ring, three, key))
        mine = switcher.rescale(np.stack([three[0], three[1]]))
        same = context.ciphertext(np.stack([three[0], three[1]]), ntt=True, scale=2.0**40)
        assert np.array_equal(mine, context.limbs(evaluator.rescale_to_next(same)))


def slow_relinearisation(ring: Ring, three: Limbs, key: Limbs) -> Limbs:
    """By the definition, in long integers but for the transforms."""
    moduli, level = ring.preset.moduli, three.shape[1]
    primes = [*range(level), len(moduli) - 1]
    total = np.zeros((2, level + 1, ring.n), object)
    for i, row in enumerate(ring.backward(three[2])):
        q = moduli[i]
        digit = np.array([int(x) - q if int(x) > q // 2 else int(x) for x in row], object)
        lifted = np.stack([(digit % moduli[j]).astype(np.uint64) for j in primes])
        transformed = ring.forward(lifted, primes).astype(object)
        for p in range(2):
            for k, j in enumerate(primes):
                total[p, k] += transformed[k] * key[i, p, j].astype(object) % moduli[j]
    special = moduli[-1]
    out = np.empty((2, level, ring.n), np.uint64)
    for p in range(2):
        last = ring.backward((total[p, -1] % special).astype(np.uint64)[None], [len(moduli) - 1])[0].astype(object)
        rest = (last + special // 2) % special - special // 2  # the centred remainder
        for k in range(level):
            q = moduli[k]
            part = ring.forward((rest % q).astype(np.uint64)[None], [k])[0].astype(object)
            divided = (total[p, k] - part) * pow(special, -1, q)
            out[p, k] = ((divided + three[p, k].astype(object)) % q).astype(np.uint64)
    return out


@needs_seal
def test_encodings_are_seals() -> None:
    from fhe.seal_bridge import SealContext

    preset = fhe.preset_of("mlp1")
    context = SealContext(preset)
    slots = np.random.default_rng(0).normal(size=preset.slots)
    plain = context.seal.CKKSEncoder(context.context).encode(slots, 2.0**40)
    data = plain.to_bytes(context.seal.compr_mode_type.none)
    theirs = np.frombuffer(data[-8 * 4 * preset.n :], np.uint64).reshape(4, preset.n)
    ours = Ring(preset).forward(scaled(embedding.encode(slots, 2.0**40, preset.n), preset, 4))
    off = Ring(preset).backward(theirs)[0].astype(np.int64) - Ring(preset).backward(ours)[0].astype(np.int64)
    assert np.abs(off).max() <= 1  # two roundings of the same real number


@needs_seal
def test_rotations_rotate() -> None:
    from tests.fhe.making import session

    client = session("mlp1")
    preset = client.preset
    elements = [rotation_element(step, preset.n) for step in (1, 5, 4095)]
    demand = fhe.KeyDemand(galois=dict.fromkeys(elements, 3))
    interface = _slots_interface(demand)
    switcher = Switcher(Ring(preset), fhe.parse_keys(client.evaluation_keys(interface)))
    values = np.random.default_rng(0).integers(-50, 50, (1, preset.slots))
    limbs = fhe.parse_ciphertexts(client.encrypt(interface, values)).limbs[0, :, :3]

    def shown(ciphertext: np.ndarray) -> np.ndarray:
        bundle = fhe.Ciphertexts(preset, ciphertext[None], 2.0**30)
        return np.round(client._rows(bundle, True)[0]).astype(int)

    for step, turned in zip((0, 1, 5, 4095), switcher.rotations(limbs, (0, 1, 5, 4095)), strict=True):
        assert np.array_equal(shown(turned), np.roll(values[0], -step))
    both = switcher.rotated_sum([(limbs, (0, 1)), (limbs, (5,))])
    want = values[0] + np.roll(values[0], -1) + np.roll(values[0], -5)
    assert np.array_equal(shown(both), want)
    with pytest.raises(fhe.MalformedError, match=r"fhe\.keys\.missing"):
        switcher.rotations(limbs, (2,))


def _slots_interface(demand: fhe.KeyDemand) -> fhe.Interface:
    preset = fhe.preset_of("mlp1")
    place = np.arange(preset.slots)
    return fhe.Interface(
        preset, "slots", 1, preset.slots, preset.slots, -50, 50, place[None], place, 1, 3, 2.0**30, 2.0**30, keys=demand
    )


@needs_seal
def test_only_rotations_have_keys() -> None:
    from tests.fhe.making import session

    conjugation = fhe.KeyDemand(galois={2 * 8192 - 1: 1})
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.keys\.no-rotation"):
        session("mlp1").evaluation_keys(_slots_interface(conjugation))


def test_automorphisms_compose() -> None:
    a, b = permutation(3, 1024), permutation(9, 1024)
    assert np.array_equal(a[a], b)
