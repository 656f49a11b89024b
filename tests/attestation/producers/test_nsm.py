# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Nitro Security Module: an ioctl that reads and writes the caller's memory as the driver does."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import cbor2
import pytest

from attestation.errors import OperationalError
from attestation.nitro.nsm import IOCTL_RAW, MAX_RESPONSE, RAW, Nsm, device_problem
from attestation.nitro.producer import NitroProducer
from tests.attestation.nitro import paper
from tests.attestation.producers.kernel import code_of

CHALLENGE = bytes(range(32))


def module(answer):
    """The driver: `answer` turns a decoded request into the bytes of a response."""

    def ioctl(descriptor: int, number: int, raw: bytearray) -> int:
        os.fstat(descriptor)
        assert number == IOCTL_RAW == 0xC0200A00 and len(raw) == 32
        request_at, request_size, response_at, room = RAW.unpack(raw)
        if request_size > 0x1000:
            raise OSError(errno.EMSGSIZE, "Message too long")
        response = answer(cbor2.loads(ctypes.string_at(request_at, request_size)))
        written = min(room, len(response))  # the driver cuts off what does not fit
        ctypes.memmove(response_at, response, written)
        raw[:] = RAW.pack(request_at, request_size, response_at, written)
        return 0

    return ioctl


def attest(request) -> bytes:
    assert list(request) == ["Attestation"] and set(request["Attestation"]) == {"user_data", "nonce", "public_key"}
    return cbor2.dumps({"Attestation": {"document": paper.paper(nonce=request["Attestation"]["nonce"])}})


@pytest.fixture
def device(tmp_path) -> Path:
    (tmp_path / "nsm").touch()
    return tmp_path / "nsm"


def test_evidence_passes(device):
    producer = NitroProducer(Nsm(device, module(attest)))
    members = producer.collect(CHALLENGE)
    found = paper.judge(members["document"], challenge=CHALLENGE)
    assert set(members) == {"document"} and found.passed and found.type == producer.type
    assert paper.faults(paper.judge(members["document"], challenge=bytes(32))) == {"evidence.nitro.challenge-mismatch"}
    assert producer.describe() and not producer.simulated
    assert code_of(lambda: producer.collect(bytes(65))) == "evidence.challenge-too-long"
    assert code_of(lambda: producer.collect(b"")) == "evidence.challenge-too-long"
    producer.close()
    producer.close()


@pytest.mark.parametrize(
    "answer",
    [
        cbor2.dumps({"Error": "InvalidArgument"}),
        cbor2.dumps({"Attestation": {"document": "text"}}),
        cbor2.dumps({"Attestation": {"document": b"no document"}}),
        cbor2.dumps({"Attestation": {}}),
        cbor2.dumps(["Attestation"]),
        cbor2.dumps({"Attestation": {"document": bytes(2 * MAX_RESPONSE)}}),
        b"\xff",
        b"",
    ],
)
def test_other_answers(device, answer):
    producer = NitroProducer(Nsm(device, module(lambda request: answer)))
    assert code_of(lambda: producer.collect(CHALLENGE)) == "evidence.nitro.device-failed"
    producer.close()


def test_refusals(device):
    def refuse(descriptor, number, raw):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    nsm = Nsm(device, refuse)
    with pytest.raises(OperationalError) as caught:
        nsm.attest(CHALLENGE)
    assert caught.value.code == "evidence.nitro.device-failed" and "CAP_SYS_ADMIN" in caught.value.remedy
    assert code_of(lambda: nsm.call({"x": bytes(5000)})) == "evidence.nitro.device-failed"
    nsm.close()

    def lies(descriptor, number, raw):
        raw[24:] = (1 << 40).to_bytes(8, "little")

    nsm = Nsm(device, lies)
    assert code_of(lambda: nsm.attest(CHALLENGE)) == "evidence.nitro.device-failed"
    nsm.close()


def test_absent(tmp_path, device):
    assert device_problem(device) == "" and "no Nitro enclave" in device_problem(tmp_path / "none")
    assert code_of(lambda: Nsm(tmp_path / "none")) == "evidence.nitro.device-unavailable"
    assert code_of(lambda: Nsm(tmp_path)) == "evidence.nitro.device-unavailable", "a folder does not open"
    nsm = Nsm(device)  # the kernel's own ioctl, on a file that knows it not
    assert code_of(lambda: nsm.attest(CHALLENGE)) == "evidence.nitro.device-failed"
    nsm.close()
