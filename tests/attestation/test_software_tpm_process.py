# SPDX-License-Identifier: AGPL-3.0-or-later
"""The swtpm process: nothing of it is left, however its owner ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attestation.errors import OperationalError
from attestation.tpm2.software import SoftwareTpm

pytestmark = pytest.mark.swtpm


def alive(marker: str) -> bool:
    """Whether any process has this text in its command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


def gone(marker: str) -> bool:
    deadline = time.monotonic() + 10
    while alive(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_no_process_and_no_file_is_left():
    tpm = SoftwareTpm().start()
    socket = tpm.tcti.partition("path=")[2]
    folder = Path(socket).parent
    assert len(socket) < 104 and folder.is_dir()
    if Path("/proc/self/cmdline").exists():
        assert alive(str(folder))
    tpm.stop()
    tpm.stop()
    assert not folder.exists() and gone(str(folder))


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
def test_swtpm_ends_with_a_killed_owner():
    script = (
        "import time\nfrom attestation.tpm2.software import SoftwareTpm\n"
        "tpm = SoftwareTpm().start()\nprint(tpm.tcti, flush=True)\ntime.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    folder = str(Path(owner.stdout.readline().strip().partition("path=")[2]).parent)
    assert alive(folder)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert gone(folder)
    assert not Path(folder).exists()


def test_failed_start_leaves_nothing(monkeypatch):
    monkeypatch.setattr("attestation.tpm2.software.START_SECONDS", 0.3)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("attestation.tpm2.software._KEEPER", "read -r line")
    tpm = SoftwareTpm()
    with pytest.raises(OperationalError) as caught:
        tpm.start()
    assert caught.value.code == "evidence.tpm2.swtpm-failed"
    assert tpm._process is None and tpm._directory is None
