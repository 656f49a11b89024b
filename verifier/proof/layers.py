# SPDX-License-Identifier: AGPL-3.0-or-later
"""conv and dense with committed weights: the verifier sees a commitment to the weights instead of the weights.

Here the output y is committed too.  With m = (g, m'), c = (g, c') for g groups (dense: one group, no taps)::

    <y, w> = S * <bias, w_m> + sum over g, c', k of eq(g_0, g) * X[g, c', k] * W[g, c', k]     w = eq(point, .) on y
    X[g, c', k] = sum over batch, o of w * x[.., (g, c'), o*stride + k*dilation - pad]
    W[g, c', k] = sum over m' of eq(m_0, m') * weights[g, m', c', k]

S is the sum of w over all axes but the channels.  A sumcheck over (g, c', k) leaves one claim on x, which is pushed
backwards like any other, and one on the weights; `weights` discharges the latter and those on biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuits import Gate
from circuits.circuit import Shape
from circuits.gates import Site
from verifier.errors import RejectedError
from verifier.proof import vectors
from verifier.proof.claims import Evaluated, pieces_of
from verifier.proof.expression import Tap, tap_index
from verifier.proof.field import ONE, Element, mul, sub
from verifier.proof.layout import bits_of
from verifier.proof.modular import Words
from verifier.proof.plan import Plan, column, tensor
from verifier.proof.sumcheck import check_weighted
from verifier.proof.transcript import Transcript
from verifier.proof.weight import Factor, Weight
from verifier.proof.wire import Reader


@dataclass(frozen=True, eq=False)
class WeightClaim:
    """<constant, weight> = value, for the constant at `slot` of the weights' vector; labels count its axes."""

    slot: int
    weight: Weight
    value: Element


@dataclass(frozen=True, eq=False)
class Layer:
    """One conv or dense gate; weights are seen as [g, m', c', *taps], dense ones as [1, N, K]."""

    gate: Gate
    site: Site
    slot: int
    rows: Shape
    view: Shape

    @property
    def channel(self) -> int:
        """Axis label of the channels: of y, and of x."""
        return 1 if self.site.kind == "conv" else len(self.rows) - 1

    @property
    def split_rows(self) -> Shape:
        """Shape of y with its channels split into (g, m')."""
        return (*self.rows[: self.channel], *self.view[:2], *self.rows[self.channel + 1 :])

    @property
    def summed(self) -> Shape:
        """Axes of the sumcheck: g, c', taps."""
        return (self.view[0], *self.view[2:])


def weight_view(site: Site) -> Shape:
    """[g, m', c', *taps]"""
    weights = site.constants[0].shape
    if site.kind == "dense":
        return (1, weights[1], weights[0])
    groups = site.integer("groups")
    return (groups, weights[0] // groups, *weights[1:])


def layers_of(plan: Plan) -> list[Layer]:
    """The layers, two slots each: weights, bias."""
    found: list[Layer] = []
    for gate, site in zip(plan.circuit.gates, plan.sites, strict=True):
        if gate.kind in ("conv", "dense"):
            found.append(Layer(gate, site, 2 * len(found), plan.shape_of(gate.output), weight_view(site)))
    return found


@dataclass(frozen=True, eq=False)
class Point:
    """A random point of y: eq vectors per axis of y (channels combined), and g_0, m_0."""

    vectors: tuple[Words, ...]
    group: tuple[Element, ...]
    member: tuple[Element, ...]
    rest: Element


def at_point(layer: Layer, point: Sequence[Element]) -> Point:
    """The vectors that belong to a point of `split_rows`."""
    pieces = pieces_of(point, layer.split_rows)
    c = layer.channel
    eqs = [vectors.eq_vector(p, d) for p, d in zip(pieces, layer.split_rows, strict=True)]
    channels = vectors.outer(eqs[c], eqs[c + 1]).reshape(2, -1)
    rest = ONE
    for axis, eq in enumerate(eqs):
        if axis not in (c, c + 1):
            rest = mul(rest, vectors.total(eq))
    return Point((*eqs[:c], channels, *eqs[c + 2 :]), pieces[c], pieces[c + 1], rest)


def input_weight(layer: Layer, at: Point, reached: Sequence[Element]) -> Weight:
    """The functional on x that X is at the end of the rounds."""
    group, channel, *taps = pieces_of(reached, layer.summed)
    shape = layer.summed
    channels = vectors.outer(vectors.eq_vector(group, shape[0]), vectors.eq_vector(channel, shape[1]))
    factors = [Factor((0,), at.vectors[0])]
    site, x = layer.site, layer.site.inputs[0].shape
    if site.kind == "dense":
        factors += [Factor((a,), at.vectors[a]) for a in range(1, layer.channel)]
        return Weight((*factors, Factor((layer.channel,), channels.reshape(2, -1))))
    strides, pads, dilations = (site.integers(n) for n in ("strides", "pads", "dilations"))
    factors.append(Factor((1,), channels.reshape(2, -1)))
    for axis, piece in enumerate(taps):
        label, kernel = 2 + axis, shape[2 + axis]
        rows = at.vectors[label]
        index = np.stack(
            [
                tap_index(Tap(label, strides[axis], k * dilations[axis] - pads[axis]), rows.shape[1], x[1 + axis])
                for k in range(kernel)
            ]
        )
        spread = np.where(index >= 0, rows[:, np.maximum(index, 0)], np.uint64(0))  # [2, k, d]
        factors.append(Factor((label,), vectors.contract(spread, 0, vectors.eq_vector(piece, kernel))))
    return Weight(tuple(factors))


def layer_claims(
    layer: Layer, plan: Plan, at: Point, reached: Sequence[Element], values: Sequence[Element]
) -> tuple[list[Evaluated], list[WeightClaim]]:
    """The claims that a layer's messages (y, bias, X, W) leave behind."""
    y, bias, x, w = values
    own = Weight(tuple(Factor((a,), v) for a, v in enumerate(at.vectors)))
    evaluated = [
        Evaluated(column(plan.column_of[layer.gate.output]), layer.rows, own, y),
        Evaluated(
            tensor(layer.gate.inputs[0]),
            plan.shape_of(layer.gate.inputs[0]),
            input_weight(layer, at, reached),
            x,
        ),
    ]
    group, *others = pieces_of(reached, layer.summed)
    pieces = (group, at.member, *others)
    factors = (Factor((a,), vectors.eq_vector(p, d)) for a, (p, d) in enumerate(zip(pieces, layer.view, strict=True)))
    return evaluated, [
        WeightClaim(layer.slot, Weight(tuple(factors)), w),
        WeightClaim(layer.slot + 1, Weight((Factor((0,), at.vectors[layer.channel]),)), bias),
    ]


def round_coordinates(layer: Layer, at: Point) -> list[Element | None]:
    """Per variable of the rounds: the coordinate of g_0, or None."""
    return [*at.group, *[None] * sum(bits_of(d) for d in layer.summed[1:])]


def check_layers(reader: Reader, transcript: Transcript, plan: Plan) -> tuple[list[Evaluated], list[WeightClaim]]:
    """Every layer's sumcheck.  Raises RejectedError proof.layer.*."""
    evaluated: list[Evaluated] = []
    weights: list[WeightClaim] = []
    for layer in layers_of(plan):
        at = at_point(layer, transcript.challenges("layer point", sum(bits_of(d) for d in layer.split_rows)))
        y, bias = sent = reader.elements(2, "layer output")
        transcript.absorb_elements("layer output", sent)
        claim = sub(y, mul(at.rest, bias))
        reached, claim = check_weighted(reader, transcript, claim, round_coordinates(layer, at), "layer")
        x, w = sent = reader.elements(2, "layer operands")
        if mul(x, w) != claim:
            raise RejectedError("proof.layer.operands", "input and weights do not multiply to the last claim")
        transcript.absorb_elements("layer operands", sent)
        more, claims = layer_claims(layer, plan, at, reached, (y, bias, x, w))
        evaluated += more
        weights += claims
    return evaluated, weights
