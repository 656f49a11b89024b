# SPDX-License-Identifier: AGPL-3.0-or-later
"""A PostgreSQL of the tests' own: the system's binaries, a temporary folder, a unix socket, no superuser."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60


def binaries() -> Path | None:
    """The folder with initdb and postgres, newest version first; ``None`` where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    here = shutil.which("initdb")
    return Path(here).resolve().parent if here and shutil.which("postgres") else None


def _as_somebody(folder: Path) -> list[str]:
    """A command prefix: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@contextmanager
def running(folder_of: Path) -> Iterator[str]:
    """A running server; yields its URL. ``folder_of`` holds initdb and postgres."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has at most 107 bytes
    prefix, log = _as_somebody(folder), folder / "log"
    try:
        subprocess.run(
            [*prefix, folder_of / "initdb", "-D", folder / "data", "-U", "test", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            timeout=START_SECONDS,
        )
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [*prefix, folder_of / "postgres", "-D", folder / "data", "-k", folder, *options],
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        try:
            _wait(server, folder, log)
            yield f"postgresql://test@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown
            server.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    import psycopg  # an extra: without it these tests are skipped, not broken

    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="test", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)
