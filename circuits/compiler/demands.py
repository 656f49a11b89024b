# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many bits a tensor deserves, from what reads it.

A linear map has 24 bits for sum |w| * max|x|. With K taps, the rounding errors of weights and of activations
contribute alike when both have the same root mean square. With x of root mean square r * max|x|, and sum |w| about
0.8 * K times that of w, this is at max|x| = sqrt(2^24 / (0.8 * K * r)). Few taps and sparse activations leave room
for finer activations.
"""

from __future__ import annotations

import math

from circuits.compiler.options import Options
from circuits.compiler.program import Program
from circuits.ops.forms import ArgMax, Convolved, Dense, Form, Linear, Product, Scaled, Shape, Summed, Table

LEAST, MOST = 8, 12
TABLE_BITS = 12
OUTPUT_TABLE_BITS = 14
"""A table that is an output of the model is worth a longer one."""
OUTPUT_BITS = 16


def bits_of(program: Program, options: Options, name: str, readers: list[str], share: float) -> int:
    """Bits for tensor `name`, read by the forms of `readers` (and by the outside, if it is an output).

    `share`: its root mean square over its largest magnitude.
    """
    demands = [d for r in readers if (d := _demand(program, options, name, r, share)) is not None]
    if name in program.outputs.values():
        demands.append(OUTPUT_BITS)
    return min(demands, default=MOST if readers else OUTPUT_BITS)


def _demand(program: Program, options: Options, name: str, reader: str, share: float) -> int | None:
    form = program.forms[reader]
    chosen = options.activation_bits
    if isinstance(form, Table):
        only_output = reader in program.outputs.values() and program.uses()[reader] == 1
        return max(chosen or 0, OUTPUT_TABLE_BITS if only_output else TABLE_BITS)
    if isinstance(form, ArgMax):
        return OUTPUT_BITS
    if isinstance(form, Product):
        return chosen or _product_bits(form, program.shapes[form.left])
    if isinstance(form, Linear):
        return chosen or _linear_bits(form, name, program.shapes[name], share)
    return None


def _linear_bits(form: Linear, name: str, shape: Shape, share: float) -> int:
    taps = fan_in(form)
    bits = round(0.5 * math.log2(2.0**24 / (0.8 * taps * share))) if taps else MOST
    for term in form.terms:
        if isinstance(term, Summed) and term.input == name:
            count = math.prod(shape[a] for a in term.axes)
            bits = min(bits, 23 - math.ceil(math.log2(count)))
    return max(LEAST, min(MOST, bits))


def _product_bits(form: Product, left: Shape) -> int:
    inner = left[-1] if form.matrix else 1
    return max(LEAST, min(11, (24 - math.ceil(math.log2(inner))) // 2))


def fan_in(form: Form) -> int:
    """Weights that contribute to one output element."""
    if not isinstance(form, Linear):
        return 0
    taps = 0
    for term in form.terms:
        if isinstance(term, Convolved):
            taps += math.prod(term.weight.shape[1:])
        elif isinstance(term, Dense):
            taps += term.weight.shape[0]
        elif isinstance(term, Scaled):
            taps += 1
    return taps if any(isinstance(t, Convolved | Dense) for t in form.terms) else 0
