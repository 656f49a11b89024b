# SPDX-License-Identifier: AGPL-3.0-or-later
"""Coefficient encoding: y = W x + b for one sample in BFV, exact, without evaluation keys.

With x_hat = sum_j x_j X^j and w_hat = sum_(i, j) W_ij X^(i m + m - 1 - j), j < m, the coefficient of X^(i m + m - 1)
in x_hat * w_hat is sum_j W_ij x_j; what wraps around X^n = -1 lands below X^(m - 1), where nothing is read (Huang,
Lu, Hong, Ding: Cheetah, 2022, section 3). Inputs are cut into blocks of m, outputs into blocks of n/m; m is chosen so
that the fewest ciphertexts travel. Ciphertexts stay in NTT form on the wire, so an evaluation is nothing but products
and sums of residues.

Coefficients between those that are read hold other dot products: on a protected preset they are drowned in uniform
noise before the answer leaves (:mod:`fhe.privacy`).
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import IntArray
from fhe.errors import UnsupportedError
from fhe.interface import Interface
from fhe.network import Layer, Network, check_range
from fhe.presets import Preset
from fhe.wire.residues import Limbs


def block_width(inputs: int, outputs: int, n: int) -> int:
    """The m for which the fewest ciphertexts travel; the widest of those."""
    costs = {m: -(-inputs // m) + -(-outputs // (n // m)) for m in range(1, min(inputs, n) + 1)}
    return max(costs, key=lambda m: (-costs[m], m))


def design(network: Network, preset: Preset, samples: int) -> Interface:
    """Raises UnsupportedError: ``fhe.plan.packing`` (more than one layer, CKKS, requantisation), ``.range``."""
    if network.squares or not network.exact or preset.scheme != "bfv":
        raise UnsupportedError("fhe.plan.packing", "coefficient encoding is for one exact layer in BFV")
    check_range(network, preset)
    outputs, inputs = network.layers[0].matrix.shape
    m = block_width(inputs, outputs, preset.n)
    blocks, each = -(-inputs // m), preset.n // m
    replies = -(-outputs // each)
    gather = np.full((blocks, preset.n), -1, np.int64)
    for block in range(blocks):
        held = np.arange(block * m, min(inputs, (block + 1) * m))
        gather[block, : len(held)] = held
    index = np.arange(outputs)
    scatter = index // each * preset.n + index % each * m + m - 1
    return Interface(
        preset=preset,
        encoding="coefficients",
        samples=samples,
        inputs=inputs,
        outputs=outputs,
        lo=network.lo,
        hi=network.hi,
        gather=gather,
        scatter=scatter,
        replies=replies,
        output_level=preset.levels,
    )


def polynomials(layer: Layer, interface: Interface) -> tuple[IntArray, IntArray]:
    """w_hat int64 [replies, blocks, n] and the bias at the coefficients that are read, int64 [replies, n]."""
    n = interface.preset.n
    blocks = len(interface.gather)
    m = int(interface.scatter[0]) + 1
    outputs, inputs = layer.matrix.shape
    weights = np.zeros((interface.replies, blocks, n), np.int64)
    for i in range(outputs):
        reply, top = divmod(int(interface.scatter[i]), n)
        for block in range(blocks):
            row = layer.matrix[i, block * m : min(inputs, (block + 1) * m)]
            weights[reply, block, top - len(row) + 1 : top + 1] = row[::-1]
    bias = np.zeros((interface.replies, n), np.int64)
    bias.reshape(-1)[interface.scatter] = layer.bias
    return weights, bias


class CoefficientLayer:
    """The layer, its weights transformed once."""

    def __init__(self, network: Network, interface: Interface) -> None:
        from fhe.ring import Ring
        from fhe.scaling import scaled

        self.interface = interface
        self.ring = Ring(interface.preset)
        level = interface.preset.levels
        weights, bias = polynomials(network.layers[0], interface)
        self._weights = self.ring.montgomery(self.ring.forward(self.ring.residues(weights, level)))
        self._bias = self.ring.forward(scaled(bias, interface.preset, level))

    def evaluate(self, limbs: Limbs) -> Limbs:
        """NTT form [samples * blocks, 2, level, n] -> [samples * replies, 2, level, n]."""
        from fhe import kernels

        interface, level = self.interface, limbs.shape[2]
        each = len(interface.gather)
        out = np.empty((interface.samples, interface.replies, *limbs.shape[1:]), np.uint64)
        for sample in range(interface.samples):
            held = limbs[sample * each : (sample + 1) * each]
            kernels.linear_layer(out[sample], held, self._weights, self.ring.q[:level], self.ring.inverses[:level])
            out[sample, :, 0] = self.ring.add(out[sample, :, 0], self._bias)
        return out.reshape(-1, *limbs.shape[1:])
