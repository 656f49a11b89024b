# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of this room with its meaning, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "fhe.answer.mismatch": "an answer whose count, level or scale is not the interface's",
        "fhe.ciphertext.count": "no ciphertexts, or more than the format allows",
        "fhe.ciphertext.length": "a bundle of ciphertexts of another length than its header says",
        "fhe.ciphertext.level": "a level that the preset does not have",
        "fhe.ciphertext.magic": "not a bundle of ciphertexts",
        "fhe.ciphertext.polynomials": "ciphertexts of another number of polynomials than two",
        "fhe.ciphertext.preset": "a bundle of ciphertexts that names no preset of the table",
        "fhe.ciphertext.scale": "a scale that the scheme cannot have",
        "fhe.ciphertext.too-large": "a bundle of ciphertexts larger than the format allows",
        "fhe.ciphertext.transparent": "a ciphertext that anybody can read: its second polynomial is zero",
        "fhe.input.range": "an input outside the circuit's range",
        "fhe.input.shape": "an input of another shape or type than the interface's",
        "fhe.interface.malformed": "not the one encoding of an interface",
        "fhe.keys.degenerate": "a key whose second polynomial is zero",
        "fhe.keys.digits": "a switching key of more digits than the preset has moduli",
        "fhe.keys.flags": "more keys than the format allows",
        "fhe.keys.galois": "Galois keys out of order, repeated, or for no automorphism",
        "fhe.keys.length": "a bundle of keys of another length than its header says",
        "fhe.keys.magic": "not a bundle of keys",
        "fhe.keys.missing": "a key that the plan needs is not there",
        "fhe.keys.no-rotation": "a Galois key is wanted for something else than a rotation of slots",
        "fhe.keys.preset": "a bundle of keys that names no preset of the table",
        "fhe.keys.preset-mismatch": "keys of another preset than the plan's",
        "fhe.keys.surplus": "keys that the plan does not need",
        "fhe.keys.too-large": "a bundle of keys larger than the format allows",
        "fhe.library.disagrees": "SEAL refuses a preset, or writes something else than this version reads",
        "fhe.library.missing": "a library of the fhe extra is not installed",
        "fhe.network.gate": "a gate that does not run encrypted, or not in this way",
        "fhe.network.ports": "a part of a circuit without one input and one output to encrypt",
        "fhe.network.shape": "a value that skips a square",
        "fhe.network.too-large": "layers, values or folded weights beyond the limits",
        "fhe.parameters.insecure": "moduli too long for 128-bit security in that ring",
        "fhe.parameters.invalid": "a ring degree, modulus or plaintext modulus that cannot be one",
        "fhe.plan.depth": "more multiplications in sequence than the preset carries",
        "fhe.plan.inexact": "a requantisation where exact integers are asked for",
        "fhe.plan.noise": "noise that might exceed the modulus",
        "fhe.plan.none": "no preset fits the circuit",
        "fhe.plan.packing": "a packing that does not fit the circuit, the preset or the number of samples",
        "fhe.plan.range": "values beyond the plaintext modulus, or too large for any precision",
        "fhe.preset.unknown": "a preset that is not in the table",
        "fhe.privacy.no-room": "the preset leaves no room to hide the model in the replies",
        "fhe.request.mismatch": "a request whose preset, count, level or scale is not the interface's",
        "fhe.residue.range": "a residue at or above its modulus",
        "fhe.seed.length": "a flooding seed of the wrong length, or where none belongs",
        "fhe.seed.mismatch": "an opened seed that is not the committed one",
        "fhe.session.preset-mismatch": "an interface of another preset than the session's keys",
        "fhe.unsupported": "this version has no encrypted execution on this path",
    }
)
