# SPDX-License-Identifier: AGPL-3.0-or-later
"""One report over caller's data from configfs-tsm, free of other writers' influence.

::

    mkdir <root>/<name>                 an entry of our own
    generation = g
    write privlevel, inblob             each write counts generation up by one
    read outblob, auxblob               the kernel asks the platform when something was written since
    generation = g + number of writes   or else somebody else wrote: begin again
    rmdir

A binary attribute is written when its file is closed, and older kernels drop the error that this gives, so that a
write which did not happen shows in `generation` alone. Reading fails with EBUSY while the platform works on an
earlier question, EWOULDBLOCK or EINTR when it was interrupted, ETIMEDOUT when the host did not answer.

Sources: Linux, Documentation/ABI/testing/configfs-tsm-report, drivers/virt/coco/guest/report.c, fs/configfs/file.c.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from attestation.errors import OperationalError
from attestation.tsm.presence import MOUNT_REMEDY, ROOT, ROOT_REMEDY

INBLOB_SIZE = 64
"""Bytes: what SNP and TDX put into a report; the kernel's limit, too."""
MAX_BLOB = 1 << 20
"""Bytes that are read of any attribute; the kernel's own limit is 32 KiB, in newer ones 16 MiB."""
MAX_PRIVLEVEL = 3
ATTEMPTS = 6
FIRST_PAUSE = 0.05
"""Seconds before the second attempt; each further one waits twice as long."""

_PASSING = frozenset({errno.EBUSY, errno.EWOULDBLOCK, errno.EINTR})
"""Worth another attempt; a time-out is not: the kernel has waited for half a minute by then."""


class Operations(Protocol):
    """What is done to the file system; all raise `OSError`."""

    def mkdir(self, path: Path) -> None: ...

    def rmdir(self, path: Path) -> None: ...

    def read(self, path: Path) -> bytes: ...

    def write(self, path: Path, data: bytes) -> None: ...


class Kernel:
    """The real file system."""

    def mkdir(self, path: Path) -> None:
        """Make an entry."""
        path.mkdir(mode=0o700)

    def rmdir(self, path: Path) -> None:
        """Remove an entry."""
        path.rmdir()

    def read(self, path: Path) -> bytes:
        """The whole attribute, at most one byte more than `MAX_BLOB`."""
        with path.open("rb", buffering=0) as file:
            parts, size = [], 0
            while size <= MAX_BLOB and (part := file.read(min(1 << 16, MAX_BLOB + 1 - size))):
                parts.append(part)
                size += len(part)
        return b"".join(parts)

    def write(self, path: Path, data: bytes) -> None:
        """In one call: each call is a write of its own to a text attribute."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.EIO, "written in part")
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            raise
        os.close(descriptor)  # binary attributes are written here


@dataclass(frozen=True, slots=True)
class TsmReport:
    """What the platform gave: `outblob` is the report, `auxblob` what the host adds (empty where it adds nothing)."""

    provider: str
    outblob: bytes
    auxblob: bytes


class _DisturbedError(Exception):
    """Somebody else wrote to the entry."""


def get_report(
    data: bytes,
    provider: str,
    *,
    privlevel: int | None = None,
    root: Path = ROOT,
    operations: Operations | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> TsmReport:
    """A report over 64 bytes of caller's data.

    Args:
        data: 64 bytes.
        provider: what the kernel must call itself: `sev_guest` or `tdx_guest`.
        privlevel: 0 to 3, where the platform has privilege levels (SNP's VMPL); None for the lowest that the kernel
            allows, or none at all where it has no such thing.
        root, operations, sleep: the interface's place, how it is reached, how to wait.

    Raises `OperationalError` with `evidence.tsm.*`.
    """
    if len(data) != INBLOB_SIZE or not (privlevel is None or 0 <= privlevel <= MAX_PRIVLEVEL):
        raise OperationalError("evidence.tsm.failed", f"{len(data)} bytes at privilege level {privlevel}; 64 at 0 to 3")
    system = operations or Kernel()
    fault: Exception | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            return _once(system, root / f"affidavit-{os.getpid()}-{secrets.token_hex(8)}", data, provider, privlevel)
        except _DisturbedError as error:
            fault = error
        except OSError as error:
            if error.errno not in _PASSING:
                raise _refused(error, root) from None
            fault = error
    if isinstance(fault, _DisturbedError):
        raise OperationalError("evidence.tsm.race", f"the entry was written to during each of {ATTEMPTS} attempts")
    raise OperationalError("evidence.tsm.busy", f"no report in {ATTEMPTS} attempts: {fault}", remedy="try again later")


def _once(system: Operations, entry: Path, data: bytes, provider: str, privlevel: int | None) -> TsmReport:
    system.mkdir(entry)
    try:
        return _ask(system, entry, data, provider, privlevel)
    finally:
        with contextlib.suppress(OSError):  # the answer counts, or the fault that is on its way
            system.rmdir(entry)


def _ask(system: Operations, entry: Path, data: bytes, provider: str, privlevel: int | None) -> TsmReport:
    found = _text(system, entry / "provider")
    if found != provider:
        raise OperationalError("evidence.tsm.provider-differs", f"reports of {found[:40]!r}, required {provider!r}")
    level = _level(system, entry, privlevel)
    before = _number(system, entry / "generation")
    if level is not None:
        system.write(entry / "privlevel", b"%d" % level)
    system.write(entry / "inblob", data)
    writes = 1 + (level is not None)
    outblob = _blob(system, entry / "outblob")
    auxblob = _optional(system, entry / "auxblob")
    if _number(system, entry / "generation") != before + writes:
        raise _DisturbedError
    if not outblob:
        raise OperationalError("evidence.tsm.failed", "the platform gives a report without content")
    return TsmReport(found, outblob, auxblob)


def _level(system: Operations, entry: Path, wanted: int | None) -> int | None:
    try:
        floor = _number(system, entry / "privlevel_floor")
    except FileNotFoundError:  # no such thing here, as with TDX
        if wanted is not None:
            raise OperationalError("evidence.tsm.failed", "this platform has no privilege levels") from None
        return None
    if wanted is not None and wanted < floor:
        raise OperationalError("evidence.tsm.failed", f"privilege level {wanted}; this guest has {floor} or above")
    return floor if wanted is None else wanted


def _blob(system: Operations, path: Path) -> bytes:
    data = system.read(path)
    if len(data) > MAX_BLOB:
        raise OperationalError("evidence.tsm.too-large", f"{path.name}: more than {MAX_BLOB} bytes")
    return data


def _optional(system: Operations, path: Path) -> bytes:
    try:
        return _blob(system, path)
    except FileNotFoundError:
        return b""


def _text(system: Operations, path: Path) -> str:
    return _blob(system, path).decode("ascii", "replace").strip()


def _number(system: Operations, path: Path) -> int:
    text = _text(system, path)
    if not text.isdigit():
        raise OperationalError("evidence.tsm.failed", f"{path.name} is no number: {text[:40]!r}")
    return int(text)


def _refused(error: OSError, root: Path) -> OperationalError:
    name = errno.errorcode.get(error.errno or 0, "")
    if error.errno in (errno.EACCES, errno.EPERM):
        return OperationalError("evidence.tsm.unavailable", f"no permission to use {root}", remedy=ROOT_REMEDY)
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return OperationalError(
            "evidence.tsm.unavailable", f"no guest driver answers at {root} ({name})", remedy=MOUNT_REMEDY
        )
    if error.errno == errno.ETIMEDOUT:
        return OperationalError("evidence.tsm.busy", "the host did not answer in time", remedy="try again later")
    return OperationalError("evidence.tsm.failed", f"the kernel refuses a report: {error.strerror or error} ({name})")
