# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.lookup`: the tree of fractions and its sumchecks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from prover import kernels
from prover.functional import eq_vector
from prover.messages import Writer
from prover.threads import LONG, spread
from prover.witness import Witness, valid_rows
from verifier.proof import modular, vectors
from verifier.proof.claims import table_head
from verifier.proof.field import ONE, Element, add, interpolate, inverse, mul, quadratic, scale, sub
from verifier.proof.layout import Block
from verifier.proof.lookup import LeafClaim
from verifier.proof.modular import Words
from verifier.proof.transcript import Transcript

Number = TypeVar("Number", bound=np.generic)


def padded(array: npt.NDArray[Number], block: Block) -> npt.NDArray[Number]:
    """An array as its block holds it, flat."""
    turned = array.transpose(block.order)
    if turned.shape == block.padded:
        return np.ascontiguousarray(turned).reshape(-1)
    out = np.zeros(block.padded, array.dtype)
    out[tuple(slice(d) for d in turned.shape)] = turned
    return out.reshape(-1)


def leaves(witness: Witness, alpha: Element, gamma: Element) -> tuple[Words, Words, int, int]:
    """Arguments of `prove_fractions`."""
    plan = witness.plan
    p = np.zeros(1 << plan.log_leaves, np.uint64)
    q = np.empty((2, 1 << plan.log_leaves), np.uint64)
    q[0, plan.leaves :], q[1, plan.leaves :] = 1, 0
    square, nothing = mul(gamma, gamma), np.zeros(0, np.int64)
    pair = (np.array(alpha, np.uint64), np.array(gamma, np.uint64))
    for lookup, block, (first, second) in zip(plan.lookups, plan.lookup_blocks, witness.looked_up, strict=True):
        valid = padded(np.broadcast_to(valid_rows(lookup.valid, lookup.shape), lookup.shape).astype(np.uint8), block)
        one, two = padded(first, block), nothing if second is None else padded(second, block)
        tag = scale(square, lookup.table + 1)
        idle = sub(alpha, add(tag, table_head(plan, lookup.table, gamma)))
        known = (np.array(tag, np.uint64), np.array(idle, np.uint64))
        spread(partial(kernels.fill_leaves, q, block.offset, one, two, valid, *pair, *known), block.length, 4 * LONG)
        p[block.offset : block.end] = 1
    for number, block in enumerate(plan.table_blocks):
        one, two = plan.tables[number].rows()
        mark = np.array(scale(square, number + 1), np.uint64)
        kernels.fill_leaves(q, block.offset, one, two, np.ones(len(one), np.uint8), *pair, mark, mark, 0, len(one))
        p[block.offset : block.end] = modular.from_integers(-witness.columns[plan.multiplicities[number]][0])
    return p, q, min((block.offset for block in plan.table_blocks), default=plan.leaves), plan.leaves


def prove_fractions(writer: Writer, transcript: Transcript, p: Words, q: Words, counted: int, used: int) -> LeafClaim:
    """Send the levels from the root down; returns the claim on the leaves.

    Numerators p [n] are residues, 1 in the first `counted` places; denominators q [2, n].
    From `used` on both say 0/1.
    """
    levels = [(p, q)]
    while levels[-1][1].shape[1] > 2:
        below_p, below_q = levels[-1]
        size = below_q.shape[1] >> 1
        up = np.empty((2, size), np.uint64), np.empty((2, size), np.uint64)
        adding = kernels.add_fractions if below_p.ndim == 2 else kernels.add_leaves
        halves = below_p.reshape(*below_p.shape[:-1], 2, size), below_q.reshape(2, 2, size)
        spread(partial(adding, *halves, *up), size, LONG)
        levels.append(up)
    top_p, top_q = levels.pop()
    top_p = top_p if top_p.ndim == 2 else vectors.embed(top_p)
    p0, p1, q0, q1 = sent = vectors.elements(top_p) + vectors.elements(top_q)
    writer.elements("lookup root", sent, transcript)
    t = transcript.challenge("lookup child")
    point, p_claim, q_claim = [t], interpolate(p0, p1, t), interpolate(q0, q1, t)
    while levels:
        mix = transcript.challenge("lookup mix")
        claim = add(p_claim, mul(mix, q_claim))
        children, reached = _level(writer, transcript, point, claim, mix, *levels.pop(), counted, used)
        p0, p1, q0, q1 = children
        writer.elements("lookup children", children, transcript)
        t = transcript.challenge("lookup child")
        point, p_claim, q_claim = [t, *reached], interpolate(p0, p1, t), interpolate(q0, q1, t)
    return LeafClaim(point, p_claim, q_claim)


def _level(
    writer: Writer,
    transcript: Transcript,
    point: list[Element],
    claim: Element,
    mix: Element,
    p: Words,
    q: Words,
    counted: int,
    used: int,
) -> tuple[list[Element], list[Element]]:
    """One level's rounds over p_low*q_high + q_low*(p_high + mix*q_high): its children, and the point.

    Of leaves whose lower half has numerators 1 only, q_high + q_low*(p_high + mix*q_high) is left.  Overwrites p and q.
    """
    size, word = q.shape[1] >> 1, np.array(mix, np.uint64)
    q, filled = q.reshape(2, 2, size), size
    if p.ndim == 1 and counted >= size:
        v, sums_of, filled = np.empty((2, 1, size), np.uint64), kernels.leaf_round, used - size
        spread(partial(kernels.start_leaves, p.reshape(2, size), q, word, v), size, LONG)
    else:
        v, sums_of = (p if p.ndim == 2 else vectors.embed(p)).reshape(2, 2, size), kernels.fraction_round
        spread(partial(kernels.start_level, v, q, word), size, LONG)
    eq, reached = eq_vector(point[1:]), list[Element]()
    sums = spread(partial(sums_of, v, q, size, eq), size >> 1, LONG)
    for coordinate, inverted in zip(point, inverses(point), strict=True):
        at_zero, leading = kernels.settle(sums)
        at_one = mul(sub(claim, mul(sub(ONE, coordinate), at_zero)), inverted)  # (1 - c)*g(0) + c*g(1) = claim
        writer.elements("lookup", [at_zero, at_one, leading], transcript)
        r = transcript.challenge("lookup")
        word = np.array(r, np.uint64)
        if size > 2:
            sums = spread(partial(kernels.fraction_step, v, q, size, filled, word, eq), size >> 2, LONG)
        else:
            for vectors_ in (v, q):
                kernels.bind(vectors_, vectors_.shape[1], size, word, 0, 1)
        size >>= 1
        filled = min(filled, size)
        claim = quadratic(at_zero, at_one, leading, r)
        reached.append(r)
    (q0, q1), ends = vectors.elements(q[:, :, 0]), vectors.elements(v[:, :, 0])
    return [ends[0] if len(ends) == 2 else ONE, sub(ends[-1], mul(mix, q1)), q0, q1], reached


def inverses(elements: Sequence[Element]) -> list[Element]:
    """1 / e for each, at the cost of one inversion."""
    products = list(itertools.accumulate(elements, mul, initial=ONE))
    rest, out = inverse(products[-1]), list[Element]()
    for before, e in zip(reversed(products[:-1]), reversed(elements), strict=True):
        out.append(mul(rest, before))
        rest = mul(rest, e)
    return out[::-1]
