# SPDX-License-Identifier: AGPL-3.0-or-later
"""The builder refuses what a loader would refuse, by name and early."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from circuits import CircuitBuilder, CircuitError, UnsupportedError


def started() -> CircuitBuilder:
    b = CircuitBuilder()
    b.input("x", [2], -5, 5)
    return b


def clamp(b: CircuitBuilder, name: str = "y") -> int:
    return b.gate("requant", name, [0], [b.constant(f"{name}.s", [0])], lo=-1, hi=1)


def dead(b: CircuitBuilder) -> object:
    clamp(b, "dead")
    b.output("y", clamp(b))
    return b.build()


def twice(b: CircuitBuilder) -> object:
    y = clamp(b)
    b.output("y", y)
    b.output("y", y)
    return b.build()


def idle_constant(b: CircuitBuilder) -> object:
    b.constant("idle", [1])
    b.output("y", clamp(b))
    return b.build()


def late_input(b: CircuitBuilder) -> object:
    clamp(b)
    return b.input("z", [1], 0, 1)


CASES: dict[str, tuple[str, Callable[[CircuitBuilder], object]]] = {
    "no gates": ("circuit.graph.empty", lambda b: b.build()),
    "dead gate": ("circuit.graph.unused", dead),
    "idle constant": ("circuit.graph.unused", idle_constant),
    "output name": ("circuit.graph.name", twice),
    "late input": ("circuit.graph.order", late_input),
    "input name": ("circuit.graph.name", lambda b: b.input("x", [1], 0, 1)),
    "empty name": ("circuit.header.name", lambda b: b.input("", [1], 0, 1)),
    "control character": ("circuit.header.name", lambda b: b.input("a\n", [1], 0, 1)),
    "lone surrogate": ("circuit.header.name", lambda b: b.input("\ud800", [1], 0, 1)),
    "long name": ("circuit.header.name", lambda b: b.input("x" * 257, [1], 0, 1)),
    "constant name": ("circuit.graph.name", lambda b: (b.constant("c", [1]), b.constant("c", [1]))),
    "float constant": ("circuit.constant.range", lambda b: b.constant("c", [1.0])),
    "huge constant": ("circuit.constant.range", lambda b: b.constant("c", [1 << 53])),
    "huge unsigned": ("circuit.constant.range", lambda b: b.constant("c", np.array([1 << 63], dtype=np.uint64))),
    "empty constant": ("circuit.constant.shape", lambda b: b.constant("c", np.zeros(0, dtype=int))),
    "deep constant": ("circuit.constant.shape", lambda b: b.constant("c", np.zeros((1,) * 9, dtype=int))),
    "input shape": ("circuit.tensor.shape", lambda b: b.input("z", [0], 0, 1)),
    "input size": ("circuit.tensor.shape", lambda b: b.input("z", [1 << 14, 1 << 14], 0, 1)),
    "input bounds": ("circuit.tensor.bounds", lambda b: b.input("z", [1], 2, 1)),
    "input width": ("circuit.tensor.bounds", lambda b: b.input("z", [1], 0, 1 << 53)),
    "input dtype": ("circuit.port.dtype", lambda b: b.input("z", [1], 0, 1, dtype="object")),
    "input scale": ("circuit.port.range", lambda b: b.input("z", [1], 0, 1, scale=float("nan"))),
    "input range": ("circuit.port.range", lambda b: b.input("z", [1], 0, 1, real_lo=2.0, real_hi=1.0)),
    "tensor index": ("circuit.graph.index", lambda b: b.gate("mul", "m", [0, 1])),
    "negative index": ("circuit.graph.index", lambda b: b.gate("mul", "m", [0, -1])),
    "constant index": ("circuit.graph.index", lambda b: b.gate("requant", "m", [0], [0], lo=0, hi=1)),
    "output index": ("circuit.graph.index", lambda b: b.output("y", 7)),
    "gate name": ("circuit.graph.name", lambda b: b.gate("mul", "x", [0, 0])),
}


@pytest.mark.parametrize(("code", "act"), CASES.values(), ids=CASES)
def test_refusals(code: str, act: Callable[[CircuitBuilder], object]) -> None:
    with pytest.raises(CircuitError) as caught:
        act(started())
    assert caught.value.code == code
    assert "\n" not in caught.value.message


def test_unknown_profile() -> None:
    with pytest.raises(UnsupportedError) as caught:
        CircuitBuilder(profile="int-shift-floor@v9")
    assert caught.value.code == "circuit.profile.unknown"


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(127, "int8"), (-128, "int8"), (128, "int16"), (-32769, "int32"), (1 << 31, "int64"), (-(1 << 52), "int64")],
)
def test_constants_are_stored_narrow(value: int, dtype: str) -> None:
    b = started()
    c = b.constant("c", np.array(value))
    b.output("y", b.gate("affine", "y", [0], [b.constant("m", [1]), c]))
    stored = b.build().constants
    assert {c.name: c.data.dtype.name for c in stored} == {"c": dtype, "m": "int8"}
    assert int(next(c.data for c in stored if c.name == "c")) == value


def test_numpy_attributes_are_plain_in_the_circuit() -> None:
    b = started()
    b.output("y", b.gate("pad", "y", [0], pads=np.array([1, 2]), value=np.int32(3)))
    (gate,) = b.build().gates
    assert gate.attributes == {"pads": (1, 2), "value": 3}
    assert type(gate.attributes["value"]) is int
