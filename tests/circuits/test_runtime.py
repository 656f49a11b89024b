# SPDX-License-Identifier: AGPL-3.0-or-later
"""The runtime's own refusals: it never hands out integers that the circuit excludes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits import MalformedError, UnsupportedError
from circuits.emission import Recovery, to_onnx, writer
from node.errors import OperationalError
from node.runtime import Runtime
from tests.circuits.samples import tiny

INPUTS = {"x": np.array([[1, 2, 3]])}


def test_options() -> None:
    for options in ({"threads": -1}, {"optimisation": "fast"}):
        with pytest.raises(OperationalError) as caught:
            Runtime(tiny(), **options)
        assert caught.value.code == "node.runtime.option"


def test_inputs_are_checked() -> None:
    with pytest.raises(MalformedError) as caught:
        Runtime(tiny()).run({"x": np.array([[1, 2, 128]])})
    assert caught.value.code == "input.out-of-range"


def test_values_outside_the_bounds_are_never_returned() -> None:
    runtime = Runtime(tiny())
    emission, session = runtime._loaded[False]
    crooked = tuple(Recovery(r.value, (40,), r.floor) for r in emission.recoveries)
    runtime._loaded[False] = (replace(emission, recoveries=crooked), session)
    with pytest.raises(OperationalError) as caught:
        runtime.run(INPUTS)
    assert caught.value.code == "node.runtime.inexact"


def test_failures_have_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(tiny())
    emission, session = runtime._loaded[False]
    runtime._loaded[False] = (replace(emission, outputs=("nothing",)), session)
    with pytest.raises(OperationalError) as caught:
        runtime.run(INPUTS)
    assert caught.value.code == "node.runtime.failed"
    monkeypatch.setattr("node.runtime.to_onnx", lambda *_, **__: replace(emission, model=b"junk"))
    with pytest.raises(OperationalError) as caught:
        Runtime(tiny())
    assert caught.value.code == "node.runtime.load-failed"
    assert "\n" not in caught.value.message


def test_models_beyond_protobuf_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_MODEL", 100)
    with pytest.raises(UnsupportedError) as caught:
        to_onnx(tiny())
    assert caught.value.code == "circuit.emission.too-large"
