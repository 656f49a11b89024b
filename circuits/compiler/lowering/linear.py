# SPDX-License-Identifier: AGPL-3.0-or-later
"""Linear: terms become conv / dense / reduce_sum gates, joined by one affine, and one requant rounds them all.

Everything of one output element is accumulated in units of s_out * 2^-shift before the only rounding, so that a
residual block, a batch normalisation or a bias costs nothing in precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from circuits.compiler.lowering.scene import Scene, clamp_on
from circuits.compiler.weights import NARROW, VISIBLE, VISIBLE_OUTSIDE, Ints, Part, choose_shifts, halves, rounded
from circuits.ops.forms import Convolved, Dense, Linear, Reals, Scaled, Shape, Summed, Term

RAW_BITS = 23
"""Size of an unrounded output's accumulator."""


@dataclass(frozen=True)
class Channels:
    """The axis of the output along which weights differ: `count` channels along per-sample `axis` of `rank`."""

    axis: int
    rank: int
    count: int

    def rows(self, values: Reals) -> Reals:
        """An array that broadcasts to the output shape, as [count, n]."""
        full = values.reshape((1,) * (self.rank - values.ndim) + values.shape)
        if self.rank == 0:
            return full.reshape(1, 1)
        rows = np.moveaxis(full, self.axis, 0).reshape(full.shape[self.axis], -1)
        return np.broadcast_to(rows, (self.count, rows.shape[1]))

    def spread(self, shifts: Ints) -> Ints:
        """Shifts by channel, shaped to broadcast against the output; one number where they agree."""
        if (shifts == shifts[0]).all() or self.rank == 0:
            return shifts[:1].reshape((1,) * self.rank)
        shape = [1] * self.rank
        shape[self.axis] = self.count
        return shifts.reshape(shape)


def lower_linear(scene: Scene, name: str, form: Linear) -> tuple[int, float]:
    """Tensor index and scale of the result."""
    shape = scene.program.shapes[name]
    channels = _channels(form, shape)
    if name in scene.plan.raw:
        return _raw(scene, name, form, channels)
    grid = scene.plan.grids[name]
    terms = tuple(_in_units(scene, t, grid.scale) for t in form.terms)
    # An index that cannot be negative is cheaper to look up: truncation is then the floor.
    offset = max(-grid.lo, 0) if scene.only_tables(name) else 0
    scene.offsets[name] = offset
    bias = form.bias / grid.scale + offset
    parts = [_part(scene, t, channels) for t in terms]
    per_channel = channels.axis == 0 and channels.rank > 0
    noise = (VISIBLE_OUTSIDE if scene.outside(name) else VISIBLE) * (grid.hi - grid.lo)
    shifts = choose_shifts(parts, channels.rows(bias), scene.options.weight_bits, per_channel, noise)
    accumulator = _accumulate(scene, name, terms, bias, shifts, channels)
    lo, hi = clamp_on(grid, form.clamp)
    return scene.clamped(accumulator, name, shifts, lo + offset, hi + offset), grid.scale


def _raw(scene: Scene, name: str, form: Linear, channels: Channels) -> tuple[int, float]:
    """An unrounded output: one scale for all channels, as fine as weights and accumulator allow."""
    terms = tuple(_in_units(scene, t, 1.0) for t in form.terms)
    parts = [_part(scene, t, channels) for t in terms]
    offset = np.abs(channels.rows(form.bias)).max(axis=1)
    total = float(np.max(sum((p.norm() for p in parts), offset)))
    largest = max(float(np.abs(p.rows).max(initial=0.0)) for p in parts)
    limit = (1 << (scene.options.weight_bits - 1)) - 1
    scale = max(total / (1 << RAW_BITS), largest / limit) or 1.0
    none = np.zeros(channels.count, dtype=np.int64)
    while True:
        scaled = tuple(_in_units(scene, t, scale) for t in form.terms)
        bias = form.bias / scale
        reach = sum((_part(scene, t, channels).exact_norm(none) for t in scaled), np.abs(channels.rows(bias)).max(1))
        if np.max(reach) < NARROW - 1:
            return _accumulate(scene, name, scaled, bias, none, channels), scale
        scale *= 2.0


def _channels(form: Linear, shape: Shape) -> Channels:
    if not shape:
        return Channels(0, 0, 1)
    last = any(isinstance(t, Dense) for t in form.terms)
    axis = len(shape) - 1 if last else 0
    return Channels(axis, len(shape), shape[axis])


def _in_units(scene: Scene, term: Term, scale: float) -> Term:
    """The term with its coefficients in units of `scale`, for integer inputs."""
    ratio = scene.scales[term.input] / scale
    if isinstance(term, Scaled | Summed):
        return replace(term, factor=term.factor * ratio)
    if isinstance(term, Convolved) and term.factor is not None:
        return replace(term, factor=term.factor * ratio)
    return replace(term, weight=term.weight * ratio)


def _part(scene: Scene, term: Term, channels: Channels) -> Part:
    tensor = scene.tensor(term.input)
    lo, hi, rms = tensor.lo, tensor.hi, scene.plan.shares[term.input] * tensor.magnitude
    if isinstance(term, Scaled):
        return Part(channels.rows(term.factor), lo, hi, summed=False)
    if isinstance(term, Summed):
        count = math.prod(tensor.shape[a] for a in term.axes)
        return Part(channels.rows(term.factor), lo * count, hi * count, summed=False)
    if isinstance(term, Dense):
        return Part(term.weight.T, lo, hi, rms=rms)
    taps = math.prod(term.weight.shape[1:])
    if term.factor is not None:  # the weights are all one
        return Part(channels.rows(term.factor), lo * taps, hi * taps, summed=False)
    return Part(term.weight.reshape(len(term.weight), -1), lo, hi, rms=rms)


def _accumulate(scene: Scene, name: str, terms: tuple[Term, ...], bias: Reals, shifts: Ints, channels: Channels) -> int:
    """The exact accumulator: sum of rounded terms, bias, and the half that makes floor round to nearest."""
    spread = channels.spread(shifts)
    rank_bias = bias.reshape((1,) * (channels.rank - bias.ndim) + bias.shape)
    offset = rounded(rank_bias, spread) + halves(spread)
    operands, factors = [], []
    pending = offset
    for term in terms:
        room = pending if _by_channel(pending, channels) else None
        index, factor, used = _operand(scene, name, term, shifts, spread, channels, room)
        if used:
            pending = np.zeros((), dtype=np.int64)
        operands.append(index)
        factors.append(factor)
    if len(operands) == 1 and not pending.any() and (factors[0] == 1).all():
        return operands[0]
    return scene.gate("affine", f"{name}/sum", operands, [*factors, pending])


def _by_channel(offset: Ints, channels: Channels) -> bool:
    return channels.rank == 0 or offset.size == 1 or offset.size == offset.shape[channels.axis]


def _operand(
    scene: Scene, name: str, term: Term, shifts: Ints, spread: Ints, channels: Channels, offset: Ints | None
) -> tuple[int, Ints, bool]:
    """Tensor, its multiplier, and whether `offset` went into it."""
    one, x = np.ones((), dtype=np.int64), scene.tensors[term.input]
    if isinstance(term, Scaled):
        factor = term.factor.reshape((1,) * (channels.rank - term.factor.ndim) + term.factor.shape)
        return x, rounded(factor, spread), False
    if isinstance(term, Summed):
        index = scene.gate("reduce_sum", f"{name}/sum-over", [x], axes=term.axes, keepdims=term.keepdims)
        factor = term.factor.reshape((1,) * (channels.rank - term.factor.ndim) + term.factor.shape)
        return index, rounded(factor, spread), False
    bias = np.zeros(channels.count, dtype=np.int64)
    positional = isinstance(term, Convolved) and term.factor is not None
    if offset is not None and not positional:
        bias = bias + offset.reshape(-1)
    if isinstance(term, Dense):
        weight = rounded(term.weight, shifts[None, :])
        return scene.gate("dense", f"{name}/matrix", [x], [weight, bias]), one, offset is not None
    window: dict[str, int | Shape] = {
        "strides": term.strides,
        "pads": term.pads,
        "dilations": term.dilations,
        "groups": term.groups,
    }
    if positional:
        ones = np.ones(term.weight.shape, dtype=np.int64)
        index = scene.gate("conv", f"{name}/window", [x], [ones, bias], **window)
        return index, rounded(_expanded(term.factor, channels), spread), False
    weight = rounded(term.weight, shifts.reshape((-1,) + (1,) * (term.weight.ndim - 1)))
    return scene.gate("conv", f"{name}/window", [x], [weight, bias], **window), one, offset is not None


def _expanded(factor: Reals | None, channels: Channels) -> Reals:
    full = np.ones(()) if factor is None else factor
    return full.reshape((1,) * (channels.rank - full.ndim) + full.shape)
