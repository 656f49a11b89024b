# SPDX-License-Identifier: AGPL-3.0-or-later
"""A software TPM of one's own: a real swtpm process, with a maker, an EK certificate and a measured boot.

For development, tests and the demo. It speaks TPM 2.0 in full, so everything above it is the production
path; but its keys lie in this machine's memory and files, so that its evidence is worth as much as the
maker's root in a policy says, and only a policy for development lists that root.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from attestation.errors import OperationalError, UnsupportedError
from attestation.tpm2.authority import Authority, issue_ek_certificate, make_authority
from attestation.tpm2.boot import boot_log
from attestation.tpm2.device import TpmDevice
from attestation.tpm2.presence import library_problem
from attestation.tpm2.provisioning import extend_boot, store_ek_certificate

MAKER_NAME = "Affidavit software TPM maker (development only)"
MODEL = "swtpm"
START_SECONDS = 15.0
STOP_SECONDS = 5.0
LIFETIME = timedelta(days=3650)
MAX_SOCKET_PATH = 100
"""Bytes; sun_path holds 108, and the control socket adds a suffix."""

# The shell owns swtpm and reads a pipe whose other end this process holds: however this process ends, even
# killed, the pipe closes, and swtpm and its files go with it. Nothing in its state is worth an orderly end.
_KEEPER = """
state=$1; shift
"$@" & child=$!
read -r line
kill -9 "$child" 2>/dev/null
wait "$child" 2>/dev/null
rm -rf -- "$state"
"""


def software_problem() -> str:
    """Why a software TPM cannot be used here, in one line; empty when it can."""
    if shutil.which("swtpm") is None:
        return "swtpm is not installed"
    if shutil.which("sh") is None:
        return "there is no POSIX shell"
    return library_problem()


SOFTWARE_REMEDY = "as root: apt-get install swtpm libtss2-dev gcc pkg-config python3-dev; then: make setup"


class SoftwareTpm:
    """A running software TPM after a measured boot of node software with digest `software` (SHA-256).

    A context manager. `tcti` opens it, `maker.der` is the root for a policy's `ek_roots`, `event_log` the
    boot log, `kind` the EK's template. State lies in a temporary directory that ends with it.
    """

    def __init__(
        self,
        software: bytes = bytes(32),
        *,
        kind: str = "rsa-2048",
        maker: Authority | None = None,
        at: datetime | None = None,
    ) -> None:
        problem = software_problem()
        if problem:
            raise UnsupportedError("evidence.tpm2.swtpm-absent", problem, remedy=SOFTWARE_REMEDY)
        self.kind = kind
        self._software = software
        # A certificate starts to be valid a little in the past, for readers whose clocks are behind.
        start = (at or datetime.now(UTC)) - timedelta(minutes=5)
        self.maker = maker or make_authority(MAKER_NAME, start, LIFETIME)
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self.tcti = ""
        self.event_log = b""
        self.ek_certificate = b""

    def __enter__(self) -> SoftwareTpm:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> SoftwareTpm:
        """Start the process, store the EK certificate, boot. Raises `OperationalError`, leaving nothing."""
        try:
            self._launch()
            self._provision()
        except BaseException:
            self.stop()
            raise
        return self

    def open(self) -> TpmDevice:
        """A connection to the TPM; only one at a time."""
        return TpmDevice(self.tcti)

    def stop(self) -> None:
        """End the process and remove its files; further calls do nothing."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        directory, self._directory = self._directory, None
        if directory is not None:
            with contextlib.suppress(FileNotFoundError):  # the keeper was faster
                directory.cleanup()

    def _launch(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="swtpm-", dir=_short_directory())
        state = Path(self._directory.name)
        socket = state / "tpm"
        log = state / "log"
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}"]
        command += ["--server", f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={socket}.ctrl"]
        command += ["--flags", "not-need-init,startup-clear", "--log", f"file={log},level=1"]
        self._process = subprocess.Popen(
            ["sh", "-c", _KEEPER, "swtpm-keeper", str(state), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt on the terminal is for us, who then stop it in order
        )
        deadline = time.monotonic() + START_SECONDS
        pause = 0.005
        while not (socket.exists() and Path(f"{socket}.ctrl").exists()):
            if time.monotonic() > deadline:
                said = log.read_text("utf-8", "replace")[-200:] if log.exists() else ""
                raise OperationalError(
                    "evidence.tpm2.swtpm-failed", f"swtpm did not start in {START_SECONDS:.0f} s: {said!r}"
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.1)
        self.tcti = f"swtpm:path={socket}"

    def _provision(self) -> None:
        with self.open() as device:
            ek = device.create_ek(self.kind)
            self.ek_certificate = issue_ek_certificate(self.maker, ek.public.key(), self._start, LIFETIME, model=MODEL)
            store_ek_certificate(device, self.kind, self.ek_certificate)
            log = boot_log(tuple(device.banks()), self._software)
            extend_boot(device, log)
            self.event_log = log.encode()


def _short_directory() -> str | None:
    """A directory whose sockets' paths fit into sockaddr_un; None for the system's default."""
    usual = tempfile.gettempdir()
    if len(f"{usual}/swtpm-12345678/tpm.ctrl") <= MAX_SOCKET_PATH:
        return None
    for short in ("/tmp", "/var/tmp"):  # noqa: S108  a private directory is made inside
        if Path(short).is_dir():
            return short
    raise OperationalError(
        "evidence.tpm2.swtpm-failed",
        f"the temporary directory's name is too long for a socket: {usual!r}",
        remedy="set TMPDIR to a short path",
    )
