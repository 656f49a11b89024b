# SPDX-License-Identifier: AGPL-3.0-or-later
"""Encryption parameters: security, shape, and SEAL's own opinion."""

from __future__ import annotations

import pytest

import fhe
from fhe.presets import MAX_MODULUS_BITS, check_parameters, largest_primes
from tests.fhe.making import needs_seal

BITS = {
    "lin8": [46, 46, 17],
    "lin6-public": [54],
    "batch-lin": [54, 55],
    "batch-mlp-exact": [43, 43, 44, 44, 44],
    "batch-mlp-ckks": [46, 46, 17],
    "mlp1": [50, 40, 40, 40, 48],
    "cnn1": [34, 30, 30, 30, 30, 30, 34],
    "card-8192": [60, 40, 40, 60],
}


@pytest.mark.parametrize("name", BITS)
def test_moduli_are_the_largest_primes_of_their_sizes(name: str) -> None:
    preset = fhe.preset_of(name)
    assert preset.moduli == largest_primes(preset.n, BITS[name])
    assert preset.total_bits <= MAX_MODULUS_BITS[preset.n]


@needs_seal
@pytest.mark.parametrize("name", BITS)
def test_seal_agrees(name: str) -> None:
    from fhe.seal_bridge import SealContext

    context = SealContext(fhe.preset_of(name))
    created = context.seal.CoeffModulus.Create(fhe.preset_of(name).n, BITS[name])
    assert tuple(m.value() for m in created) == fhe.preset_of(name).moduli
    assert context.seal.CoeffModulus.MaxBitCount(fhe.preset_of(name).n) == MAX_MODULUS_BITS[fhe.preset_of(name).n]


@needs_seal
def test_what_seal_refuses_is_our_fault() -> None:
    from dataclasses import replace

    from fhe.seal_bridge import SealContext

    with pytest.raises(fhe.OperationalError, match=r"fhe\.library\.disagrees"):
        SealContext(replace(fhe.preset_of("lin8"), n=2048))


def test_a_published_set_that_is_not_secure_is_refused() -> None:
    """n = 4096 with 50 + 30 + 30 + 50 bits, t = 786433: 160 bits where 109 are allowed."""
    with pytest.raises(fhe.MalformedError) as refused:
        check_parameters(4096, largest_primes(4096, [50, 30, 30, 50]), scheme="bfv", plain_modulus=786433)
    assert refused.value.code == "fhe.parameters.insecure"
    check_parameters(4096, largest_primes(4096, [36, 36, 37]), scheme="bfv", plain_modulus=786433)


@pytest.mark.parametrize(
    ("n", "moduli", "scheme", "plain"),
    [
        (4095, (40961,), "bfv", 17),
        (4096, (), "bfv", 17),
        (4096, (40961, 40961), "bfv", 17),
        (4096, (40961 * 3,), "bfv", 17),
        (4096, (40963,), "bfv", 17),
        (4096, (40961,), "bfv", 1),
        (4096, (40961,), "bfv", 40961),
        (4096, (40961,), "ckks", 17),
    ],
)
def test_impossible_parameters_are_refused(n: int, moduli: tuple[int, ...], scheme: str, plain: int) -> None:
    with pytest.raises(fhe.MalformedError) as refused:
        check_parameters(n, moduli, scheme=scheme, plain_modulus=plain)  # type: ignore[arg-type]
    assert refused.value.code == "fhe.parameters.invalid"


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.preset\.unknown"):
        fhe.preset_of("lin9")


def test_parameters_are_digested_not_names() -> None:
    digests = {preset.digest for preset in fhe.PRESETS.values()}
    assert len(digests) == len(fhe.PRESETS)


def test_one_layer_and_batch_presets_need_no_galois_keys() -> None:
    from tests.fhe.making import linear, mlp

    for plan in (
        fhe.plan(linear((784, 64))),
        fhe.plan(linear((20, 5), 15, 7), samples=64, preset="batch-lin"),
        fhe.plan(mlp((20, 8, 3), 15, 7), samples=64, preset="batch-mlp-exact"),
        fhe.plan(mlp((20, 8, 3), 15, 7), samples=64, preset="batch-mlp-ckks"),
    ):
        assert fhe.estimate(plan).galois_bytes == 0 and not plan.interface.keys.galois
