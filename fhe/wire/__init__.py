# SPDX-License-Identifier: AGPL-3.0-or-later
"""What travels: ciphertexts and keys, each with one encoding, parsed in numpy alone before any library sees a byte."""

from fhe.wire.ciphertexts import Ciphertexts, dump_ciphertexts, parse_ciphertexts
from fhe.wire.keys import EvaluationKeys, dump_keys, parse_keys
from fhe.wire.residues import Limbs

__all__ = [
    "Ciphertexts",
    "EvaluationKeys",
    "Limbs",
    "dump_ciphertexts",
    "dump_keys",
    "parse_ciphertexts",
    "parse_keys",
]
