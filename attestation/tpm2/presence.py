# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether there is a TPM to talk to, and the library to do it, without talking to it yet."""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path

DEVICE = Path("/dev/tpmrm0")
BOOT_LOG = Path("/sys/kernel/security/tpm0/binary_bios_measurements")

INSTALL_REMEDY = "as root: apt-get install libtss2-dev gcc pkg-config python3-dev; then: make setup"


def library_problem() -> str:
    """Why tpm2-pytss cannot be used here, in one line; empty when it can."""
    if importlib.util.find_spec("tpm2_pytss") is None:
        return "the Python package tpm2-pytss is not installed"
    try:
        importlib.import_module("tpm2_pytss")
    except (ImportError, OSError) as error:
        return f"tpm2-pytss does not load: {str(error)[:120]}"
    return ""


def device_problem(path: Path = DEVICE) -> str:
    """Why the kernel's TPM device cannot be used, in one line; empty when it can."""
    if not path.exists():
        return f"no TPM device at {path}"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"no permission to use {path}; join the group `tss` or ask the administrator"
    return ""


def read_boot_log(path: Path = BOOT_LOG) -> bytes | None:
    """The firmware's measured-boot log, or None where the system has none or does not let us read it."""
    try:
        return path.read_bytes() or None
    except OSError:
        return None
