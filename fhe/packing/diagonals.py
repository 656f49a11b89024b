# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rotated diagonals for depth on one sample, CKKS: baby and giant steps on copies that each start further on.

A layer is a list of *diagonals*: pairs (d, P_d) of a rotation and a plaintext, and a list of *folds*:

    z = sum_d rot_d(P_d * x),   y = sum over subsets of the folds of rot(z),       slot t of rot_d(x) is x[t + d]

Which input element v a source slot holds and which output o a target slot gathers decide where weight W[o, v] goes. The
three shapes of layer:

========  ===================================================================================================
first     slots hold c copies of the input (period K), copy i starting i D elements further on, D = N / c diagonals;
          target slot t gathers output t mod N; folds N, 2N, ... fill every slot: the result is periodic (hybrid method:
          Juvekar, Vaikuntanathan, Chandrakasan: Gazelle, 2018, section 4, with the copies of Lee et al.'s interleaving)
rows      the input is periodic (period K): target slots t belong to output t // w; folds 1, 2, .. w/2; results at
          multiples of w, unusable values elsewhere
spread    the input is at multiples of w: diagonal -d brings W[d, :] * x to slots d mod w; folds w, 2w, ...: periodic
windows   a first convolution on its im2col form: slots (tap block, channel, position) (TenSEAL's encoding of windows,
          Benaissa et al. 2021, with channels side by side)
========  ===================================================================================================

so that first, rows, spread, rows, ... follow each other without repacking. Diagonals d = g + b share the baby steps'
digits; giant steps are taken after rescaling, one level lower, with one division by the special prime for all of
them. A bias is added to the values where they are read, never to their copies alone (a network of TenSEAL's `mm` with
the bias in the first slots only is wrong from the second layer on).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from circuits.circuit import IntArray
from fhe.errors import UnsupportedError
from fhe.network import Network, Windows

Reals = npt.NDArray[np.float64]
MAX_DIAGONALS = 512


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One layer in slots.

    Attributes:
        diagonals: {ciphertext: {(giant, baby): int64 weights [slots]}}; target t reads source t + giant + baby.
        folds: each a list of rotations whose results are added up, 0 among them.
        targets: int64 [outputs] slots where the results are read.
        repeats: int64 [slots] output that the slot holds afterwards, -1 for none: where the bias goes.
    """

    diagonals: tuple[dict[tuple[int, int], IntArray], ...]
    folds: tuple[tuple[int, ...], ...]
    targets: IntArray
    repeats: IntArray

    @property
    def babies(self) -> list[int]:
        """Baby steps, increasing."""
        return sorted({baby for held in self.diagonals for _, baby in held})

    @property
    def giants(self) -> list[int]:
        """Giant steps, increasing."""
        return sorted({giant for held in self.diagonals for giant, _ in held})


def rotation_element(step: int, n: int) -> int:
    """The automorphism X -> X^e that rotates the n/2 slots left by `step`."""
    return pow(3, step % (n // 2), 2 * n)


def _power(value: int) -> int:
    """The least power of two at or above."""
    return 1 << max(0, value - 1).bit_length()


def _folds(first: int, end: int, radix: int) -> tuple[tuple[int, ...], ...]:
    """Rotations whose sums add up all multiples of `first` below `end`: `radix` terms at a time."""
    folds = []
    while first < end:
        terms = min(radix, end // first)
        folds.append(tuple(first * i for i in range(terms)))
        first *= terms
    return tuple(folds)


def _split(count: int) -> int:
    """Baby steps for so many consecutive diagonals: a baby step costs about as much as a giant step."""
    baby = 1
    while baby * baby < count:
        baby *= 2
    return baby


class Slots:
    """Designs the layers one after the other; keeps where the values are."""

    def __init__(self, slots: int, radix: int = 4) -> None:
        self.slots, self.radix = slots, radix
        self.period: int | None = None  # periodic: slot s holds element of[s mod period]
        self.stride: int | None = None
        self.of: IntArray = np.zeros(0, np.int64)

    def first(self, matrix: IntArray) -> tuple[Step, IntArray]:
        """The step, and the gather [ciphertexts, slots]."""
        outputs, inputs = matrix.shape
        n, slots = _power(outputs), self.slots
        if n > slots:
            raise UnsupportedError(
                "fhe.plan.packing", f"{outputs} outputs of the first layer; required {slots} at most"
            )
        k = min(slots, max(n, _power(inputs)))
        blocks, copies = -(-inputs // k), slots // k
        count = max(1, n // copies)
        place = np.arange(slots)
        copy, offset = place // k, place % k
        element = (offset + copy * count) % k
        used = copy * count < n  # more copies than diagonals: the rest holds nothing
        gather, diagonals = np.full((blocks, slots), -1, np.int64), []
        baby = _split(count)
        for block in range(blocks):
            held = np.where(used, element + block * k, inputs)
            gather[block] = np.where(held < inputs, held, -1)
            # (slot - d) mod n = (element - copy * count - d) mod n: every output once for each element
            diagonals.append(
                {(d - d % baby, d % baby): _weights(matrix, (place - d) % n, gather[block]) for d in range(count)}
            )
        _bound(count)
        self._periodic(n, np.arange(n), outputs)
        step = Step(tuple(diagonals), _folds(n, slots, self.radix), np.arange(outputs), self._repeats(outputs))
        return step, gather

    def windows(self, windows: Windows) -> tuple[Step, IntArray]:
        """The step and the gather of a first convolution; outputs in order (channel, position)."""
        (positions, taps), channels = windows.taps.shape, len(windows.bias)
        w, c = _power(positions), _power(channels)
        if w * c > self.slots:
            raise UnsupportedError("fhe.plan.packing", f"{channels} channels of {positions} positions do not fit")
        each = self.slots // w  # taps per ciphertext
        blocks = -(-taps // each)
        place = np.arange(self.slots)
        position, tap = place % w, place // w
        gather, diagonals = np.full((blocks, self.slots), -1, np.int64), []
        for block in range(blocks):
            index = tap + block * each
            fits = (position < positions) & (index < taps)
            gather[block, fits] = windows.taps[position[fits], index[fits]]
            held = {}
            for d in range(c):
                channel = (tap - d) % c
                weights = np.zeros(self.slots, np.int64)
                chosen = fits & (channel < channels)
                weights[chosen] = windows.filters[channel[chosen], index[chosen]]
                held[d * w, 0] = weights
            diagonals.append(held)
        of = np.full(w * c, -1, np.int64)
        for plane in range(channels):
            of[plane * w : plane * w + positions] = plane * positions + np.arange(positions)
        self._periodic(w * c, of, channels * positions)
        targets = (np.arange(channels)[:, None] * w + np.arange(positions)).reshape(-1)
        repeats = self._repeats(channels * positions)
        return Step(tuple(diagonals), _folds(w * c, self.slots, self.radix), targets, repeats), gather

    def next(self, matrix: IntArray) -> Step:
        """A layer on what the one before it left."""
        return self._rows(matrix) if self.period is not None else self._spread(matrix)

    def _rows(self, matrix: IntArray) -> Step:
        outputs, k, slots = len(matrix), self.period or 1, self.slots
        width = min(k, slots // _power(outputs))
        if width < 1:
            raise UnsupportedError("fhe.plan.packing", f"{outputs} outputs; required {slots} at most")
        place = np.arange(slots)
        _bound(k // width)
        diagonals = {
            (d * width, 0): _weights(matrix, (place - d * width) % slots // width, self.of[place % k])
            for d in range(k // width)
        }
        self.period, self.stride = None, width
        self.of = np.arange(outputs)
        repeats = np.full(slots, -1, np.int64)
        repeats[: outputs * width : width] = np.arange(outputs)
        return Step((diagonals,), _folds(1, width, self.radix), np.arange(outputs) * width, repeats)

    def _spread(self, matrix: IntArray) -> Step:
        outputs, width, slots = len(matrix), self.stride or 1, self.slots
        if outputs > width:
            raise UnsupportedError(
                "fhe.plan.packing", f"{outputs} outputs where {width} fit", "use fewer outputs, or another packing"
            )
        place = np.arange(slots)
        index = np.where((place % width == 0) & (place // width < len(self.of)), place // width, -1)
        _bound(outputs)
        diagonals = {((slots - d) % slots, 0): _weights(matrix, np.full(slots, d), index) for d in range(outputs)}
        self._periodic(width, np.arange(width), outputs)
        return Step((diagonals,), _folds(width, slots, self.radix), np.arange(outputs), self._repeats(outputs))

    def _periodic(self, period: int, of: IntArray, outputs: int) -> None:
        self.period, self.stride = period, None
        self.of = np.where(of < outputs, of, -1)

    def _repeats(self, outputs: int) -> IntArray:
        of = self.of[np.arange(self.slots) % (self.period or 1)]
        return np.where(of < outputs, of, -1)


def _weights(matrix: IntArray, output: IntArray, element: IntArray) -> IntArray:
    """W[output, element] slot by slot; 0 where either is none."""
    fits = (output < matrix.shape[0]) & (element >= 0) & (element < matrix.shape[1])
    weights = np.zeros(len(output), np.int64)
    weights[fits] = matrix[output[fits], element[fits]]
    return weights


def _bound(count: int) -> None:
    if count > MAX_DIAGONALS:
        raise UnsupportedError("fhe.plan.packing", f"{count} diagonals; required {MAX_DIAGONALS} at most")


def steps_of(network: Network, slots: int) -> tuple[list[Step], IntArray]:
    """All layers of a network, and the gather of its input.

    Raises UnsupportedError (``fhe.plan.packing``).
    """
    if any(layer.after == "both" for layer in network.layers):
        raise UnsupportedError(
            "fhe.plan.packing", "values and their squares side by side need columns", "use a pure square as activation"
        )
    design = Slots(slots)
    first = network.layers[0]
    windows = first.windows
    fits = windows is not None and _power(len(windows.taps)) * _power(len(windows.bias)) <= slots
    step, gather = design.windows(windows) if windows is not None and fits else design.first(first.matrix)
    return [step, *(design.next(layer.matrix) for layer in network.layers[1:])], gather
