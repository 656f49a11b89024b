# SPDX-License-Identifier: AGPL-3.0-or-later
"""A kernel on paper: configfs-tsm as drivers/virt/coco/guest/report.c and fs/configfs/file.c behave, call by call."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from attestation.errors import OperationalError

Platform = Callable[[bytes, int], tuple[bytes, bytes]]
"""(inblob, privlevel) -> (outblob, auxblob)."""


def fault(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@dataclass
class Entry:
    """What the kernel keeps of one entry."""

    written: int = 0
    read: int = 0
    inblob: bytes = b""
    privlevel: int = 0
    made: tuple[bytes, bytes] | None = None


@dataclass
class PaperKernel:
    """Answers file operations as the kernel does.

    `faults` are raised, one each, when the platform is asked next (None: no fault that time). `meanwhile` is called
    with (path, entry) before each operation: what other processes do. `dropped`: writes of inblob that fail, of which
    kernels until 6.18 say nothing, as the write happens on closing.
    """

    platform: Platform
    provider: str = "sev_guest"
    floor: int | None = 0
    root: Path = Path("/sys/kernel/config/tsm/report")
    faults: list[int | None] = field(default_factory=list)
    meanwhile: Callable[[Path, Entry], None] = lambda path, entry: None
    dropped: int = 0
    mkdir_fault: int = 0
    entries: dict[Path, Entry] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    calls: int = 0

    def mkdir(self, path: Path) -> None:
        if self.mkdir_fault:
            raise fault(self.mkdir_fault)
        if path.parent != self.root:
            raise fault(errno.ENOENT)
        if path in self.entries:
            raise fault(errno.EEXIST)
        self.entries[path] = Entry()
        self.names.append(path.name)

    def rmdir(self, path: Path) -> None:
        if self.entries.pop(path, None) is None:
            raise fault(errno.ENOENT)

    def _entry(self, path: Path) -> Entry:
        entry = self.entries.get(path.parent)
        if entry is None:
            raise fault(errno.ENOENT)
        self.meanwhile(path, entry)
        return entry

    def write(self, path: Path, data: bytes) -> None:
        entry = self._entry(path)
        if path.name == "privlevel" and self.floor is not None:
            level = int(data)
            if not self.floor <= level <= 3:
                raise fault(errno.EINVAL)
            entry.written += 1
            entry.privlevel = level
        elif path.name == "inblob":
            if len(data) > 64:
                raise fault(errno.EFBIG)
            if self.dropped:
                self.dropped -= 1
                return
            entry.written += 1
            entry.inblob = data
        else:
            raise fault(errno.EACCES if path.name in ("outblob", "generation", "provider") else errno.ENOENT)

    def read(self, path: Path) -> bytes:
        entry = self._entry(path)
        if path.name == "provider":
            return self.provider.encode() + b"\n"
        if path.name == "generation":
            return b"%d\n" % entry.written
        if path.name == "privlevel_floor" and self.floor is not None:
            return b"%d\n" % self.floor
        if path.name == "outblob" or (path.name == "auxblob" and self.provider == "sev_guest"):
            return self._report(entry)[path.name == "auxblob"]
        raise fault(errno.EACCES if path.name == "inblob" else errno.ENOENT)

    def _report(self, entry: Entry) -> tuple[bytes, bytes]:
        if not entry.inblob:
            raise fault(errno.EINVAL)
        if entry.made is None or entry.read != entry.written:
            entry.made = None
            self.calls += 1
            number = self.faults.pop(0) if self.faults else None
            if number:
                raise fault(number)
            if len(entry.inblob) != 64:
                raise fault(errno.EINVAL)
            if entry.privlevel < (self.floor or 0):
                raise fault(errno.EIO)
            entry.made = self.platform(entry.inblob, entry.privlevel)
            entry.read = entry.written
        return entry.made


def code_of(call: Callable[[], object]) -> str:
    """The code of the operational error that a call raises."""
    with pytest.raises(OperationalError) as caught:
        call()
    assert caught.value.message and "\n" not in caught.value.message
    return caught.value.code
