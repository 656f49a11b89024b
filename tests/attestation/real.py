# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real evidence under tests/vectors/tpm, as members: see provenance.json there for where each file is from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.tpm2.pcrs import encode_pcrs

TPM = Path(__file__).resolve().parents[1] / "vectors" / "tpm"
GCE_FILES = {"gce-cos-85-nonce9009": bytes.fromhex("9009"), "gce-cos-85-no-nonce": b""}
_BANKS = {4: "sha1", 11: "sha256", 12: "sha384"}


def read(name: str) -> bytes:
    return (TPM / name).read_bytes()


def certificate(name: str) -> bytes:
    """A vector's certificate as DER."""
    data = read(name)
    if data.startswith(b"-----"):
        data = x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
    return data


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = data[offset]
        offset += 1
        value |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return value, offset


def protobuf(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of each field: varints and byte strings, all that these messages have."""
    offset = 0
    while offset < len(data):
        tag, offset = _varint(data, offset)
        value, offset = _varint(data, offset)
        if tag & 7 == 0:
            yield tag >> 3, value
            continue
        assert tag & 7 == 2
        yield tag >> 3, data[offset : offset + value]
        offset += value


def _octets(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


@cache
def gce_quotes(name: str) -> dict[str, dict[str, bytes]]:
    """Members by quoted bank of a go-tpm-tools `attest.Attestation` message."""
    message = list(protobuf(read(f"gce-attestation/{name}.pb")))
    shared = {1: "ak_public", 3: "event_log", 6: "ak_certificate"}
    base = {shared[number]: _octets(value) for number, value in message if number in shared}
    base["ak_chain"] = certificate("gce-ak-certs/ca/tpm_ek_intermediate_2.crt")
    quotes: dict[str, dict[str, bytes]] = {}
    for number, value in message:
        if number != 2:
            continue
        fields = dict(protobuf(_octets(value)))
        bank, pcrs = "", {}
        for part, entry in protobuf(_octets(fields[3])):
            if part == 1:
                assert isinstance(entry, int)
                bank = _BANKS[entry]
            else:
                pair = dict(protobuf(_octets(entry)))
                index = pair.get(1, 0)
                assert isinstance(index, int)
                pcrs[bank, index] = _octets(pair[2])
        quotes[bank] = {
            **base,
            "attest": _octets(fields[1]),
            "signature": _octets(fields[2]),
            "pcrs": encode_pcrs(pcrs),
        }
    return quotes


def gce_root() -> bytes:
    """Google's vTPM EK/AK root, under which the AK of the GCE quotes was certified."""
    return certificate("gce-ak-certs/ca/tpm_ek_root_1.cer")


def windows_dump() -> dict[str, bytes]:
    """Members of a Windows shielded VM's dump; its AK signs with SHA-1 and quotes the SHA-1 bank."""
    dump = json.loads(read("go-attestation/windows_gcp_shielded_vm.json"))
    pcrs = {("sha1", pcr["Index"]): base64.b64decode(pcr["Digest"]) for pcr in dump["Log"]["PCRs"]}
    return {
        "attest": base64.b64decode(dump["Quote"]["Quote"]),
        "signature": base64.b64decode(dump["Quote"]["Signature"]),
        "ak_public": base64.b64decode(dump["AK"]["Public"]),
        "pcrs": encode_pcrs(pcrs),
        "event_log": base64.b64decode(dump["Log"]["Raw"]),
    }


def event_logs() -> list[str]:
    """Names of the TPM event logs among the vectors."""
    folders = [*TPM.glob("eventlogs-gotpmtools/*"), *TPM.glob("go-attestation/*eventlog")]
    return sorted(str(path.relative_to(TPM)) for path in [*folders, TPM / "dstack" / "tpm_eventlog.bin"])
