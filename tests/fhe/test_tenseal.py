# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that only have TenSEAL, and bytes that pretend to come from one."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fhe
from fhe.pool import EvaluationPool
from fhe.tenseal_clients import parameters_id, read_relin, read_tensor, write_tensor
from tests.fhe.making import expected, inputs_of, linear, mlp, needs_tenseal

pytestmark = needs_tenseal


@pytest.fixture(scope="module")
def pool() -> Iterator[EvaluationPool]:
    with EvaluationPool() as made:
        yield made


def context_for(preset: fhe.Preset) -> Any:
    tenseal = pytest.importorskip("tenseal")

    bits = [q.bit_length() for q in preset.moduli]
    if preset.scheme == "bfv":
        return tenseal.context(tenseal.SCHEME_TYPE.BFV, preset.n, preset.plain_modulus, bits)
    return tenseal.context(tenseal.SCHEME_TYPE.CKKS, preset.n, coeff_mod_bit_sizes=bits)


@cache
def linear_request() -> tuple[Any, fhe.EncryptedPlan, bytes, np.ndarray]:
    tenseal = pytest.importorskip("tenseal")

    plan = fhe.plan(linear((6, 3), 15, 7), samples=8, preset="batch-lin")
    context, inputs = context_for(plan.preset), inputs_of(plan.circuit, 8)
    return context, plan, tenseal.bfv_tensor(context, tenseal.plain_tensor(inputs), batch=True).serialize(), inputs


def test_bfv_tensors_come_and_go(pool: EvaluationPool) -> None:
    tenseal = pytest.importorskip("tenseal")

    context, plan, tensor, inputs = linear_request()
    request, keys = pool.from_tenseal(plan, tensor)
    answer = pool.evaluate(plan, request, keys)
    tensor = write_tensor(plan.interface, fhe.parse_ciphertexts(answer.ciphertexts))
    values = np.array(tenseal.bfv_tensor_from(context, tensor).decrypt().tolist())
    assert np.array_equal(values, expected(plan.circuit, inputs))


def test_ckks_tensors_with_squares_come_and_go(pool: EvaluationPool, tmp_path: Path) -> None:
    tenseal = pytest.importorskip("tenseal")

    plan = fhe.plan(mlp((6, 4, 2), 15, 7), samples=8, preset="batch-mlp-ckks")
    context, inputs = context_for(plan.preset), inputs_of(plan.circuit, 8)
    context.global_scale = plan.interface.input_scale
    tensor = tenseal.ckks_tensor(context, tenseal.plain_tensor(inputs.astype(float)), batch=True).serialize()
    context.relin_keys().data.save(str(tmp_path / "relin"))
    relin = (tmp_path / "relin").read_bytes()
    request, keys = pool.from_tenseal(plan, tensor, relin)
    answer = pool.evaluate(plan, request, keys)
    tensor = write_tensor(plan.interface, fhe.parse_ciphertexts(answer.ciphertexts))
    values = np.array(tenseal.ckks_tensor_from(context, tensor).decrypt().tolist()) * plan.interface.output_unit
    assert np.abs(values - expected(plan.circuit, inputs)).max() <= fhe.estimate(plan).error
    for wrong in (relin[:-1], relin[:200], b"", relin[:30] + bytes(20) + relin[50:], tensor[:1000]):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.malformed"):
            read_relin(plan.interface, wrong)


def test_the_identity_of_parameters_is_seals() -> None:
    from fhe.seal_bridge import SealContext

    for preset in fhe.PRESETS.values():
        theirs = struct.pack("<4Q", *SealContext(preset).context.key_context_data().parms_id())
        assert parameters_id(preset, preset.moduli) == theirs


def test_another_packing_is_refused() -> None:
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.tenseal\.packing"):
        read_tensor(fhe.plan(linear((6, 3), 15, 7), preset="lin8").interface, b"")


def refused(data: bytes) -> str:
    _, plan, _, _ = linear_request()
    with pytest.raises(fhe.MalformedError) as wrong:
        read_tensor(plan.interface, data)
    return wrong.value.code


def test_tensors_of_other_forms_are_refused() -> None:
    tenseal = pytest.importorskip("tenseal")

    context, plan, good, inputs = linear_request()
    others = [
        tenseal.bfv_vector(context, [1, 2, 3]).serialize(),
        tenseal.bfv_tensor(context, tenseal.plain_tensor(inputs[:, :5]), batch=True).serialize(),
        tenseal.bfv_tensor(context, tenseal.plain_tensor(inputs[:7]), batch=True).serialize(),
        context.serialize(save_secret_key=False),
        good + good,
        good + b"\x00",
        good[1:],
        b"\x0a\x01\x06" + b"\x12\x00" * 6,
        b"\x0a\x01\x06\x12\xff\xff\xff\xff\x7f",
        b"\x0a\x0b" + b"\x80" * 11,
        b"\x0a",
        b"",
    ]
    elsewhere = context_for(fhe.preset_of("card-8192"))
    others.append(tenseal.bfv_tensor(elsewhere, tenseal.plain_tensor(inputs), batch=True).serialize())
    for data in others:
        assert refused(data) == "fhe.tenseal.malformed"
    assert plan.interface.inputs == 6


def test_a_compression_bomb_is_seen_before_it_opens() -> None:
    import zstandard

    good = linear_request()[2]
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    engine = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    silent = engine.compress(bytes(1 << 24)) + engine.flush()
    size = 113 - 16 + 8 * 2 * 4096
    lying = zstandard.ZstdCompressor().compressobj(size=size)
    frame = lying.compress(bytes(size)) + lying.flush()
    for body in (bomb, silent, frame + bomb, frame[:-4]):
        blob = struct.pack("<HBBBBHQ", 0xA15E, 16, 4, 3, 2, 0, 16 + len(body)) + body
        length = b""
        value = len(blob)
        while value > 127:
            length, value = length + bytes([value & 127 | 128]), value >> 7
        message = b"\x0a\x01\x06" + (b"\x12" + length + bytes([value]) + blob) * 6 + b"\x18\x08"
        assert refused(message) == "fhe.tenseal.malformed"
    assert good


def test_mutants_give_typed_errors(pool: EvaluationPool) -> None:
    _, plan, good, _ = linear_request()
    rng = random.Random(1)
    for _ in range(40):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            data[rng.choice((rng.randrange(80), rng.randrange(len(data))))] ^= 1 << rng.randrange(8)
        try:
            pool.from_tenseal(plan, bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))
        except (fhe.MalformedError, fhe.UnsupportedError):
            continue


def test_residues_and_transparency_are_checked() -> None:
    _, plan, _, _ = linear_request()
    limbs = np.zeros((6, 2, 1, 4096), np.uint64)
    interface = fhe.Interface.decode(plan.interface.encode())

    def message(limbs: np.ndarray) -> bytes:
        written = write_tensor(interface, fhe.Ciphertexts(plan.preset, limbs))
        return written.replace(b"\x0a\x01\x03", b"\x0a\x01\x06", 1)

    assert refused(message(limbs)) == "fhe.ciphertext.transparent"
    limbs[:] = plan.preset.moduli[0]
    assert refused(message(limbs)) == "fhe.residue.range"
