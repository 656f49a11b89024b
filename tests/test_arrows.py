# SPDX-License-Identifier: AGPL-3.0-or-later
"""The arrows between the rooms, and the closure of the verifying core; and that both checks can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_graph import (
    ARROWS,
    CORE_LIBRARIES,
    CORE_OPTIONAL,
    circles,
    core_closure,
    core_modules,
    core_violations,
    forbidden_arrows,
    read_sources,
    room_edges,
)

ROOT = Path(__file__).resolve().parents[1]
SOURCES = read_sources(ROOT)


def test_rooms_import_only_the_rooms_they_may() -> None:
    assert {"circuits", "verifier", "attestation"} <= set(room_edges(SOURCES)), "the walk found no source"
    assert forbidden_arrows(SOURCES) == []


def test_no_circle_between_rooms() -> None:
    assert circles(ARROWS) == []
    assert circles(room_edges(SOURCES)) == []


def test_the_core_lets_nothing_in() -> None:
    assert core_modules(SOURCES)
    assert core_violations(SOURCES) == []


def test_every_room_is_a_package_with_types() -> None:
    """An `__init__` in every folder: what a wheel holds is what the checkout holds."""
    folders = {path.parent for room in ARROWS for path in (ROOT / room).rglob("*.py")}
    assert sorted(str(folder) for folder in folders if not (folder / "__init__.py").exists()) == []


LOADED = """
import importlib, json, sys
sys.modules["numba"] = None  # optional: the closure is what remains without it
import cbor2, numpy
import cryptography.hazmat.primitives.asymmetric.ed25519, cryptography.x509
before = set(sys.modules)
for name in sys.argv[1].split():
    importlib.import_module(name)
print(json.dumps({name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())
                  if name not in before}))
"""


def test_importing_the_core_loads_only_its_closure() -> None:
    """Measured, not read: import every core module in a new interpreter and look at what was loaded."""
    modules = [name for name in core_modules(SOURCES) if name not in CORE_OPTIONAL]
    result = subprocess.run(
        [sys.executable, "-c", LOADED, " ".join(modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    loaded = {name.partition(".")[0] for name in json.loads(result.stdout)}
    ours = set(ARROWS) & loaded
    assert "verifier" in ours
    assert ours <= {"verifier", *ARROWS["verifier"]}
    third_party = {name for name in loaded - set(ARROWS) - sys.stdlib_module_names if not name.startswith("_cython")}
    assert third_party <= CORE_LIBRARIES | {"_cffi_backend"}
    assert not loaded & {"asyncio", "http", "multiprocessing", "sqlite3", "ssl", "subprocess", "tempfile"}


# The checks themselves can fail.


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("circuits.a", "import verifier"),
        ("circuits.a", "from verifier.b import c"),
        ("circuits.a", "def f():\n    import node.runtime"),
        ("circuits.a", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import prover"),
        ("circuits.a", "import importlib\nimportlib.import_module('node')"),
        ("attestation.a", "import circuits"),
        ("fhe.a", "import verifier"),
        ("verifier.a", "import prover"),
        ("verifier.service.a", "import node"),
        ("prover.a", "import attestation"),
        ("prover.a", "import affidavit.cli"),
        ("node.a", "import coordinator"),
        ("coordinator.a", "import node"),
        ("coordinator.a", "import prover"),
        ("coordinator.a", "import fhe"),
    ],
)
def test_a_forbidden_arrow_is_found(module: str, line: str) -> None:
    assert len(forbidden_arrows({module: line})) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("verifier.a", "from attestation.tpm2 import appraise"),
        ("prover.a", "import verifier.field"),
        ("node.a", "import prover, attestation, circuits"),
        ("coordinator.a", "import circuits, verifier"),
        ("affidavit.cli", "import coordinator, node"),
        ("circuits.a", "from .b import c"),
        ("circuits.a", "import circuits_of_another_kind"),
    ],
)
def test_an_allowed_arrow_is_not_reported(module: str, line: str) -> None:
    assert forbidden_arrows({module: line}) == []


def test_a_circle_is_found() -> None:
    sources = {"circuits.a": "import fhe", "fhe.a": "import circuits", "node.a": "import fhe"}
    assert circles(room_edges(sources)) == ["circuits", "fhe"]


@pytest.mark.parametrize(
    "line",
    [
        "import onnx",
        "import onnxruntime as ort",
        "import socket",
        "from http import client",
        "import urllib.request",
        "from urllib.request import urlopen",
        "from os import environ",
        "import os.path",
        "import time",
        "import sqlite3",
        "from sqlalchemy import select",
        "def f():\n    import subprocess",
        "import verifier.service.app",
        "from . import service",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now(datetime.UTC)",
        "def f(p):\n    return open(p)",
    ],
)
def test_the_outside_world_in_the_core_is_found(line: str) -> None:
    sources = {"verifier": "", "verifier.a": line, "verifier.service": "", "verifier.service.app": ""}
    assert core_violations(sources)


@pytest.mark.parametrize(
    "line",
    [
        "import numpy as np",
        "from cryptography import x509",
        "from datetime import UTC, datetime",
        "from urllib.parse import quote",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import onnx",
    ],
)
def test_pure_code_in_the_core_is_not_reported(line: str) -> None:
    assert core_violations({"verifier": "", "verifier.a": line}) == []


def test_the_service_may_use_the_world() -> None:
    assert core_violations({"verifier": "", "verifier.service": "import sqlalchemy, os"}) == []


def test_the_closure_reaches_through_other_rooms() -> None:
    sources = {
        "verifier": "",
        "verifier.a": "from attestation.tpm2.quote import Quote",
        "attestation": "",
        "attestation.tpm2": "from .produce import run",
        "attestation.tpm2.quote": "",
        "attestation.tpm2.produce": "import tpm2_pytss",
        "attestation.unused": "import socket",
    }
    assert core_closure(sources) == [
        "attestation",
        "attestation.tpm2",
        "attestation.tpm2.produce",
        "attestation.tpm2.quote",
        "verifier",
        "verifier.a",
    ]
    assert core_violations(sources) == ["attestation.tpm2.produce:1 imports tpm2_pytss"]
