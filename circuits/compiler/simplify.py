# SPDX-License-Identifier: AGPL-3.0-or-later
"""Algebra on linear maps: batch normalisation, constant addends, factors and residual sums join one map; Pads join it.

Each rule replaces a tensor that is read exactly once, so nothing is computed twice.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np

from circuits.compiler.program import Program
from circuits.ops.forms import (
    UNBOUNDED,
    Convolved,
    Dense,
    Form,
    Interval,
    Layout,
    Linear,
    Product,
    Reals,
    ScalarFunction,
    Scaled,
    Shape,
    Summed,
    Table,
    Term,
)


def simplify(program: Program) -> Program:
    """Merge until nothing changes, in one pass from the inputs on. The real-valued meaning stays the same."""
    forms = dict(program.forms)
    uses = program.uses()
    for name in list(forms):
        while True:
            before = forms[name]
            after = _absorb(program, forms, uses, name)
            if after is None:
                break
            forms[name] = after
            for read in before.inputs:
                uses[read] -= 1
            for read in after.inputs:
                uses[read] = uses.get(read, 0) + 1
            for read in set(before.inputs):
                if uses[read] == 0 and read in forms:  # swallowed: its own reads are the reader's now
                    for source in forms.pop(read).inputs:
                        uses[source] -= 1
    return replace(program, forms=forms).pruned()


def _absorb(program: Program, forms: dict[str, Form], uses: dict[str, int], name: str) -> Form | None:
    """The form that `name` becomes by swallowing one of its producers, or None."""
    form = forms[name]
    if not isinstance(form, Linear):
        return None
    for k, term in enumerate(form.terms):
        inner = forms.get(term.input)
        if inner is None or term.input in program.grids:
            continue
        made: Form | None = None
        factor = _pure_factor(inner)
        if factor is not None and not isinstance(term, Scaled):
            made = _with_term(form, k, replace(_times(term, np.array(factor)), input=inner.inputs[0]))
        elif uses[term.input] == 1 and isinstance(inner, Layout) and isinstance(term, Convolved):
            padded = _with_pads(inner, term)
            made = None if padded is None else _with_term(form, k, padded)
        elif uses[term.input] == 1 and isinstance(term, Scaled) and program.shapes[term.input] == program.shapes[name]:
            made = _merge(program.shapes[name], form, k, term, inner)
        if made is not None:
            return made
    return None


def _with_term(form: Linear, k: int, term: Term) -> Linear:
    return replace(form, terms=(*form.terms[:k], term, *form.terms[k + 1 :]))


def _merge(shape: Shape, form: Linear, k: int, term: Scaled, inner: Form) -> Form | None:
    if form.identity:
        clamped = _clamped(inner, form.clamp)
        if clamped is not None:
            return clamped
    if not isinstance(inner, Linear) or inner.clamp != UNBOUNDED:
        return None
    if not all(_scalable(t, term.factor, shape) for t in inner.terms):
        return None
    terms = tuple(_times(t, term.factor) for t in inner.terms)
    bias = form.bias + inner.bias * term.factor
    return Linear((*form.terms[:k], *terms, *form.terms[k + 1 :]), bias, form.clamp)


def _clamped(inner: Form, window: Interval) -> Form | None:
    """`inner` followed by a clamp."""
    if isinstance(inner, Linear | Product):
        lo, hi = max(window[0], inner.clamp[0]), min(window[1], inner.clamp[1])
        if lo > hi:  # the windows do not meet: a constant
            lo = hi = window[0] if inner.clamp[1] < window[0] else window[1]
        return replace(inner, clamp=(lo, hi))
    if isinstance(inner, Table):
        return Table(inner.input, _then_clamp(inner.function, window), inner.label)
    return None


def _then_clamp(function: ScalarFunction, window: Interval) -> ScalarFunction:
    lo, hi = Decimal(window[0]), Decimal(window[1])
    return lambda x: min(max(function(x), lo), hi)


def _pure_factor(form: Form) -> float | None:
    """The one number by which the form multiplies its one input, if that is all it does."""
    if not isinstance(form, Linear) or len(form.terms) != 1 or form.clamp != UNBOUNDED or (form.bias != 0.0).any():
        return None
    (term,) = form.terms
    if isinstance(term, Scaled) and term.factor.size == 1 and term.factor.reshape(-1)[0] > 0.0:
        return float(term.factor.reshape(-1)[0])
    return None


def _column(factor: Reals, shape: Shape) -> Reals | None:
    """A factor that depends on per-sample axis 0 only, as a vector of 1 or C elements; else None."""
    full = factor.reshape((1,) * (len(shape) - factor.ndim) + factor.shape)
    return full.reshape(-1) if all(d == 1 for d in full.shape[1:]) else None


def _scalable(term: Term, factor: Reals, shape: Shape) -> bool:
    if factor.size == 1 or isinstance(term, Scaled | Summed):
        return True
    if isinstance(term, Dense):
        return factor.ndim <= 1 or all(d == 1 for d in factor.shape[:-1])
    return term.factor is None and _column(factor, shape) is not None


def _times(term: Term, factor: Reals) -> Term:
    if isinstance(term, Scaled | Summed):
        return replace(term, factor=term.factor * factor)
    if isinstance(term, Dense):
        return replace(
            term,
            weight=term.weight * (factor.reshape(-1) if factor.size > 1 else float(factor.reshape(-1)[0])),
        )
    if term.factor is not None:
        return replace(term, factor=term.factor * float(factor.reshape(-1)[0]))
    return replace(term, weight=term.weight * factor.reshape((-1,) + (1,) * (term.weight.ndim - 1)))


def _with_pads(layout: Layout, term: Convolved) -> Convolved | None:
    if layout.kind != "pad" or layout.attributes["value"] != 0.0:
        return None
    pads, n = layout.attributes["pads"], len(term.pads) // 2
    if pads[0] or pads[n + 1] or term.factor is not None:
        return None
    extra = pads[1 : n + 1] + pads[n + 2 :]
    return replace(term, input=layout.sources[0], pads=tuple(p + e for p, e in zip(term.pads, extra, strict=True)))
