# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that only have TenSEAL, and bytes that pretend to come from one."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

import fhe
from fhe.pool import EvaluationPool
from fhe.protobuf import tagged, varint
from fhe.seal_objects import encryption_parameters, parameters_id
from fhe.tenseal_clients import is_tenseal, kind_of, read_tenseal, write_tenseal
from fhe.tenseal_contexts import inspect, read_context
from tests.fhe.making import expected, linear, mlp, needs_tenseal
from tests.fhe.tenseal_side import Asked, ask, decrypt, galois

pytestmark = needs_tenseal


@pytest.fixture(scope="module")
def pool() -> Iterator[EvaluationPool]:
    with EvaluationPool() as made:
        yield made


@cache
def linear_request() -> Asked:
    return ask(fhe.plan(linear((6, 3), 15, 7), samples=8, preset="batch-lin"))


@cache
def squares() -> fhe.EncryptedPlan:
    return fhe.plan(mlp((6, 4, 2), 15, 7), samples=8, preset="batch-mlp-ckks")


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        (lambda: linear_request().plan, "bfv_tensor"),
        (lambda: fhe.plan(mlp((2, 2, 1), 3, 3), samples=4, preset="batch-mlp-exact"), "bfv_tensor"),
        (lambda: fhe.plan(mlp((2, 2, 1), 3, 3), samples=1, preset="batch-mlp-exact"), "bfv_tensor"),
        (lambda: fhe.plan(linear((6, 3), 15, 7), samples=4, preset="batch-mlp-exact", private=True), "bfv_tensor"),
        (squares, "ckks_tensor"),
        (lambda: fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1"), "ckks_vector"),
        (lambda: fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1", samples=2), "ckks_vector"),
    ],
)
def test_they_ask_and_read_the_answer(pool: EvaluationPool, plan: object, kind: str) -> None:
    made: fhe.EncryptedPlan = plan()  # type: ignore[operator]
    assert kind_of(made.interface) == kind
    asked = ask(made)
    seed = bytes(range(32)) if made.private else None
    answer = pool.evaluate(made, asked.request, asked.context, seed=seed)
    assert is_tenseal(answer.ciphertexts)
    off = np.abs(decrypt(asked, answer.ciphertexts) - expected(made.circuit, asked.inputs)).max()
    assert off <= fhe.estimate(made).error
    again = pool.evaluate(made, asked.request, asked.context, seed=seed)
    assert again.answer_digest == answer.answer_digest


def test_the_answer_is_that_to_the_same_request_in_our_own_form(pool: EvaluationPool) -> None:
    asked = linear_request()
    interface = asked.plan.interface
    request = fhe.dump_ciphertexts(read_tenseal(interface, asked.request))
    keys = fhe.dump_keys(read_context(interface, asked.context))
    ours = fhe.parse_ciphertexts(pool.evaluate(asked.plan, request, keys).ciphertexts)
    assert write_tenseal(interface, ours) == pool.evaluate(asked.plan, asked.request, asked.context).ciphertexts


def test_parameters_are_seals() -> None:
    from fhe.seal_bridge import SealContext

    for preset in fhe.PRESETS.values():
        theirs = struct.pack("<4Q", *SealContext(preset).context.key_context_data().parms_id())
        assert parameters_id(preset, preset.moduli) == theirs
        assert len(encryption_parameters(preset)) == 17 + 24 * (len(preset.moduli) + 1)


def test_another_packing_is_refused() -> None:
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.tenseal\.packing"):
        read_tenseal(fhe.plan(linear((6, 3), 15, 7), preset="lin8").interface, b"")


def test_a_secret_key_is_refused_wherever_it_comes(pool: EvaluationPool) -> None:
    asked = linear_request()
    for public in (True, False):
        private = asked.tenseal.serialize(save_public_key=public, save_secret_key=True)
        for use in (
            inspect,
            pool.inspect,
            lambda data: pool.evaluate(asked.plan, asked.request, data),
        ):
            with pytest.raises(fhe.MalformedError) as refused:
                use(private)
            assert refused.value.code == "fhe.tenseal.secret-key" and "save_secret_key=False" in refused.value.remedy
    # A private part of no length, or behind the type of encryption, is none the better for it.
    for part in (tagged(3, b""), varint(4 << 3) + b"\x00" + tagged(3, tagged(1, b"key"))):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.(secret-key|malformed)"):
            inspect(asked.context + part)


def test_what_is_uploaded_is_told_apart() -> None:
    asked, elsewhere = linear_request(), ask(squares())
    assert (inspect(asked.context), inspect(asked.request)) == ("context", "tensor")
    bare = tagged(1, varint(6))
    for data in (bare, bare + tagged(2, b"x"), bare + tagged(2, b"\x5e\xa1\x10") + b"\x28\x01"):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.malformed"):
            inspect(data)
    for data in (b"", b"\x0a", b"hello", asked.context[:100], asked.context[1:], b"\x12\x00", asked.context + b"\x00"):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.malformed"):
            inspect(data)
    with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.parameters"):
        read_context(asked.plan.interface, elsewhere.context)
    import tenseal

    foreign = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[40, 30, 40])
    with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.parameters"):
        inspect(foreign.serialize())


def test_keys_are_those_of_the_plan() -> None:
    asked, vector = ask(squares()), ask(fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1"))
    interface, context = asked.plan.interface, asked.tenseal

    def code(interface: fhe.Interface, data: bytes) -> str:
        with pytest.raises(fhe.MalformedError) as refused:
            read_context(interface, data)
        return refused.value.code

    assert code(interface, context.serialize(save_relin_keys=False)) == "fhe.keys.missing"
    assert read_context(interface, context.serialize()).public is None  # there, and left unread
    assert code(interface, asked.context + tagged(2, tagged(5, b"x"))) == "fhe.keys.surplus"
    interface = vector.plan.interface
    assert code(interface, vector.tenseal.serialize(save_galois_keys=False)) == "fhe.keys.missing"
    vector.tenseal.generate_galois_keys()  # TenSEAL's own choice of rotations
    assert code(interface, vector.tenseal.serialize()) == "fhe.tenseal.malformed"
    bare, elements = vector.tenseal.serialize(save_galois_keys=False), sorted(interface.keys.galois)
    for others in (elements[1:], [*elements, 2 * vector.plan.preset.n - 1]):
        keys = galois(vector.tenseal, tuple(others))
        assert code(interface, bare + tagged(2, tagged(5, keys))) == "fhe.tenseal.malformed"


def refused(data: bytes) -> str:
    with pytest.raises(fhe.MalformedError) as wrong:
        read_tenseal(linear_request().plan.interface, data)
    return wrong.value.code


def test_tensors_of_other_forms_are_refused() -> None:
    import tenseal

    asked = linear_request()
    context, good, inputs = asked.tenseal, asked.request, asked.inputs
    others = [
        tenseal.bfv_vector(context, [1, 2, 3]).serialize(),
        tenseal.bfv_tensor(context, tenseal.plain_tensor(inputs[:, :5].tolist()), batch=True).serialize(),
        tenseal.bfv_tensor(context, tenseal.plain_tensor(inputs[:7].tolist()), batch=True).serialize(),
        context.serialize(save_secret_key=False),
        good + good,
        good + b"\x00",
        good[1:],
        b"\x0a\x01\x06" + b"\x12\x00" * 6,
        b"\x0a\x01\x06\x12\xff\xff\xff\xff\x7f",
        b"\x0a\x0b" + b"\x80" * 11,
        b"\x0a" + varint(1 << 20) + bytes(1 << 20),
        b"\x0a",
        b"",
        ask(fhe.plan(linear((6, 3), 15, 7), samples=8, preset="card-8192")).request,
    ]
    for data in others:
        assert refused(data) == "fhe.tenseal.malformed"


def test_vectors_of_other_forms_are_refused() -> None:
    import tenseal

    asked = ask(fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1"))
    interface, context = asked.plan.interface, asked.tenseal
    others = [
        tenseal.ckks_vector(context, [0.5] * 100).serialize(),  # TenSEAL repeats them: not the places of the plan
        tenseal.ckks_vector(context, [0.5] * (2 * interface.width)).serialize(),
        tenseal.ckks_vector(context, [0.5] * interface.width, scale=2.0**30).serialize(),
        tenseal.ckks_tensor(context, tenseal.plain_tensor([[0.5]]), batch=True).serialize(),
        asked.request + b"\x20\x01",
    ]
    for data in others:
        with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.malformed"):
            read_tenseal(interface, data)


def test_a_compression_bomb_is_seen_before_it_opens() -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    engine = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    silent = engine.compress(bytes(1 << 24)) + engine.flush()
    size = 113 - 16 + 8 * 2 * 4096
    lying = zstandard.ZstdCompressor().compressobj(size=size)
    frame = lying.compress(bytes(size)) + lying.flush()
    for body in (bomb, silent, frame + bomb, frame[:-4]):
        blob = struct.pack("<HBBBBHQ", 0xA15E, 16, 4, 3, 2, 0, 16 + len(body)) + body
        assert refused(b"\x0a\x01\x06" + tagged(2, blob) * 6 + b"\x18\x08") == "fhe.tenseal.malformed"
        context = tagged(1, blob) + tagged(2, b"")
        with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.parameters"):
            inspect(context)


def test_mutants_give_typed_errors(pool: EvaluationPool) -> None:
    asked = linear_request()
    rng = random.Random(1)
    for _ in range(40):
        blobs = [bytearray(asked.request), bytearray(asked.context)]
        data = rng.choice(blobs)
        for _ in range(rng.randrange(1, 4)):
            data[rng.choice((rng.randrange(80), rng.randrange(len(data))))] ^= 1 << rng.randrange(8)
        del data[rng.choice((len(data), rng.randrange(len(data)))) :]
        try:
            pool.evaluate(asked.plan, *map(bytes, blobs))
        except (fhe.MalformedError, fhe.RejectedError, fhe.UnsupportedError):
            continue


def test_residues_and_transparency_are_checked() -> None:
    plan = linear_request().plan
    limbs = np.zeros((6, 2, 1, 4096), np.uint64)

    def message(limbs: np.ndarray) -> bytes:
        written = write_tenseal(plan.interface, fhe.Ciphertexts(plan.preset, limbs))
        return written.replace(b"\x0a\x01\x03", b"\x0a\x01\x06", 1)

    assert refused(message(limbs)) == "fhe.ciphertext.transparent"
    limbs[:] = plan.preset.moduli[0]
    assert refused(message(limbs)) == "fhe.residue.range"
