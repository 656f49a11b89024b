# SPDX-License-Identifier: AGPL-3.0-or-later
"""NVIDIA's management library, as far as reports of GPUs need it: the one module that imports `pynvml`.

Source: NVML API reference, "Confidential Computing"; nvidia-ml-py, which wraps it.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from attestation.errors import OperationalError, UnsupportedError

DRIVER = Path("/dev/nvidiactl")
INSTALL_REMEDY = "pip install affidavit[nvidia]"
NONCE_SIZE = 32
"""Bytes: SPDM's (DSP0274, GET_MEASUREMENTS)."""


class Nvml:
    """The library, started. `library` takes the place of the module `pynvml`."""

    def __init__(self, library: Any = None) -> None:
        """Raises `UnsupportedError` with `evidence.nvidia.library-absent`, `OperationalError` with `-unavailable`."""
        self._nvml = library if library is not None else _load()
        self._open = False
        self.call("start", "nvmlInit", code="evidence.nvidia.device-unavailable")
        self._open = True

    def confidential(self) -> bool:
        """Whether the GPUs are in confidential mode; False where the driver knows of no such thing."""
        try:
            state = self._nvml.nvmlSystemGetConfComputeState()
        except (self._nvml.NVMLError, AttributeError):
            return False
        return int(state.ccFeature) == int(self._nvml.NVML_CC_SYSTEM_FEATURE_ENABLED)

    def devices(self) -> list[Any]:
        """A handle for each GPU."""
        count = int(self.call("count GPUs", "nvmlDeviceGetCount"))
        return [self.call("open a GPU", "nvmlDeviceGetHandleByIndex", index) for index in range(count)]

    def report(self, device: Any, nonce: bytes) -> bytes:
        """A signed report over 32 bytes: SPDM's request and response."""
        found = self.call("report", "nvmlDeviceGetConfComputeGpuAttestationReport", device, nonce)
        return _filled(found.attestationReport, found.attestationReportSize)

    def chain(self, device: Any) -> bytes:
        """The PEM chain of the GPU's attestation key, leaf first."""
        found = self.call("give its certificates", "nvmlDeviceGetConfComputeGpuCertificate", device)
        return _filled(found.attestationCertChain, found.attestationCertChainSize).rstrip(b"\0")

    def call(self, what: str, name: str, *arguments: Any, code: str = "evidence.nvidia.device-failed") -> Any:
        """Call a function of the library. Raises `OperationalError` with `code`."""
        try:
            return getattr(self._nvml, name)(*arguments)
        except (self._nvml.NVMLError, AttributeError) as error:
            raise OperationalError(code, f"NVIDIA's driver refuses to {what}: {str(error)[:120]}") from None

    def close(self) -> None:
        """End the use of the library; further calls do nothing."""
        if self._open:
            self._open = False
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError:
                return  # nothing is left to close


def presence(driver: Path = DRIVER, library: Any = None) -> tuple[str, str]:
    """Why no report can be had here, in one line, and the remedy; both empty when one can.

    Asks the driver: a GPU that is there says nothing of its mode.
    """
    if not driver.exists():
        return f"no NVIDIA driver: {driver} is not there", ""
    try:
        nvml = Nvml(library)
    except (UnsupportedError, OperationalError) as error:
        return error.message, error.remedy
    try:
        if not nvml.confidential():
            return "NVIDIA's GPUs are not in confidential mode", "the host switches it on (nvidia gpu-admin-tools)"
        return "", ""
    finally:
        nvml.close()


def _load() -> Any:
    if importlib.util.find_spec("pynvml") is None:
        raise UnsupportedError(
            "evidence.nvidia.library-absent", "the Python package nvidia-ml-py is not installed", remedy=INSTALL_REMEDY
        )
    return importlib.import_module("pynvml")


def _filled(array: Any, size: Any) -> bytes:
    if not 0 < int(size) <= len(array):
        raise OperationalError(
            "evidence.nvidia.device-failed", f"NVIDIA's driver gives {int(size)} of {len(array)} bytes"
        )
    return bytes(array[: int(size)])
