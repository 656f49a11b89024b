# SPDX-License-Identifier: AGPL-3.0-or-later
"""Integer matrix times residues modulo q, exactly, on float64 BLAS.

Residues are cut into digits of b bits, W @ digit is exact while (largest row sum of |W|) * 2^b < 2^53, in any order of
summation and so on any machine; the digits' products are put together modulo q.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from circuits.circuit import IntArray
from fhe import kernels
from fhe.packing.columns import MANTISSA, digit_bits
from fhe.ring import Prime
from fhe.wire.residues import Limbs


def product(weights: IntArray, residues: Limbs, prime: Prime) -> Limbs:
    """int64 [N, K] times uint64 [K, columns] below q -> uint64 [N, columns] below q."""
    q = int(prime.q)
    bits = digit_bits(weights, q)
    matrix = weights.astype(np.float64)
    factor = prime.constant(1 << bits)
    offset = np.uint64(((1 << MANTISSA) // q + 1) * q)
    out = np.zeros((len(weights), residues.shape[1]), np.uint64)
    count = -(-q.bit_length() // bits)
    for digit in reversed(range(count)):
        part = (residues >> np.uint64(digit * bits)) & np.uint64((1 << bits) - 1)
        sums: npt.NDArray[np.float64] = matrix @ part.astype(np.float64)
        kernels.fold_digit(out, sums, *factor, offset, prime.ratio, prime.q)
    return out
