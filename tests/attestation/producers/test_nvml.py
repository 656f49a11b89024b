# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: N802 - the names are those of pynvml
"""NVIDIA's management library: a module with the structures of pynvml, over GPUs on paper."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest

from attestation.errors import OperationalError, UnsupportedError
from attestation.nvidia.nvml import Nvml, presence
from attestation.nvidia.producer import NvidiaProducer
from tests.attestation.nvidia import paper
from tests.attestation.producers.kernel import code_of

CHALLENGE = bytes(range(32))
ROOM = 0x2000


class NVMLError(Exception):
    """As pynvml's."""


class Certificates(ctypes.Structure):
    _fields_ = [
        ("certChainSize", ctypes.c_uint),
        ("attestationCertChainSize", ctypes.c_uint),
        ("certChain", ctypes.c_uint8 * 0x1000),
        ("attestationCertChain", ctypes.c_uint8 * 0x1400),
    ]


class Report(ctypes.Structure):
    _fields_ = [
        ("isCecAttestationReportPresent", ctypes.c_uint),
        ("attestationReportSize", ctypes.c_uint),
        ("cecAttestationReportSize", ctypes.c_uint),
        ("nonce", ctypes.c_uint8 * 32),
        ("attestationReport", ctypes.c_uint8 * ROOM),
        ("cecAttestationReport", ctypes.c_uint8 * 0x1000),
    ]


class PaperNvml:
    """The functions of pynvml that producers use."""

    NVMLError = NVMLError
    NVML_CC_SYSTEM_FEATURE_ENABLED = 1

    def __init__(self, gpus: int = 2, feature: int = 1, broken: str = "") -> None:
        self.gpus, self.feature, self.broken, self.started = gpus, feature, broken, 0

    def __getattribute__(self, name):
        if name.startswith("nvml") and name == object.__getattribute__(self, "broken"):
            raise NVMLError("Not Supported")
        return object.__getattribute__(self, name)

    def nvmlInit(self):
        self.started += 1

    def nvmlShutdown(self):
        self.started -= 1

    def nvmlSystemGetConfComputeState(self):
        return SimpleNamespace(environment=2, ccFeature=self.feature, devToolsMode=0)

    def nvmlDeviceGetCount(self):
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index):
        return paper.device(index)

    def nvmlDeviceGetConfComputeGpuAttestationReport(self, device, nonce):
        found = Report()
        found.nonce = (ctypes.c_uint8 * len(nonce))(*nonce)
        data = paper.report(device, bytes(found.nonce))
        found.attestationReportSize = len(data)
        ctypes.memmove(found.attestationReport, data, len(data))
        return found

    def nvmlDeviceGetConfComputeGpuCertificate(self, device):
        found = Certificates()
        data = b"".join(identity.pem for identity in device.chain) + b"\0"
        found.attestationCertChainSize = len(data)
        ctypes.memmove(found.attestationCertChain, data, len(data))
        return found


def test_evidence_of_all_gpus_passes():
    library = PaperNvml(gpus=2)
    producer = NvidiaProducer(Nvml(library))
    members = producer.collect(CHALLENGE)
    assert set(members) == {"report_0", "chain_0", "report_1", "chain_1"}
    assert paper.judge(members, challenge=CHALLENGE).passed
    assert paper.faults(paper.judge(members, challenge=bytes(32))) == {"evidence.nvidia.challenge-mismatch"}
    assert "2 GPUs" in producer.describe() and not producer.simulated and producer.type == "nvidia-gpu@v1"
    producer.close()
    producer.close()
    assert library.started == 0


def test_short_challenges_are_padded_and_long_ones_refused():
    producer = NvidiaProducer(Nvml(PaperNvml(gpus=1)))
    assert paper.judge(producer.collect(b"short"), challenge=b"short").passed
    assert code_of(lambda: producer.collect(bytes(33))) == "evidence.challenge-too-long"
    assert code_of(lambda: producer.collect(b"")) == "evidence.challenge-too-long"


@pytest.mark.parametrize(
    "library",
    [
        PaperNvml(feature=0),
        PaperNvml(gpus=0),
        PaperNvml(gpus=17),
        PaperNvml(broken="nvmlInit"),
        PaperNvml(broken="nvmlSystemGetConfComputeState"),
    ],
)
def test_unusable(library):
    assert code_of(lambda: NvidiaProducer(Nvml(library))) == "evidence.nvidia.device-unavailable"


@pytest.mark.parametrize(
    "broken", ["nvmlDeviceGetConfComputeGpuAttestationReport", "nvmlDeviceGetConfComputeGpuCertificate"]
)
def test_refusals(broken):
    producer = NvidiaProducer(Nvml(PaperNvml(broken=broken)))
    assert code_of(lambda: producer.collect(CHALLENGE)) == "evidence.nvidia.device-failed"
    assert code_of(lambda: NvidiaProducer(Nvml(PaperNvml(broken="nvmlDeviceGetCount")))) == (
        "evidence.nvidia.device-failed"
    )


@pytest.mark.parametrize("size", [0, ROOM + 1])
def test_sizes_are_not_believed(size, monkeypatch):
    library = PaperNvml(gpus=1)
    honest = library.nvmlDeviceGetConfComputeGpuAttestationReport

    def lies(device, nonce):
        found = honest(device, nonce)
        found.attestationReportSize = size
        return found

    monkeypatch.setattr(library, "nvmlDeviceGetConfComputeGpuAttestationReport", lies)
    assert code_of(lambda: NvidiaProducer(Nvml(library)).collect(CHALLENGE)) == "evidence.nvidia.device-failed"


@pytest.mark.parametrize("chain", [b"nothing", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"])
def test_chains_that_are_none(chain, monkeypatch):
    library = PaperNvml(gpus=1)
    nvml = Nvml(library)
    monkeypatch.setattr(nvml, "chain", lambda device: chain)
    assert code_of(lambda: NvidiaProducer(nvml).collect(CHALLENGE)) == "evidence.nvidia.device-failed"


def test_presence(tmp_path, monkeypatch):
    driver = tmp_path / "nvidiactl"
    assert presence(driver)[0].startswith("no NVIDIA driver")
    driver.touch()
    assert presence(driver, PaperNvml()) == ("", "")
    assert "confidential mode" in presence(driver, PaperNvml(feature=0))[0]
    assert "Not Supported" in presence(driver, PaperNvml(broken="nvmlInit"))[0]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError) as caught:
        Nvml()
    assert caught.value.code == "evidence.nvidia.library-absent" and "affidavit[nvidia]" in caught.value.remedy
    assert presence(driver)[1] == caught.value.remedy


def test_library_without_the_functions():
    """An old nvidia-ml-py: said, not raised as an AttributeError."""
    old = SimpleNamespace(NVMLError=NVMLError, nvmlInit=lambda: None, nvmlShutdown=lambda: None)
    with pytest.raises(OperationalError) as caught:
        NvidiaProducer(Nvml(old))
    assert caught.value.code == "evidence.nvidia.device-unavailable"
