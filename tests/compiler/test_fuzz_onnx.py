# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against the ONNX importer and the passes that read untrusted structure.

The property: a Program or a CircuitError, nothing else, in bounded time. ``make fuzz`` looks much further.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits import CircuitError
from circuits.compiler.compile import _malformed_instead, canonical_program
from circuits.compiler.importer import import_model
from circuits.compiler.samples import check_samples


def one_input(data: bytes) -> None:
    """Import and canonicalise hostile bytes; only CircuitError may come out."""
    try:
        model = import_model(data)
        shapes = {name: (2, *(min(d or 3, 16) for d in port.dims[1:])) for name, port in model.inputs.items()}
        given_samples = {name: np.zeros(s, model.inputs[name].dtype) for name, s in shapes.items()}
        samples = check_samples(model, given_samples, "calibration")
        with _malformed_instead():
            canonical_program(model, samples)
    except CircuitError as error:
        if "\n" in error.message:
            raise AssertionError(f"{error.code}: a message of several lines") from error


def _seed_model() -> bytes:
    from tests.compiler.nets import small_convnet

    return small_convnet()


@pytest.mark.fuzz
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 400))
def test_mutated_models(edits: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(_seed_model())
    # The structure is at both ends; the weights fill the middle.
    for position, value in edits:
        data[position % len(data)] = value
    one_input(bytes(data[: len(data) - cut]) if cut % 3 == 0 else bytes(data))


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    one_input(data)
