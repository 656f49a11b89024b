# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Nitro Security Module: one ioctl that carries a CBOR request and brings a CBOR answer.

::

    struct nsm_iovec { u64 addr; u64 len; }
    struct nsm_raw   { struct nsm_iovec request, response; }      response.len: room, then what was written
    NSM_IOCTL_RAW    = _IOWR(0x0A, 0, struct nsm_raw)             in Linux' own driver for CAP_SYS_ADMIN alone

    {"Attestation": {"user_data": null, "nonce": h'..', "public_key": null}}  ->  {"Attestation": {"document": h'..'}}
                                                                                  {"Error": "InvalidArgument"}

Sources: Linux, include/uapi/linux/nsm.h and drivers/misc/nsm.c; aws-nitro-enclaves-nsm-api, `Request`, `Response`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

import cbor2

from attestation.errors import OperationalError

DEVICE = Path("/dev/nsm")
MAX_REQUEST, MAX_RESPONSE = 0x1000, 0x3000
RAW = struct.Struct("=QQQQ")
IOCTL_RAW = 3 << 30 | RAW.size << 16 | 0x0A << 8
"""_IOWR on the architectures that Nitro has (x86-64 and Arm)."""

Ioctl = Callable[[int, int, bytearray], object]


def device_problem(path: Path = DEVICE) -> str:
    """Why the device cannot be used, in one line; empty when it can."""
    if not path.exists():
        return f"no Nitro enclave: {path} is not there"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"no permission to use {path}; run as root"
    return ""


class Nsm:
    """An open device. `ioctl` takes the place of the kernel's."""

    def __init__(self, path: Path = DEVICE, ioctl: Ioctl = fcntl.ioctl) -> None:
        """Raises `OperationalError` with `evidence.nitro.device-unavailable`."""
        problem = device_problem(path)
        if problem:
            raise OperationalError("evidence.nitro.device-unavailable", problem, remedy="run inside a Nitro enclave")
        self._ioctl = ioctl
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise OperationalError(
                "evidence.nitro.device-unavailable", f"{path} does not open: {error.strerror or error}"
            ) from None

    def attest(self, nonce: bytes) -> bytes:
        """A document with this nonce. Raises `OperationalError` with `evidence.nitro.device-failed`."""
        answer = self.call({"Attestation": {"user_data": None, "nonce": nonce, "public_key": None}})
        try:
            document = answer["Attestation"]["document"]  # type: ignore[index]
        except (KeyError, TypeError):
            said = answer.get("Error") if isinstance(answer, dict) else None
            raise _failed(f"the module says {str(said or answer)[:80]!r}") from None
        if not isinstance(document, bytes):
            raise _failed("the module's document is no byte string")
        return document

    def call(self, request: object) -> object:
        """One exchange. Raises `OperationalError` with `evidence.nitro.device-failed`."""
        sent = cbor2.dumps(request)
        if len(sent) > MAX_REQUEST:
            raise _failed(f"a request of {len(sent)} bytes; at most {MAX_REQUEST}")
        question = ctypes.create_string_buffer(sent, len(sent))
        room = ctypes.create_string_buffer(MAX_RESPONSE)
        raw = bytearray(RAW.pack(ctypes.addressof(question), len(sent), ctypes.addressof(room), MAX_RESPONSE))
        try:
            self._ioctl(self._descriptor, IOCTL_RAW, raw)
        except OSError as error:
            remedy = "run as root (CAP_SYS_ADMIN)" if error.errno in (errno.EPERM, errno.EACCES) else ""
            raise _failed(f"the kernel refuses: {error.strerror or error}", remedy) from None
        size = RAW.unpack(raw)[3]
        if size > MAX_RESPONSE:
            raise _failed(f"an answer of {size} bytes; at most {MAX_RESPONSE}")
        try:
            answer: object = cbor2.loads(room.raw[:size])
        except (cbor2.CBORDecodeError, ValueError, RecursionError) as error:
            raise _failed(f"an answer that is not CBOR: {str(error)[:80]}") from None
        return answer

    def close(self) -> None:
        """Close the device; further calls do nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _failed(message: str, remedy: str = "") -> OperationalError:
    return OperationalError("evidence.nitro.device-failed", message, remedy=remedy)
