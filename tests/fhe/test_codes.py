# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of the room is provoked by a test, and the room can be imported with numpy alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fhe
from fhe.codes import CODES
from fhe.remedies import REMEDIES

ROOT = Path(__file__).resolve().parents[2]


def test_every_code_is_provoked() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests/fhe").glob("*.py"))
    plain = tests.replace("\\.", ".")
    forms = {code: (code, f'"{code.rsplit(".", 1)[1]}"') for code in CODES}
    assert {code for code, (whole, last) in forms.items() if whole not in plain and last not in plain} == set()


OWN = {
    "fhe.keyfile.passphrase",
    "fhe.library.disagrees",
    "fhe.library.missing",
    "fhe.library.version",
    "fhe.plan.inexact",
    "fhe.plan.none",
    "fhe.unsupported",
    "fhe.worker.busy",
}
"""Raised with a remedy of their own alone."""


def test_every_error_says_what_to_do() -> None:
    assert {code for code in CODES if not fhe.FheError(code, "something is wrong").remedy} == OWN
    families = {code.rpartition(".")[0] for code in CODES}
    assert set(REMEDIES) <= CODES.keys() | families, "a remedy for nothing"
    assert fhe.FheError("fhe.worker.died", "something is wrong", "a way out").remedy == "a way out"
    bare = {code for path in (ROOT / "fhe").rglob("*.py") for code in raised_bare(path.read_text())}
    assert "fhe.worker.died" in bare and not bare & OWN


def raised_bare(source: str) -> set[str]:
    """The codes with which errors are made that are given no remedy."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and len(node.args) == 2]
    named = [call for call in calls if ast.unparse(call.func).endswith("Error") and not call.keywords]
    return {str(call.args[0].value) for call in named if isinstance(call.args[0], ast.Constant)}


def test_the_path_that_is_not_there_yet_is_refused() -> None:
    with pytest.raises(fhe.UnsupportedError) as refused:
        fhe.require_encrypted_execution()
    assert refused.value.code == "fhe.unsupported" and refused.value.remedy


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fhe.seal_bridge import load_seal
    from fhe.seal_objects import _HEADER, read_body

    for name in ("seal", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    compressed = _HEADER.pack(0xA15E, 16, 4, 3, 2, 0, 20) + bytes(4)
    for use in (load_seal, lambda: read_body(compressed, 4)):
        with pytest.raises(fhe.UnsupportedError) as refused:
            use()
        assert refused.value.code == "fhe.library.missing" and "affidavit[fhe]" in refused.value.remedy


PURE = """
import sys
for name in ("numba", "seal", "tenseal", "zstandard", "onnx", "onnxruntime", "scipy"):
    sys.modules[name] = None
import fhe
from circuits import CircuitBuilder
import numpy as np
b = CircuitBuilder()
x = b.input("x", (30,), 0, 15)
b.output("y", b.gate("dense", "d", [x], [b.constant("w", np.ones((30, 4), int)), b.constant("b", np.ones(4, int))]))
for name in ("lin8", "mlp1", "batch-lin", "batch-mlp-ckks"):
    plan = fhe.plan(b.build(), preset=name)
    fhe.estimate(plan)
    fhe.Interface.decode(plan.interface.encode())
assert not {"multiprocessing", "subprocess", "socket", "ssl"} & set(sys.modules), sys.modules
"""


def test_presets_formats_plans_and_costs_need_numpy_alone() -> None:
    subprocess.run([sys.executable, "-c", PURE], cwd=ROOT, check=True, timeout=60)
