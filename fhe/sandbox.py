# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a worker gives up before it reads its first untrusted byte. Call it once, after everything is imported.

==================  ==========================================================================================
name                effect
==================  ==========================================================================================
``rlimits``         address space, processor time, no core files, no file growth, few descriptors (POSIX)
``no-new-privs``    no set-user-id programs (Linux)
``network``         a network namespace of its own, with nothing in it (Linux, where the kernel lets users have one)
``seccomp``         a list of system calls that computing needs; all others fail with EPERM: no files are opened, no
                    sockets, no processes made (Linux on x86-64 and arm64; without it on other systems)
``audit``           Python's audit hook refuses sockets, processes, files; native code is not bound by it
==================  ==========================================================================================

`enforce` returns the names of what is in force; a node may refuse to serve with less
(:class:`fhe.pool.EvaluationPool`).
"""

from __future__ import annotations

import ctypes
import platform
import resource
import struct
import sys
from collections.abc import Callable

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
DESCRIPTORS = 16
CPU_SECONDS = 24 * 3600

# read, write, close, fstat, poll, lseek, mmap, mprotect, munmap, brk, rt_sigaction, rt_sigprocmask, rt_sigreturn,
# pread64, sched_yield, mremap, madvise, getpid, exit, getrusage, times, gettid, futex, sched_getaffinity,
# clock_gettime, clock_nanosleep, exit_group, newfstatat, set_robust_list, getrandom, rseq, sigaltstack,
# restart_syscall, gettimeofday, membarrier; linux/include/uapi/asm-generic/unistd.h, arch/x86/entry/syscalls.
# fmt: off
_CALLS = {
    "x86_64": (0xC000003E, (
        0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 24, 25, 28, 39, 60, 98, 100, 186, 202, 204, 228, 230, 231,
        262, 273, 318, 334, 131, 219, 96, 324)),
    "aarch64": (0xC00000B7, (
        63, 64, 57, 80, 73, 62, 222, 226, 215, 214, 134, 135, 139, 67, 124, 216, 233, 172, 93, 165, 153, 178, 98, 123,
        113, 115, 94, 79, 99, 278, 293, 132, 128, 169, 283)),
}
# fmt: on


def enforce(memory_bytes: int) -> list[str]:
    """Give up what a worker does not need.

    Args:
        memory_bytes: address space on top of what is mapped now.

    Returns:
        The names of what is in force, of the table above.
    """
    steps: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("rlimits", lambda: _limit(memory_bytes)),
        ("no-new-privs", _no_new_privileges),
        ("network", _no_network),
        ("seccomp", _filter_calls),
        ("audit", _audit),
    )
    return [name for name, step in steps if step()]


def _limit(memory_bytes: int) -> bool:
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, _mapped() + memory_bytes),
    ]
    for what, value in limits:
        _, hard = resource.getrlimit(what)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (ceiling, ceiling))
    return True


def _mapped() -> int:
    """Bytes of address space mapped now; 4 GiB where the system does not say."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 32


def _no_new_privileges() -> bool:
    return sys.platform == "linux" and bool(ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _no_network() -> bool:
    if sys.platform != "linux":
        return False
    unshare = ctypes.CDLL(None).unshare
    return bool(unshare(_CLONE_NEWNET) == 0 or unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter_calls() -> bool:
    """A classic BPF program over struct seccomp_data: number at offset 0, architecture at offset 4."""
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        return False
    architecture, numbers = _CALLS[platform.machine()]
    lines = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    lines += [(_JUMP_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    lines += [(_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in lines))
    program = _Program(len(lines), ctypes.addressof(code))
    return bool(ctypes.CDLL(None).prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


_REFUSED = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "open", "ctypes.dlopen")


def _audit() -> bool:
    def hook(event: str, _: tuple[object, ...]) -> None:
        if event.startswith(_REFUSED):
            raise PermissionError(f"{event} in a sandboxed worker")

    sys.addaudithook(hook)
    return True
