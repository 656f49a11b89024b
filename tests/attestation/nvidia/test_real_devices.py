# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports of real GPUs and switches."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.errors import MalformedError, UnsupportedError
from attestation.nvidia import NvidiaTrust, appraise_gpus, read_gpus, read_switches
from attestation.nvidia.opaque import parse_opaque
from attestation.nvidia.roots import DEVICE_ROOT, RIM_ROOT
from attestation.nvidia.spdm import parse_report
from attestation.raw import members_document
from tests.attestation.nvidia.paper import VECTORS, faults, vector, with_chain
from tests.attestation.nvidia.published import AT, DATA, PAIRS, SWITCH, UNIT, gpus, switches

JSONS = {"hopper_evidence": 1, "hopper_evidence_cert_hold": 1, "multi_gpu_hopper": 4}


def test_vectors_are_the_published_ones():
    listed = {entry["file"]: entry["sha256"] for entry in json.loads(vector("provenance.json"))}
    present = {str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.is_file()}
    assert present - {"provenance.json", "defects.json"} == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256(vector(name)).hexdigest() == digest


@pytest.mark.parametrize(
    ("pinned", "files"),
    [
        (DEVICE_ROOT, ["verifier_device_root.pem", "switch_verifier_device_root.pem"]),
        (RIM_ROOT, ["verifier_RIM_root.pem", "switch_verifier_RIM_root.pem"]),
    ],
)
def test_pinned_roots_are_the_published_ones(pinned, files):
    for name in files:
        published = x509.load_pem_x509_certificate(vector(f"roots/{name}"))
        assert published.public_bytes(Encoding.DER) == pinned


@pytest.mark.parametrize("name", PAIRS)
def test_gpu(name):
    """The chain behind the report, or among the collateral."""
    report, chain = PAIRS[name]
    nonce = parse_report(bytes.fromhex(vector(report).decode())).nonce
    behind = gpus(read_gpus(with_chain(report, chain)), challenge=nonce)
    loose = gpus(read_gpus(vector(report)), challenge=nonce, collateral=[vector(chain)])
    for appraisal in (behind, loose):
        assert faults(appraisal) == set() and appraisal.passed
        (told,) = appraisal.claims["devices"]
        assert told["chip"] == ("GB100" if name == "gb100" else "GH100")
        assert told["platform_id"].startswith("NVIDIA:G") and appraisal.claims["report_data"] == nonce.hex()
        assert "debug" not in appraisal.claims  # without RIMs nobody knows
    assert behind.claims == loose.claims
    wrong = gpus(read_gpus(with_chain(report, chain)), challenge=bytes(32))
    assert faults(wrong) == {"evidence.nvidia.challenge-mismatch"}


def test_collateral_is_demanded_by_default():
    appraisal = appraise_gpus(read_gpus(with_chain(*PAIRS["h100-550"])), challenge=None, at=AT, trust=NvidiaTrust())
    assert not appraisal.failed and not appraisal.passed
    assert faults(appraisal) == {
        "evidence.nvidia.certificate-ocsp-missing",
        "evidence.nvidia.rim-missing",
        "evidence.nvidia.measurement-incomplete",
    }


def test_a_report_in_base64_of_hex():
    evidence = read_gpus(vector("private-ml-sdk/nvidia_payload.json"))
    appraisal = gpus(evidence, challenge=parse_report(evidence["report_0"]).nonce)
    assert appraisal.passed and appraisal.claims["devices"][0]["driver_version"] == "550.135"


@pytest.mark.parametrize("name", JSONS)
def test_json_evidence(name):
    evidence = read_gpus(vector(f"attsdk-evidence/{name}.json"))
    nonce = bytes.fromhex(json.loads(vector(f"attsdk-evidence/{name}.json"))[0]["nonce"])
    appraisal = gpus(evidence, challenge=nonce, device_count=JSONS[name])
    assert appraisal.passed and len(appraisal.claims["devices"]) == JSONS[name]
    assert faults(gpus(evidence, device_count=JSONS[name] % 16 + 1)) == {"evidence.nvidia.device-count"}


def test_switch_measures_what_its_rim_says():
    evidence = read_switches(with_chain(*SWITCH))
    assert switches(evidence).passed
    pytest.importorskip("signxml")
    rim = vector(f"{UNIT}/switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml")
    at = datetime(2026, 7, 1, tzinfo=UTC)
    appraisal = switches(evidence, at=at, collateral=[rim], require_rims=True)
    assert appraisal.passed and faults(appraisal) == set()
    (told,) = appraisal.claims["devices"]
    assert told["measurements_matched"] == 31 and told["device_pdi"] == "203eb31ad9ed0008"
    assert appraisal.claims["debug"] is False
    assert appraisal.expires < datetime(2028, 5, 19, tzinfo=UTC)
    early = switches(evidence, at=AT, collateral=[rim], require_rims=True)
    assert "evidence.nvidia.rim-signer-chain-expired" in faults(early)


def test_one_switch_four_times():
    """NVIDIA's sample of a set repeats one device, which no machine with four of them does."""
    appraisal = switches(read_switches(vector("attsdk-evidence/multi_switch_ls10.json")))
    assert faults(appraisal) == {"evidence.nvidia.device-duplicate"}
    assert switches(read_switches(vector("attsdk-evidence/switch_evidence_ls10.json"))).passed


def test_bad_signatures():
    gpu = read_gpus(with_chain(f"{DATA}/gpu/hopperAttestationReportInvalidSignature.txt", PAIRS["h100-535"][1]))
    assert "evidence.nvidia.signature-invalid" in faults(gpus(gpu))
    switch = read_switches(with_chain(f"{DATA}/switch/switchAttestationReportInvalidSignature.txt", SWITCH[1]))
    assert "evidence.nvidia.signature-invalid" in faults(switches(switch))
    bare = read_gpus(vector(f"{DATA}/gpu/hopperAttestationReportInvalidSignature.txt"))
    assert "evidence.nvidia.signature-invalid" in faults(gpus(bare, collateral=[vector(PAIRS["h100-535"][1])]))


def test_a_switch_is_no_gpu_and_the_reverse():
    assert "evidence.nvidia.device-kind" in faults(gpus(read_gpus(with_chain(*SWITCH))))
    assert "evidence.nvidia.device-kind" in faults(switches(read_switches(with_chain(*PAIRS["h100-550"]))))


@pytest.mark.parametrize(
    ("report", "parsed", "switch"),
    [
        (f"{UNIT}/hopperAttestationReport.txt", f"{UNIT}/spdm_parsed_output.json", False),
        (f"{UNIT}/switchAttestationReport.txt", f"{UNIT}/switch_spdm_parsed_output.json", True),
    ],
)
def test_agrees_with_nvidias_parser(report, parsed, switch):
    """NVIDIA's own parse of the same report: another program, by other people."""
    ours = parse_report(bytes.fromhex(vector(report).decode()))
    theirs = json.loads(vector(parsed))
    found = theirs["MeasurementRecord"]["MeasurementBlocks"]
    assert {int(index): block["DMTFSpecMeasurementValue"] for index, block in found.items()} == {
        index: "0x" + value.hex() for index, value in ours.measurements.items()
    }
    assert theirs["Nonce"] == "0x" + ours.responder_nonce.hex() and theirs["OpaqueLength"] == len(ours.opaque)
    assert theirs["Signature"] == "0x" + (ours.r << 384 | ours.s).to_bytes(96, "big").hex()
    fields = theirs["OpaqueData"]["OpaqueDataField"]
    told = parse_opaque(ours.opaque, switch=switch)
    assert fields["OPAQUE_FIELD_ID_VBIOS_VERSION"] == "0x" + told.fields[6].hex()
    if not switch:
        assert fields["OPAQUE_FIELD_ID_FWID"] == "0x" + told.fields[20].hex()
        assert told.text(3) == "580.159.03" and told.vbios_version == "96.00.74.00.20"
        assert told.describe()["mode"] == "spt" and told.describe()["protected_pcie"] is False


# Bits


def outcome(evidence, appraise):
    try:
        return appraise(evidence).passed
    except (MalformedError, UnsupportedError):
        return False


def accepted_flips(evidence, appraise, step):
    for name, data in evidence.items():
        for bit in range(0, len(data) * 8, step):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            if outcome({**evidence, name: bytes(flipped)}, appraise):
                yield name, bit


CASES = [
    pytest.param(read_gpus(with_chain(*PAIRS["h100-550"])), gpus, id="hopper"),
    pytest.param(read_gpus(with_chain(*PAIRS["gb100"])), gpus, id="blackwell"),
    pytest.param(read_switches(with_chain(*SWITCH)), switches, id="ls10"),
]


@pytest.mark.parametrize(("evidence", "appraise"), CASES)
def test_sampled_bits_cannot_change(evidence, appraise):
    assert list(accepted_flips(evidence, appraise, 131)) == []


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("evidence", "appraise"), CASES)
def test_no_bit_can_change(evidence, appraise):
    assert list(accepted_flips(evidence, appraise, 1)) == []


# Raw forms


def test_every_raw_form_gives_the_same_report():
    report, chain = PAIRS["h100-550"]
    plain = bytes.fromhex(vector(report).decode())
    whole = read_gpus(with_chain(report, chain))
    assert whole["report_0"] == plain and sorted(whole) == ["chain_0", "report_0"]
    for form in (plain, vector(report), b"0x" + vector(report), base64.b64encode(plain)):
        assert read_gpus(form) == {"report_0": plain}
    entry = {"evidence": base64.b64encode(plain).decode(), "certificate": base64.b64encode(vector(chain)).decode()}
    told = {"nonce": plain[4:36].hex(), "arch": "HOPPER"}
    shapes: list[Any] = [
        [{**told, **entry}],
        [{**entry, "arch": "hopper"}],
        {**told, "evidence_list": [entry]},
        {**told, **entry},
        [{**told, **entry, "certificate": vector(chain).decode(), "evidence": plain.hex()}],
        [{**told, **entry, "evidence": base64.b64encode(plain.hex().encode()).decode()}],
        {"device_evidence_list": [{**entry, "arch": "Hopper", "uuid": "GPU-1"}, {**entry, "arch": "LS10"}]},
        {"nvgpu": {"gpu_nonce": told["nonce"], "arch": "HOPPER", "evidence_list": [entry]}, "tdx": {"quote": ""}},
        {"signing_address": "0x00", "nvidia_payload": json.dumps({**told, "evidence_list": [entry]})},
    ]
    for shape in shapes:
        assert read_gpus(json.dumps(shape).encode()) == whole
    assert read_gpus(members_document("nvidia-gpu@v1", whole)) == whole
    assert read_gpus(json.dumps([{"evidence": plain.hex()}]).encode()) == {"report_0": plain}


@pytest.mark.parametrize(
    "name",
    [
        "dstack/gpu_attestation_h100.json",
        f"{DATA}/hopperClaimsv3_detached_eat.json",
        f"{DATA}/switch_detached_eat.json",
    ],
)
def test_a_verifiers_token_is_no_evidence(name):
    for read in (read_gpus, read_switches):
        with pytest.raises(MalformedError) as caught:
            read(vector(name))
        assert caught.value.code == "evidence.nvidia.raw-token"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b"[1]", "malformed"),
        (b'[{"evidence": 1}]', "malformed"),
        (b'[{"certificate": ""}]', "malformed"),
        (b'[{"evidence": "11e001ff", "nonce": "00"}]', "malformed"),
        (b'[{"evidence": "11e001ff", "arch": "LS10"}]', "malformed"),
        (b'[{"evidence": "11e001ff", "arch": 1}]', "malformed"),
        (b'[{"evidence": "11e001ff", "certificate": "00"}]', "malformed"),
        (b'[{"evidence": "11e001ff", "certificate": "-----BEGIN CERTIFICATE-----"}]', "malformed"),
        (b"[" + b'{"evidence": "11e001ff"},' * 16 + b'{"evidence": "11e001ff"}]', "malformed"),
        (b'{"type": "nvidia-switch@v1", "members": {}}', "malformed"),
        (b'{"nvidia_payload": "eyJh.eyJi.c"}', "token"),
        (b'{"nvidia_payload": "cafe"}', "malformed"),
        (b'{"nvidia_payload": 1}', "malformed"),
        (b'{"Evidence_list": [{"evidence": "11e001ff"}]}', "malformed"),
        (b'{"nvidia_payload": "{\\"detached_eat\\": 1}"}', "token"),
        (b'{"a": {"evidence_list": [{"evidence": "11"}]}, "b": {"evidence_list": [{"evidence": "12"}]}}', "malformed"),
        (b'{"device_evidence_list": [{"evidence": "11e001ff", "arch": "LS10"}]}', "malformed"),
        (b"11e001ff -----BEGIN CERTIFICATE-----", "malformed"),
    ],
)
def test_raw_forms_that_are_none(data, code):
    with pytest.raises(MalformedError) as caught:
        read_gpus(data)
    assert caught.value.code == f"evidence.nvidia.raw-{code}"
