# SPDX-License-Identifier: AGPL-3.0-or-later
"""What runs the circuits here, for people: the receipt's ``execution``, which no decision ever reads."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def describe_execution() -> dict[str, str]:
    """Runtime, versions and device as short texts.

    Says nothing that tells this machine from another of its kind: no host name, no serial number.
    """
    return {
        "runtime": "onnxruntime",
        "runtime.version": _version("onnxruntime"),
        "runtime.provider": "CPUExecutionProvider",
        "affidavit.version": _version("affidavit"),
        "python.version": platform.python_version(),
        "device": "cpu",
        "device.architecture": platform.machine(),
        "system": platform.system(),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed as a package"
