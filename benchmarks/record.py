# SPDX-License-Identifier: AGPL-3.0-or-later
"""Result files: what was measured, where, with which versions, by which command."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("affidavit", "numpy", "numba", "onnx", "onnxruntime", "cryptography")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _flags() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    return [flag for flag in ("avx2", "avx512f", "avx512_vnni", "sha_ni") if f" {flag} " in text]


def machine() -> dict[str, Any]:
    """This machine, and how busy it is now."""
    return {
        "processor": _processor(),
        "flags": _flags(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def write(name: str, before: dict[str, Any], measured: dict[str, Any], *, command: str = "") -> Path:
    """Write ``results/NAME.json``, with the machine as it was `before` the measurement; returns the file's path.

    `command`: what measured it, if not this package.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "name": name,
        "command": command or " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": before,
        "versions": {package: version(package) for package in PACKAGES},
        "results": measured,
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path
