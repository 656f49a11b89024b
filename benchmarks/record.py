# SPDX-License-Identifier: AGPL-3.0-or-later
"""Result files: what was measured, where, with which versions, by which command."""

from __future__ import annotations

import json
import os
import platform
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


def write(name: str, measured: dict[str, Any], *, command: str = "") -> Path:
    """Write ``results/NAME.json``; returns its path. `command`: what measured it, if not this package."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "name": name,
        "command": command or f"python -m benchmarks {name}",
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": {
            "processor": _processor(),
            "flags": _flags(),
            "cores": os.cpu_count(),
            "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "versions": {package: version(package) for package in PACKAGES},
        "results": measured,
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path
