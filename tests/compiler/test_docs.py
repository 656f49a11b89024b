# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/compiling.md against the code: operators, codes, options."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from circuits.compiler import compile_model
from circuits.ops import OPERATORS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compiling.md").read_text(encoding="utf-8")


def test_operators_are_listed():
    listed = re.search(r"<!-- operators:.*?-->(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert listed
    assert [n.strip() for n in listed[1].replace("\n", " ").split(",")] == sorted(name for _, name in OPERATORS)


def test_codes_are_listed():
    sources = [*(ROOT / "circuits" / "compiler").rglob("*.py"), *(ROOT / "circuits" / "ops").glob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    raised = set(re.findall(r'"(compile\.[a-z.-]+)"', text)) - {"compile."}
    documented = set()
    for row in re.findall(r"^\| (`compile\..*?) \|", PAGE, re.MULTILINE):
        first, *others = re.findall(r"`([a-z.-]+)`", row)
        documented |= {first} | {first.rsplit(".", 1)[0] + other for other in others}
    assert raised <= documented
    stated = {f"compile.{w}.{k}" for w in ("calibration", "evaluation") for k in
              ("names", "empty", "shape", "dtype", "not-finite")}  # fmt: skip
    assert documented == raised | stated


def test_options_are_listed():
    keywords = [p.name for p in inspect.signature(compile_model).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert sorted(keywords) == sorted(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))


def test_every_operator_has_its_file_and_docstring():
    for (domain, name), op in OPERATORS.items():
        module = inspect.getmodule(op)
        assert module and module.__doc__ and module.__file__
        assert module.__doc__.startswith(name), (domain, name)
        assert Path(module.__file__).stem.replace("_", "") == name.lower()
        assert len(inspect.getsource(module).splitlines()) < 120
