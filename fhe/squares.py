# SPDX-License-Identifier: AGPL-3.0-or-later
"""Products of ciphertexts: squares and their relinearisation, over many ciphertexts.

CKKS squares are pointwise products in NTT form. BFV squares need an exact division of a long product by q/t (Bajard,
Eynard, Hasan, Zucca 2016); SEAL does that, on objects made of checked limbs.
"""

from __future__ import annotations

import numpy as np

from fhe import kernels
from fhe.errors import MalformedError
from fhe.presets import Preset
from fhe.ring import Ring
from fhe.seal_bridge import SealContext
from fhe.switching import Switcher
from fhe.wire.keys import EvaluationKeys
from fhe.wire.residues import Limbs


def square(ring: Ring, limbs: Limbs) -> Limbs:
    """NTT form [2, level, n] -> [3, level, n]: (c0^2, 2 c0 c1, c1^2)."""
    _, level, n = limbs.shape
    q, qi = ring.q[:level], ring.inverses[:level]
    first, second = ring.montgomery(limbs)
    out = np.empty((3, level, n), np.uint64)
    kernels.multiply(out[0], limbs[0], first, q, qi)
    kernels.multiply(out[1], limbs[0], second, q, qi)
    kernels.multiply(out[2], limbs[1], second, q, qi)
    out[1] = ring.add(out[1], out[1])
    return out


class CkksSquares:
    """In NTT form throughout."""

    def __init__(self, preset: Preset, ring: Ring, keys: EvaluationKeys) -> None:
        self.ring = ring
        self._switcher = Switcher(ring, _relin(keys))

    def square(self, limbs: Limbs) -> Limbs:
        """[count, 2, level, n] -> [count, 3, level, n]."""
        return np.stack([square(self.ring, one) for one in limbs])

    def relinearise(self, limbs: Limbs) -> Limbs:
        """[count, 3, level, n] -> [count, 2, level, n]."""
        return np.stack([self._switcher.relinearise(one) for one in limbs])


class BfvSquares:
    """In coefficient form; squares by SEAL, key switching as in CKKS with transforms around it."""

    def __init__(self, preset: Preset, ring: Ring, keys: EvaluationKeys) -> None:
        self.ring = ring
        self._switcher = Switcher(ring, _relin(keys))
        self._seal = SealContext(preset)
        self._evaluator = self._seal.seal.Evaluator(self._seal.context)

    def square(self, limbs: Limbs) -> Limbs:
        """[count, 2, level, n] -> [count, 3, level, n]."""
        return np.stack([self._one(limb) for limb in limbs])

    def _one(self, limbs: Limbs) -> Limbs:
        """Raises MalformedError (``fhe.ciphertext.transparent``): SEAL makes no square that anybody could read."""
        try:
            return self._seal.limbs(self._evaluator.square(self._seal.ciphertext(limbs, ntt=False)))
        except RuntimeError as error:
            if "transparent" not in str(error):
                raise
            raise MalformedError(
                "fhe.ciphertext.transparent", "the masks of these ciphertexts cancel out before a square"
            ) from None

    def relinearise(self, limbs: Limbs) -> Limbs:
        """[count, 3, level, n] -> [count, 2, level, n]."""
        out = []
        for one in limbs:
            level = one.shape[1]
            total = np.zeros((2, level + 1, one.shape[2]), np.uint64)
            self._switcher.accumulate(total, self._switcher.decompose(self.ring.forward(one[2])), 1)
            out.append(self.ring.add(one[:2], self.ring.backward(self._switcher.finish(total))))
        return np.stack(out)


def _relin(keys: EvaluationKeys) -> EvaluationKeys:
    if keys.relin is None:
        raise MalformedError("fhe.keys.missing", "no relinearisation key; required for squares")
    return keys
