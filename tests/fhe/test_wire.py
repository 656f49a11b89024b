# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ciphertexts, keys and interfaces as bytes: one encoding, strict, total."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fhe
from circuits import CircuitError
from fhe.wire import parse_ciphertexts, parse_keys
from tests.fhe.making import inputs_of, linear, mlp, random_limbs, tutorial_cnn

LIN = fhe.preset_of("lin6-public")
MLP = fhe.preset_of("batch-mlp-ckks")


def bundle(count: int = 2, level: int = 1, preset: fhe.Preset = LIN, scale: float = 1.0) -> fhe.Ciphertexts:
    return fhe.Ciphertexts(preset, random_limbs(preset, (count, 2), preset.moduli[:level]), scale)


def keys() -> fhe.EvaluationKeys:
    moduli = MLP.moduli
    return fhe.EvaluationKeys(
        MLP,
        random_limbs(MLP, (2,), moduli),
        random_limbs(MLP, (2, 2), moduli, 1),
        {3: random_limbs(MLP, (1, 2), (moduli[0], moduli[2]), 2), 9: random_limbs(MLP, (2, 2), moduli, 3)},
    )


def code_of(data: bytes) -> str:
    with pytest.raises(fhe.MalformedError) as refused:
        parse_ciphertexts(data)
    return refused.value.code


def test_ciphertexts_come_back() -> None:
    for made in (bundle(), bundle(1, 2, MLP, 2.0**40), bundle(3, 1, MLP, 3.5)):
        data = fhe.dump_ciphertexts(made)
        read = parse_ciphertexts(data)
        assert np.array_equal(read.limbs, made.limbs) and (read.preset, read.scale) == (made.preset, made.scale)
        assert fhe.dump_ciphertexts(read) == data and read.digest == made.digest


def test_keys_come_back() -> None:
    data = fhe.dump_keys(keys())
    read = parse_keys(data)
    assert fhe.dump_keys(read) == data and read.digest == keys().digest
    assert read.relin is not None and read.relin.shape == (2, 2, 3, 4096) and read.galois[3].shape == (1, 2, 2, 4096)
    empty = fhe.EvaluationKeys(LIN)
    assert fhe.dump_keys(parse_keys(fhe.dump_keys(empty))) == fhe.dump_keys(empty)


def test_digests_are_of_content_and_parameters() -> None:
    first = bundle(1, 1, MLP, 2.0)
    same = fhe.Ciphertexts(fhe.preset_of("lin8"), first.limbs, 2.0)  # the same ring and primes under another scheme
    assert first.digest != same.digest
    assert first.digest != fhe.Ciphertexts(MLP, first.limbs, 4.0).digest
    changed = first.limbs.copy()
    changed[0, 1, 0, 77] ^= np.uint64(1)
    assert first.digest != fhe.Ciphertexts(MLP, changed, 2.0).digest


HEAD = struct.Struct("<8s16sBBHId")


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("magic", {"magic": b"AFFFHEC2"}),
        ("magic", {"zero": 1}),
        ("preset", {"name": b"lin9"}),
        ("preset", {"name": b"lin8\0x"}),
        ("level", {"level": 0}),
        ("level", {"level": 2}),
        ("polynomials", {"polynomials": 3}),
        ("polynomials", {"polynomials": 1}),
        ("count", {"count": 0}),
        ("count", {"count": 1 << 31}),
        ("length", {"count": 3}),
        ("scale", {"scale": 2.0}),
        ("scale", {"scale": float("nan")}),
        ("scale", {"scale": float("inf")}),
        ("scale", {"scale": -1.0}),
    ],
)
def test_a_wrong_header_is_refused(code: str, fields: dict[str, object]) -> None:
    data = fhe.dump_ciphertexts(bundle())
    names = ("magic", "name", "level", "polynomials", "zero", "count", "scale")
    values = dict(zip(names, HEAD.unpack_from(data), strict=True)) | fields
    assert code_of(HEAD.pack(*values.values()) + data[HEAD.size :]) == f"fhe.ciphertext.{code}"


def test_other_lengths_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = fhe.dump_ciphertexts(bundle())
    for wrong in (b"", data[:10], data[:-1], data + b"\0"):
        assert code_of(wrong) == "fhe.ciphertext.length"
    monkeypatch.setattr("fhe.wire.ciphertexts.MAX_BUNDLE_BYTES", len(data) - 1)
    assert code_of(data) == "fhe.ciphertext.too-large"


def test_a_residue_at_its_modulus_is_refused() -> None:
    made = bundle()
    made.limbs[1, 0, 0, 5] = LIN.moduli[0]
    assert code_of(fhe.dump_ciphertexts(made)) == "fhe.residue.range"
    made.limbs[1, 0, 0, 5] = LIN.moduli[0] - 1
    parse_ciphertexts(fhe.dump_ciphertexts(made))


def test_a_transparent_ciphertext_is_refused() -> None:
    made = bundle(2, 2, MLP, 2.0)
    made.limbs[1, 1, 1] = 0  # zero modulo one prime is as bad
    assert code_of(fhe.dump_ciphertexts(made)) == "fhe.ciphertext.transparent"


KEY_HEAD = struct.Struct("<8s16sBBH")


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("magic", {"magic": b"AFFFHEK2"}),
        ("preset", {"name": b"nothing"}),
        ("flags", {"public": 2}),
        ("flags", {"galois": 65}),
        ("digits", {"relin": 3}),
        ("length", {"relin": 1}),
        ("length", {"public": 0}),
    ],
)
def test_a_wrong_key_header_is_refused(code: str, fields: dict[str, object]) -> None:
    data = fhe.dump_keys(keys())
    names = ("magic", "name", "public", "relin", "galois")
    values = dict(zip(names, KEY_HEAD.unpack_from(data), strict=True)) | fields
    with pytest.raises(fhe.MalformedError) as refused:
        parse_keys(KEY_HEAD.pack(*values.values()) + data[KEY_HEAD.size :])
    assert refused.value.code == f"fhe.keys.{code}"


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("galois", (9, 1), (3, 2)),
        ("galois", (3, 1), (3, 2)),
        ("galois", (2, 1), (9, 2)),
        ("galois", (1, 1), (9, 2)),
        ("galois", (3, 1), (8193, 2)),
        ("digits", (3, 0), (9, 2)),
        ("digits", (3, 1), (9, 3)),
        ("length", (3, 2), (9, 2)),
    ],
)
def test_wrong_galois_keys_are_refused(code: str, first: tuple[int, int], second: tuple[int, int]) -> None:
    data = bytearray(fhe.dump_keys(keys()))
    for i, (element, digits) in enumerate((first, second)):
        struct.pack_into("<IB3s", data, KEY_HEAD.size + 8 * i, element, digits, bytes(3))
    with pytest.raises(fhe.MalformedError) as refused:
        parse_keys(bytes(data))
    assert refused.value.code == f"fhe.keys.{code}"


def test_keys_that_hide_nothing_or_are_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = keys()
    assert made.relin is not None
    made.relin[1, 1, 2] = 0
    with pytest.raises(fhe.MalformedError, match=r"fhe\.keys\.degenerate"):
        parse_keys(fhe.dump_keys(made))
    monkeypatch.setattr("fhe.wire.keys.MAX_KEY_BYTES", 100)
    with pytest.raises(fhe.MalformedError, match=r"fhe\.keys\.too-large"):
        parse_keys(fhe.dump_keys(keys()))


@pytest.mark.parametrize(
    "plan",
    [
        fhe.plan(linear((784, 64))),
        fhe.plan(linear((784, 64)), private=True),
        fhe.plan(mlp((20, 8, 3), 15, 7), samples=64, preset="batch-mlp-ckks"),
        fhe.plan(mlp((784, 64, 10), 15, 7), preset="mlp1"),
        fhe.plan(tutorial_cnn(), preset="cnn1", calibration=inputs_of(tutorial_cnn(), 4)),
    ],
    ids=["lin8", "private", "columns", "mlp1", "cnn1"],
)
def test_interfaces_come_back_and_hold_no_weights(plan: fhe.EncryptedPlan) -> None:
    data = plan.interface.encode()
    read = fhe.Interface.decode(data)
    assert read.encode() == data and read.digest == plan.interface.digest
    assert read.returned == plan.interface.returned and read.sent == plan.interface.sent


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_an_altered_interface_is_refused_or_another_one(data: st.DataObject) -> None:
    good = fhe.plan(linear((30, 5), 15, 7)).interface.encode()
    at = data.draw(st.integers(0, min(len(good) - 1, 400)))
    bad = bytearray(good)
    bad[at] = data.draw(st.integers(0, 255))
    outcome = "read"
    try:
        read = fhe.Interface.decode(bytes(bad))
        assert read.encode() == bytes(bad)
    except fhe.FheError as error:
        outcome = error.code
    assert outcome in ("read", "fhe.interface.malformed", "fhe.preset.unknown")


def test_interfaces_outside_the_limits_are_refused() -> None:
    from dataclasses import replace

    good = fhe.plan(linear((30, 5), 15, 7), preset="lin8").interface
    none = np.zeros(0, np.int64)
    for wrong in (
        {"samples": 0},
        {"samples": 5000},
        {"outputs": 0, "scatter": none},
        {"scatter": none},
        {"gather": none.reshape(0, 4096)},
        {"gather": good.gather + 100},
        {"scatter": good.scatter + 4096},
        {"lo": 16},
        {"output_level": 3},
        {"input_scale": float("nan")},
        {"input_scale": 2.0**80},
        {"unit": -1.0},
        {"keys": fhe.KeyDemand(relin=9)},
        {"keys": fhe.KeyDemand(galois={2: 1})},
    ):
        with pytest.raises((fhe.MalformedError, CircuitError)):
            fhe.Interface.decode(replace(good, **wrong).encode())


def test_interfaces_of_the_wrong_kind_are_refused() -> None:
    from circuits.canonical_cbor import encode

    for wrong in (b"", b"\xff" * 10, encode({}), encode([1]), encode({"format": "fhe-interface@v1"}), bytes(1 << 22)):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.interface\.malformed"):
            fhe.Interface.decode(wrong)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_with_a_code(data: bytes) -> None:
    for parse in (parse_ciphertexts, parse_keys):
        with pytest.raises(fhe.MalformedError):
            parse(data)
