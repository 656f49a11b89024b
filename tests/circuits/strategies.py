# SPDX-License-Identifier: AGPL-3.0-or-later
"""Random circuits over every gate, and random integer inputs for them.

Each gate has a sketch: given the tensors so far, it proposes inputs, constants and attributes, which the gate
rules may refuse. Widths are drawn so that float32, limb splitting and float64 are all reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from circuits import Circuit, CircuitBuilder, MalformedError, Tensor
from circuits.circuit import IntArray
from circuits.derivation import derive
from circuits.gates import Site, rule_of

Rng = np.random.Generator
Sketch = tuple[list[int], list[IntArray], dict[str, Any]]
LARGEST_TABLE = 5000


def integers(rng: Rng, shape: Sequence[int], bits: int) -> IntArray:
    """Random signed integers of so many bits; sometimes all at the ends, sometimes powers of two."""
    top = (1 << bits) - 1
    style = rng.integers(4)
    if style == 0:
        return rng.choice(np.array([-top, top]), size=shape)
    if style == 1:
        return np.int64(1) << rng.integers(0, bits, size=shape)
    return rng.integers(-top, top + 1, size=shape)


def pick(rng: Rng, tensors: Sequence[Tensor], fits: Callable[[Tensor], bool]) -> int:
    """A tensor that fits, late ones more often."""
    candidates = [i for i, t in enumerate(tensors) if fits(t)]
    if not candidates:
        raise LookupError
    return int(candidates[-1 - min(int(rng.geometric(0.4)) - 1, len(candidates) - 1)])


def _spatial(t: Tensor) -> bool:
    return 2 <= len(t.shape) <= 3


def _window(rng: Rng, rank: int) -> dict[str, Any]:
    return {
        "strides": rng.integers(1, 4, rank).tolist(),
        "pads": rng.integers(0, 3, 2 * rank).tolist(),
        "dilations": rng.integers(1, 3, rank).tolist(),
    }


def conv(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, _spatial)
    channels, rank = tensors[i].shape[0], len(tensors[i].shape) - 1
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    out = groups * int(rng.integers(1, 4))
    weights = integers(rng, (out, channels // groups, *rng.integers(1, 4, rank)), int(rng.integers(1, 22)))
    bias = integers(rng, (out,), int(rng.integers(1, 28))) * rng.integers(0, 2)
    return [i], [weights, bias], {**_window(rng, rank), "groups": groups}


def dense(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: len(t.shape) >= 1)
    columns = int(rng.integers(1, 6))
    weights = integers(rng, (tensors[i].shape[-1], columns), int(rng.integers(1, 20)))
    return [i], [weights, integers(rng, (columns,), int(rng.integers(1, 28))) * rng.integers(0, 2)], {}


def matmul(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: len(t.shape) >= 2)
    a = tensors[i].shape
    j = pick(rng, tensors, lambda t: len(t.shape) == len(a) and t.shape[-2] == a[-1])
    return [i, j], [], {}


def mul(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    return [pick(rng, tensors, lambda t: True), pick(rng, tensors, lambda t: True)], [], {}


def affine(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    first = pick(rng, tensors, lambda t: True)
    inputs = [first] + [pick(rng, tensors, lambda t: True) for _ in range(rng.integers(0, 3))]
    shape = np.broadcast_shapes(*(tensors[i].shape for i in inputs))
    per_channel = shape[:1] + (1,) * (len(shape) - 1)
    shapes = [(), (1,) * len(shape), per_channel, shape]
    constants = []
    for _ in range(len(inputs) + 1):
        values = integers(rng, shapes[rng.integers(4)], int(rng.integers(1, 12)))
        constants.append(np.asarray(values if rng.integers(2) else np.sign(values) ** 2))
    return inputs, constants, {}


def requant(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: True)
    shape, magnitude = tensors[i].shape, tensors[i].magnitude
    per_channel = bool(shape) and rng.integers(2)
    ideal = max(0, magnitude.bit_length() - 8)
    shifts = rng.integers(max(0, ideal - 3), min(ideal + 2, 52) + 1, shape[0] if per_channel else 1)
    if rng.integers(4) == 0:
        shifts = np.zeros_like(shifts)
    lo, hi = sorted(rng.choice([-(1 << 40), -300, -128, -1, 0, 1, 127, 255, 1000, 1 << 40], 2, replace=False).tolist())
    return [i], [shifts], {"lo": lo, "hi": hi}


def table(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: t.hi - t.lo < LARGEST_TABLE)
    return [i], [integers(rng, (tensors[i].hi - tensors[i].lo + 1,), int(rng.integers(1, 30)))], {}


def max_pool(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, _spatial)
    rank = len(tensors[i].shape) - 1
    return [i], [], {"kernel": rng.integers(1, 4, rank).tolist(), **_window(rng, rank)}


def reduce_sum(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: len(t.shape) >= 1)
    rank = len(tensors[i].shape)
    axes = sorted(rng.choice(rank, int(rng.integers(1, rank + 1)), replace=False).tolist())
    return [i], [], {"axes": axes, "keepdims": bool(rng.integers(2))}


def reshape(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: True)
    shape = list(tensors[i].shape)
    choices = [[tensors[i].elements], [1, *shape], shape[::-1], shape]
    return [i], [], {"shape": choices[rng.integers(4)]}


def transpose(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: len(t.shape) >= 1)
    return [i], [], {"perm": rng.permutation(len(tensors[i].shape)).tolist()}


def concat(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: len(t.shape) >= 1)
    shape = tensors[i].shape
    axis = int(rng.integers(len(shape)))
    rest = (*shape[:axis], *shape[axis + 1 :])
    alike = [
        j
        for j, t in enumerate(tensors)
        if len(t.shape) == len(shape) and (*t.shape[:axis], *t.shape[axis + 1 :]) == rest
    ]
    return [i, *rng.choice(alike, int(rng.integers(1, 3))).tolist()], [], {"axis": axis}


def pad(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: True)
    pads = rng.integers(0, 3, 2 * len(tensors[i].shape)).tolist()
    return [i], [], {"pads": pads, "value": int(integers(rng, (), int(rng.integers(1, 26))))}


def arg_max(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: len(t.shape) >= 1)
    axis = int(rng.integers(len(tensors[i].shape)))
    return (
        [i],
        [],
        {"axis": axis, "keepdims": bool(rng.integers(2)), "select_last_index": bool(rng.integers(2))},
    )


def softmax(rng: Rng, tensors: Sequence[Tensor]) -> Sketch:
    i = pick(rng, tensors, lambda t: len(t.shape) >= 1)
    table = np.int64(1) + rng.integers(0, 1 << int(rng.integers(1, 20)), int(rng.integers(1, 600)))
    table[1:] *= rng.integers(0, 2, len(table) - 1)
    return [i], [table], {"axis": int(rng.integers(len(tensors[i].shape))), "P": int(rng.integers(1, 31))}


SKETCHES: dict[str, Callable[[Rng, Sequence[Tensor]], Sketch]] = {
    sketch.__name__: sketch
    for sketch in (
        affine,
        arg_max,
        concat,
        conv,
        dense,
        matmul,
        max_pool,
        mul,
        pad,
        reduce_sum,
        requant,
        reshape,
        softmax,
        table,
        transpose,
    )
}
"""One per gate kind."""

# The work horses more often than the rest, so that fusions have something to fuse.
_KINDS = [*SKETCHES, "conv", "conv", "requant", "requant", "requant", "affine", "affine", "max_pool", "dense"]


def add_gate(rng: Rng, builder: CircuitBuilder, kind: str) -> bool:
    """Try to add one gate of that kind; say whether the rules took it."""
    tensors = builder.tensors
    try:
        inputs, arrays, attributes = SKETCHES[kind](rng, tensors)
        name = f"{kind}.{len(tensors)}"
        given = tuple(np.asarray(a, dtype=np.int64) for a in arrays)
        site = Site(kind, name, tuple(tensors[i] for i in inputs), given, attributes)
        shape, _, _ = derive(Site(kind, name, site.inputs, given, {**rule_of(kind).defaults(site), **attributes}))
        if np.prod(shape) > 3000:
            return False
    except (LookupError, ValueError, MalformedError):
        return False
    constants = [builder.constant(f"{name}.{i}", a) for i, a in enumerate(given)]
    builder.gate(kind, name, inputs, constants, **attributes)
    return True


def random_circuit(seed: int, *, gates: int = 8) -> Circuit:
    """A random circuit of so many gates; every dead end is an output."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(source={"seed": seed})
    for i in range(int(rng.integers(1, 3))):
        rank = int(rng.integers(0, 4))
        shape = rng.integers(1, 9, rank).tolist()
        lo, hi = sorted(integers(rng, (2,), int(rng.integers(1, 27))).tolist())
        builder.input(f"x{i}", shape, lo, hi)
    attempts = 0
    while len(builder.tensors) < gates + 2 and attempts < 40 * gates:
        attempts += 1
        add_gate(rng, builder, str(rng.choice(_KINDS)))
    _close(builder)
    return builder.build()


def single_gate_circuit(seed: int, kind: str) -> Circuit:
    """A circuit with at least one gate of that kind; a few others may come before it."""
    for attempt in range(200):
        rng = np.random.default_rng([seed, attempt])
        builder = CircuitBuilder()
        for i in range(2):
            shape = rng.integers(1, 7, int(rng.integers(1, 4))).tolist()
            lo, hi = sorted(integers(rng, (2,), int(rng.integers(1, 12))).tolist())
            builder.input(f"x{i}", shape, lo, hi)
        if add_gate(rng, builder, kind):
            _close(builder)
            return builder.build()
    raise LookupError(f"no {kind} gate found from seed {seed}")


def _close(builder: CircuitBuilder) -> None:
    read = {i for gate in builder.gates for i in gate.inputs}
    if not builder.gates:  # nothing fitted the inputs: a clamp always does
        builder.gate("requant", "clamp", [0], [builder.constant("clamp.0", [0])], lo=-5, hi=5)
        read.add(0)
    for i in range(len(builder.tensors)):
        if i not in read:
            builder.output(f"y{i}", i)
    last = len(builder.tensors) - 1
    if last - 1 in read:
        builder.output("again", last - 1)  # also an output while others read it


def random_inputs(circuit: Circuit, seed: int, batch: int) -> dict[str, IntArray]:
    """Integers within the bounds; sometimes only the bounds themselves."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for port in circuit.inputs:
        t = circuit.tensors[port.tensor]
        shape = (batch, *t.shape)
        if rng.integers(3) == 0:
            arrays[port.name] = rng.choice(np.array([t.lo, t.hi]), size=shape)
        else:
            arrays[port.name] = rng.integers(t.lo, t.hi + 1, size=shape)
    return arrays


SEEDS = st.integers(0, 2**63 - 1)
BATCHES = st.integers(1, 4)
