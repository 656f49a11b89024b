# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real arrays to integers and back; every kind of bad input has its code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits import CircuitBuilder, MalformedError, decode_outputs, encode_inputs, evaluate
from tests.circuits.samples import small_net, tiny

FINE = np.zeros((2, 3), dtype=np.float32)


@given(st.lists(st.floats(-64.0, 63.5, width=32), min_size=3, max_size=3))
def test_rounding_is_half_up(values: list[float]) -> None:
    array = np.array([values], dtype=np.float32)
    (encoded,) = encode_inputs(tiny(), {"x": array}).values()
    assert encoded.dtype == np.int64
    assert encoded[0].tolist() == [max(-128, min(127, int(np.floor(v / 0.5 + 0.5)))) for v in array[0].tolist()]


def test_half_goes_up_and_ends_clamp() -> None:
    b = CircuitBuilder()
    x = b.input("x", [5], -3, 3, dtype="float64", scale=2.0, real_lo=-100.0, real_hi=100.0)
    b.output("y", b.gate("requant", "y", [x], [b.constant("s", [0])], lo=-3, hi=3))
    real = np.array([[-3.0, -1.0, 1.0, 3.0, 100.0]])
    assert encode_inputs(b.build(), {"x": real})["x"].tolist() == [[-1, 0, 1, 2, 3]]


def with_value(value: float) -> np.ndarray:
    array = FINE.copy()
    array[1, 2] = value
    return array


BAD: dict[str, tuple[str, Any]] = {
    "missing": ("input.missing", {}),
    "unknown": ("input.unknown", {"x": FINE, "z": FINE}),
    "dtype": ("input.dtype", {"x": FINE.astype(np.float64)}),
    "objects": ("input.dtype", {"x": FINE.astype(object)}),
    "text": ("input.dtype", {"x": FINE.astype(str)}),
    "shape": ("input.shape", {"x": FINE[:, :2]}),
    "rank": ("input.shape", {"x": FINE[:, :, None]}),
    "empty batch": ("input.batch", {"x": FINE[:0]}),
    "scalar": ("input.batch", {"x": np.float32(1)}),
    "nan": ("input.not-finite", {"x": with_value(np.nan)}),
    "infinite": ("input.not-finite", {"x": with_value(-np.inf)}),
    "above": ("input.out-of-range", {"x": with_value(63.75)}),
    "below": ("input.out-of-range", {"x": with_value(-64.5)}),
}


@pytest.mark.parametrize(("code", "arrays"), BAD.values(), ids=BAD)
def test_bad_inputs(code: str, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(MalformedError) as caught:
        encode_inputs(tiny(), arrays)
    assert caught.value.code == code


INTEGERS = np.zeros((1, 3), dtype=np.int64)


@pytest.mark.parametrize(
    ("code", "arrays"),
    [
        ("input.missing", {}),
        ("input.unknown", {"x": INTEGERS, "z": INTEGERS}),
        ("input.dtype", {"x": INTEGERS.astype(np.int32)}),
        ("input.shape", {"x": INTEGERS[:, :1]}),
        ("input.batch", {"x": INTEGERS[:0]}),
        ("input.out-of-range", {"x": INTEGERS + 128}),
    ],
)
def test_evaluate_checks_its_inputs(code: str, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(MalformedError) as caught:
        evaluate(tiny(), arrays)
    assert caught.value.code == code


def test_batches_must_agree() -> None:
    b = CircuitBuilder()
    x, y = b.input("x", [1], 0, 1), b.input("y", [1], 0, 1)
    b.output("z", b.gate("mul", "z", [x, y]))
    one, two = np.zeros((1, 1), dtype=np.float32), np.zeros((2, 1), dtype=np.float32)
    with pytest.raises(MalformedError) as caught:
        encode_inputs(b.build(), {"x": one, "y": two})
    assert caught.value.code == "input.batch"


def test_outputs() -> None:
    circuit = small_net()
    tensors = evaluate(circuit, encode_inputs(circuit, {"image": np.full((2, 3, 9, 9), 7, dtype=np.uint8)}))
    decoded = decode_outputs(circuit, {p.name: tensors[p.tensor] for p in circuit.outputs})
    assert decoded["class"].dtype == np.int64
    assert decoded["probability"].dtype == np.float64
    assert np.allclose(decoded["probability"].sum(axis=1), 1, atol=1e-3)
    with pytest.raises(MalformedError) as caught:
        decode_outputs(circuit, {})
    assert caught.value.code == "output.missing"
