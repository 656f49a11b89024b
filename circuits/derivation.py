# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a gate and its operands to its output's shape and bounds: used alike by the builder and the loader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from circuits.circuit import Attribute, Constant, Gate, Shape, Tensor
from circuits.errors import MalformedError
from circuits.gates import GateRule, Site, rule_of
from circuits.gates.sums import too_wide
from circuits.limits import MAGNITUDE, MAX_ELEMENTS, MAX_OPERANDS, MAX_RANK


def site_of(gate: Gate, tensors: Sequence[Tensor], constants: Sequence[Constant]) -> Site:
    """The gate with its operands looked up. Indices must be in range."""
    return Site(
        gate.kind,
        gate.name,
        tuple(tensors[i] for i in gate.inputs),
        tuple(constants[i].data.astype(np.int64) for i in gate.constants),
        gate.attributes,
    )


def derive(site: Site) -> tuple[Shape, int, int]:
    """Per-sample shape, lo and hi of the gate's output.

    Raises UnsupportedError (circuit.gate.unknown) and MalformedError (circuit.gate.*,
    circuit.bounds.too-wide, circuit.tensor.*).
    """
    rule = rule_of(site.kind)
    check_operands(rule, site)
    checked = Site(site.kind, site.name, site.inputs, site.constants, parse_attributes(rule, site))
    shape = rule.shape(checked)
    check_shape(site.name, shape)
    lo, hi, reach = rule.bounds(checked, shape)
    if max(abs(lo), abs(hi), reach) >= MAGNITUDE:
        raise too_wide(site.name, max(abs(lo), abs(hi), reach))
    return shape, lo, hi


def check_operands(rule: GateRule, site: Site) -> None:
    """Numbers of inputs and constants."""
    least, most = rule.arity
    if not least <= len(site.inputs) <= min(most, MAX_OPERANDS):
        raise site.refuse("arity", f"{len(site.inputs)} inputs; required {least} to {most}")
    expected = rule.constants(len(site.inputs))
    if len(site.constants) != expected:
        raise site.refuse("arity", f"{len(site.constants)} constants; required {expected}")


def parse_attributes(rule: GateRule, site: Site) -> Mapping[str, Attribute]:
    """The attributes by the rule's schema: none missing, none unknown, each of its type."""
    if set(site.attributes) != set(rule.schema):
        given, required = sorted(site.attributes), sorted(rule.schema)
        raise site.refuse("attribute", f"attributes {given}; required {required}")
    parsed: dict[str, Attribute] = {}
    for name, field in rule.schema.items():
        value = field.parse(site.attributes[name])
        if value is None:
            raise site.refuse("attribute", f"{name} is {str(site.attributes[name])[:80]}; required {field}")
        parsed[name] = value
    return parsed


def check_shape(name: str, shape: Shape) -> None:
    """Rank, positive sizes and number of elements of a per-sample shape."""
    if len(shape) > MAX_RANK or any(d < 1 for d in shape) or np.prod(shape, dtype=object) > MAX_ELEMENTS:
        raise MalformedError(
            "circuit.tensor.shape",
            f"tensor {name!r} is {list(shape)}; required at most {MAX_RANK} axes, sizes >= 1, {MAX_ELEMENTS} elements",
        )


def check_bounds(name: str, lo: int, hi: int) -> None:
    """lo <= hi, both below 2^53 in magnitude."""
    if lo > hi or max(abs(lo), abs(hi)) >= MAGNITUDE:
        raise MalformedError(
            "circuit.tensor.bounds",
            f"tensor {name!r} is bounded by [{lo}, {hi}]; required lo <= hi, below 2^53",
        )
