# SPDX-License-Identifier: AGPL-3.0-or-later
"""Numbers that others published, against every backend: field, extension, transform, hash.

Roots of unity and the extension's generators are those of Plonky2 and Plonky3 (crate `goldilocks`: TWO_ADIC_GENERATORS,
EXT_GENERATOR, ext_two_adic_generator), products those of the tests of Polygon's goldilocks library, digests those of
NIST's CAVP (SHA256ShortMsg.rsp) and of FIPS 180-4.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from prover import sha
from verifier.proof import compiled, field, merkle, modular, portable, vectors
from verifier.proof.field import P

BACKENDS = pytest.mark.parametrize("backend", [portable, compiled], ids=["numpy", "numba"])

ROOTS = {
    0: 0x1, 1: 0xFFFFFFFF00000000, 10: 0x9D8F2AD78BFED972, 11: 0x0653B4801DA1C8CF, 12: 0xF2C35199959DFCB6,
    13: 0x1544EF2335D17997, 14: 0xE0EE099310BBA1E2, 15: 0xF6B2CFFE2306BAAC, 16: 0x54DF9630BF79450E,
    17: 0xABD0A6E8AA3D8A0E, 18: 0x81281A7B05F9BEAC, 19: 0xFBD41C6B8CAA3302, 20: 0x30BA2ECD5E93E76D,
    21: 0xF502AEF532322654, 22: 0x4B2A18ADE67246B5, 23: 0xEA9D5A1336FBC98B, 24: 0x86CDCC31C307E171,
    25: 0x4BBAF5976ECFEFD8, 26: 0xED41D05B78D6E286, 27: 0x10D78DD8915A171D, 28: 0x59049500004A4485,
    29: 0xDFA8C93BA46D2666, 30: 0x7E9BD009B86A0845, 31: 0x400A7F755588E659, 32: 0x185629DCDA58878C,
}  # fmt: skip


@pytest.mark.parametrize("log_order", ROOTS)
def test_roots_of_unity(log_order):
    assert field.root_of_unity(log_order) == ROOTS[log_order]


@BACKENDS
@pytest.mark.parametrize("log_size", [5, 7, 8, 9, 10, 11, 12, 13])
def test_the_transform_of_x_is_the_roots(backend, log_size):
    """The polynomial x has the value w at w: the published root stands where index 1, with its bits reversed, is."""
    published = {5: 0x00003FFFFFFFC000, 7: 0xF80007FF08000001, 8: 0xBF79143CE60CA966, 9: 0x1905D02A5C411F4E} | ROOTS
    rows = np.zeros((1, 1 << log_size), np.uint64)
    rows[0, 1] = 1
    backend.transform(rows, vectors.roots(log_size))
    assert int(rows[0, 1 << (log_size - 1)]) == published[log_size]


def power(base, exponent):
    result = field.ONE
    while exponent:
        if exponent & 1:
            result = field.mul(result, base)
        base, exponent = field.mul(base, base), exponent >> 1
    return result


def test_extension_generators():
    generator, two_adic = (18081566051660590251, 16121475356294670766), (0, 15659105665374529263)
    assert pow(7, (P - 1) // 2, P) == 18446744069414584320  # DTH_ROOT
    assert power(generator, P * P - 1) == field.ONE
    assert P + 1 == 2 * 7 * 179 * 7361031152998637 and P - 1 == 2**32 * 3 * 5 * 17 * 257 * 65537
    for q in (2, 3, 5, 7, 17, 179, 257, 65537, 7361031152998637):
        assert power(generator, (P * P - 1) // q) != field.ONE
    assert power(two_adic, 1 << 33) == field.ONE and power(two_adic, 1 << 32) == (P - 1, 0)
    assert field.mul(two_adic, two_adic) == (field.root_of_unity(32), 0)


@BACKENDS
def test_products(backend):
    minus_twelve, large = P - 12, (92233720347072921606 % P)  # 5 p + 1
    a = vectors.embed(np.array([3, 27, 27], np.uint64))
    b = vectors.embed(np.array([9, large, minus_twelve], np.uint64))
    assert vectors.elements(backend.multiply(a, b)) == [(27, 0), (27, 0), (0xFFFFFFFEFFFFFEBD, 0)]


def test_sums():
    def add(a, b):
        return int(modular.add(np.array([a % P], np.uint64), np.array([b % P], np.uint64))[0])

    assert add(0xFFFFFFFF00000002, 0xFFFFFFFF00000002) == 2
    assert add((1 << 64) - 1, (1 << 64) - 1) == 0x1FFFFFFFC
    assert int(modular.sub(np.array([3], np.uint64), np.array([9], np.uint64))[0]) == P - 6


CAVP = {
    "bd": "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b",
    "81a723d966": "7516fb8bb11350df2bf386bc3c33bd0f52cb4c67c6e4745e0488e62c2aea2605",
    "b80233e2c53ab32cc3": "c60d239cc6da3ad31f4de0c2d58a73ccf3f9279e504fa60ad55a31dcf686f3ca",
    "7c66f5d443c11cfb39dd0aa715": "6840619417b4d8ecaa7902f8eaf2e82be2638dec97cb7e8fcc377007cc176718",
}


@pytest.mark.parametrize("message", CAVP)
def test_sha_256(message):
    """Messages of 4 n + 1 bytes are what the kernel hashes: whole words and a suffix."""
    data = bytes.fromhex(message)
    words = np.frombuffer(data[:-1], "<u4").reshape(1, -1)
    out = np.empty((1, 8), "<u4")
    sha.digests(words, data[-1], out)
    assert out.tobytes().hex() == hashlib.sha256(data).hexdigest() == CAVP[message]


def test_sha_256_constants():
    """FIPS 180-4, sections 4.2.2 and 5.3.3: first and last words."""
    assert [sha._K[0], sha._K[1], sha._K[62], sha._K[63]] == [0x428A2F98, 0x71374491, 0xBEF9A3F7, 0xC67178F2]
    assert sha._H.tolist() == [
        0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
    ]  # fmt: skip


def test_merkle_leaf_of_nothing():
    """SHA-256 of one zero byte."""
    assert merkle.leaf(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
