# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether the kernel offers configfs-tsm, and whose reports it gives, without asking for one."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/sys/kernel/config/tsm/report")
SEV_DEVICE, TDX_DEVICE = Path("/dev/sev-guest"), Path("/dev/tdx_guest")
"""Made by the guest drivers that register with the interface."""

MOUNT_REMEDY = "Linux 6.7 or newer; as root: modprobe tsm; mount -t configfs none /sys/kernel/config"
ROOT_REMEDY = "run as root: the kernel lets nobody else ask for reports"


def problem(device: Path, what: str, root: Path = ROOT) -> tuple[str, str]:
    """Why no report of `what` can be had here, in one line, and the remedy; both empty when one can.

    `device` tells which technology the guest has: the interface names it only when an entry is made.
    """
    if not device.exists():
        return f"no {what} guest: {device} is not there", ""
    if not root.is_dir():
        return f"{what} guest without the kernel's report interface at {root}", MOUNT_REMEDY
    if not os.access(root, os.W_OK | os.X_OK):
        return f"no permission to use {root}", ROOT_REMEDY
    return "", ""
