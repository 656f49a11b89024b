# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.lookup`: the tree of fractions and its sumchecks."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from prover import kernels
from prover.messages import Writer
from prover.threads import LONG, spread
from prover.witness import Witness, valid_rows
from verifier.proof import modular, vectors
from verifier.proof.claims import table_head
from verifier.proof.field import Element, add, interpolate, inverse, lift, mul, quadratic, scale, sub
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


def leaves(witness: Witness, alpha: Element, gamma: Element) -> tuple[Words, Words]:
    """Numerators, which are residues: [2^log_leaves]; denominators: [2, 2^log_leaves]."""
    plan = witness.plan
    p = np.zeros(1 << plan.log_leaves, np.uint64)
    q = np.empty((2, 1 << plan.log_leaves), np.uint64)
    q[0, plan.leaves :], q[1, plan.leaves :] = 1, 0
    square, nothing = mul(gamma, gamma), np.zeros(0, np.uint64)
    pair = (np.array(alpha, np.uint64), np.array(gamma, np.uint64))
    for lookup, block, (first, second) in zip(plan.lookups, plan.lookup_blocks, witness.looked_up, strict=True):
        valid = padded(np.broadcast_to(valid_rows(lookup.valid, lookup.shape), lookup.shape).astype(np.uint8), block)
        words = modular.from_integers(padded(first, block))
        more = nothing if second is None else modular.from_integers(padded(second, block))
        tag = scale(square, lookup.table + 1)
        idle = sub(alpha, add(tag, table_head(plan, lookup.table, gamma)))
        known = (np.array(tag, np.uint64), np.array(idle, np.uint64))
        kernels.fill_leaves(q, block.offset, words, more, valid, *pair, *known)
        p[block.offset : block.end] = 1
    for number, block in enumerate(plan.table_blocks):
        words, more = (modular.from_integers(v) for v in plan.tables[number].rows())
        mark = np.array(scale(square, number + 1), np.uint64)
        kernels.fill_leaves(q, block.offset, words, more, np.ones(len(words), np.uint8), *pair, mark, mark)
        p[block.offset : block.end] = modular.from_integers(-witness.columns[plan.multiplicities[number]][0])
    return p, q


def prove_fractions(writer: Writer, transcript: Transcript, p: Words, q: Words) -> LeafClaim:
    """Send the levels from the root down; returns the claim on the leaves."""
    levels = [(vectors.embed(p), q)]
    while levels[-1][0].shape[1] > 2:
        below_p, below_q = levels[-1]
        size = below_p.shape[1] >> 1
        up = np.empty((2, size), np.uint64), np.empty((2, size), np.uint64)
        spread(partial(kernels.add_fractions, below_p, below_q, *up), size, LONG)
        levels.append(up)
    top_p, top_q = levels.pop()
    p0, p1, q0, q1 = sent = vectors.elements(top_p) + vectors.elements(top_q)
    writer.elements("lookup root", sent, transcript)
    t = transcript.challenge("lookup child")
    point, p_claim, q_claim = [t], interpolate(p0, p1, t), interpolate(q0, q1, t)
    while levels:
        level_p, level_q = levels.pop()
        size = level_p.shape[1] >> 1
        mix = transcript.challenge("lookup mix")
        v = np.empty((8, size), np.uint64)
        spread(partial(kernels.start_level, level_p, level_q, np.array(mix, np.uint64), v), size, LONG)
        eq = vectors.eq_vector(point[1:], size >> 1)
        claim, reached = add(p_claim, mul(mix, q_claim)), []
        for coordinate in point:
            sums = sum(spread(partial(kernels.fraction_round, v, size, eq), size >> 1, LONG))
            at_zero, leading = kernels.settle(sums, 0), kernels.settle(sums, 4)
            at_one = other_end(claim, at_zero, coordinate)
            writer.elements("lookup", [at_zero, at_one, leading], transcript)
            r = transcript.challenge("lookup")
            spread(partial(kernels.bind, v, size, np.array(r, np.uint64)), size >> 1, LONG)
            size >>= 1
            kernels.halve(eq, size)
            claim = quadratic(at_zero, at_one, leading, r)
            reached.append(r)
        p0, q1, q0, p1 = ((int(v[2 * i, 0]), int(v[2 * i + 1, 0])) for i in range(4))
        p1 = sub(p1, mul(mix, q1))
        writer.elements("lookup children", [p0, p1, q0, q1], transcript)
        t = transcript.challenge("lookup child")
        point, p_claim, q_claim = [t, *reached], interpolate(p0, p1, t), interpolate(q0, q1, t)
    return LeafClaim(point, p_claim, q_claim)


def other_end(claim: Element, at_zero: Element, coordinate: Element) -> Element:
    """g(1) from (1 - r)*g(0) + r*g(1) = claim."""
    rest = sub(claim, mul(sub(lift(1), coordinate), at_zero))
    return mul(rest, inverse(coordinate))
