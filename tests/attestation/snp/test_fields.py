# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports as JSON fields, as agents of Trustee send them: real ones, both sets of names, and what is no such report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from attestation import snp
from attestation.errors import MalformedError
from attestation.snp import roots as pinned
from attestation.snp.report import Report, parse_report
from tests.attestation.snp import real
from tests.attestation.snp.real import REPORTS, judge

TRUSTEE = real.read("trustee-e2e/evidence.json")


def of_version_6(report: Report) -> dict[str, Any]:
    """What `sev` 6.3 and later make of a report."""
    turin = report.cpuid is not None and report.cpuid[0] == 0x1A

    def tcb(octets: bytes) -> dict[str, Any]:
        fmc, bootloader, tee, firmware = octets[:4] if turin else (None, *octets[:2], octets[6])
        return {"fmc": fmc, "bootloader": bootloader, "tee": tee, "snp": firmware, "microcode": octets[7]}

    def version(numbers: tuple[int, int, int]) -> dict[str, int]:
        return dict(zip(("major", "minor", "build"), numbers, strict=True))

    octets = ("family_id", "image_id", "report_data", "measurement", "host_data", "id_key_digest", "author_key_digest")
    family, model, stepping = report.cpuid or (None, None, None)
    launched, current = report.mitigations or (None, None)
    return {
        "version": report.version,
        "guest_svn": report.guest_svn,
        "policy": report.policy,
        "vmpl": report.vmpl,
        "sig_algo": report.signature_algorithm,
        "plat_info": report.platform_info,
        "key_info": int.from_bytes(report.data[0x48:0x4C], "little"),
        **{name: list(getattr(report, name)) for name in octets},
        "report_id": list(report.report_id),
        "report_id_ma": list(report.migration_agent_report_id),
        "current_tcb": tcb(report.current_tcb),
        "reported_tcb": tcb(report.reported_tcb),
        "committed_tcb": tcb(report.committed_tcb),
        "launch_tcb": tcb(report.launch_tcb),
        "cpuid_fam_id": family,
        "cpuid_mod_id": model,
        "cpuid_step": stepping,
        "chip_id": list(report.chip_id),
        "current": version(report.firmware),
        "committed": version(report.committed_firmware),
        "launch_mit_vector": launched,
        "current_mit_vector": current,
        "signature": {"r": list(report.data[672:744]), "s": list(report.data[744:816])},
    }


def of_version_2(report: Report) -> dict[str, Any]:
    """What `sev` 2.0 to 5.0 make of it."""
    data, found = report.data, of_version_6(report)

    def tcb(octets: bytes) -> dict[str, Any]:
        names = {"bootloader": octets[0], "tee": octets[1], "snp": octets[6], "microcode": octets[7]}
        return {**names, "_reserved": list(octets[2:6])}

    for name in ("key_info", "cpuid_fam_id", "cpuid_mod_id", "cpuid_step", "launch_mit_vector", "current_mit_vector"):
        del found[name]
    for kind, at in (("current", 0x1E8), ("committed", 0x1EC)):
        del found[kind]
        found |= {f"{kind}_{part}": data[at + index] for index, part in enumerate(("build", "minor", "major"))}
    return {
        **found,
        "current_tcb": tcb(report.current_tcb),
        "reported_tcb": tcb(report.reported_tcb),
        "committed_tcb": tcb(report.committed_tcb),
        "launch_tcb": tcb(report.launch_tcb),
        "_author_key_en": int.from_bytes(data[0x48:0x4C], "little"),
        "_reserved_0": 0,
        "_reserved_1": list(data[0x188:0x1A0]),
        "_reserved_2": 0,
        "_reserved_3": 0,
        "_reserved_4": list(data[0x1F8:0x2A0]),
        "signature": {**found["signature"], "_reserved": list(data[816:])},
    }


def test_a_real_agents_evidence():
    members = snp.read(TRUSTEE)
    appraisal = judge(members)
    assert appraisal.passed
    assert appraisal.claims["product"] == "Genoa" and appraisal.claims["cpuid"]["model"] == 0xA0
    assert appraisal.claims["report_data"] == bytes(json.loads(TRUSTEE)["attestation_report"]["report_data"]).hex()


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("form", [of_version_2, of_version_6])
def test_both_sets_of_names(name, form):
    data = real.read(REPORTS[name][0])
    found = form(parse_report(data))
    for value in (found, {"attestation_report": found, "cert_chain": None}, {"evidence": {"report": found}}):
        assert snp.read(json.dumps(value).encode()) == {"report": data}


def in_hex(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: in_hex(inner) for name, inner in value.items()}
    return bytes(value).hex() if isinstance(value, list) else value


@pytest.mark.parametrize("form", [of_version_2, of_version_6])
def test_octets_in_hex(form):
    data = real.read(REPORTS["genoa-v5"][0])
    found = in_hex(form(parse_report(data)))
    assert snp.read(json.dumps(found).encode()) == {"report": data}
    for wrong in (found["chip_id"][2:], found["chip_id"] + "00", found["chip_id"].upper()[:-1] + "a", "0x" * 64):
        with pytest.raises(MalformedError):
            snp.read(json.dumps({**found, "chip_id": wrong}).encode())


def test_every_field_counts():
    """No field of a report can be changed, left out, renamed or added without another report, or a refusal."""
    evidence = json.loads(TRUSTEE)
    good = snp.read(TRUSTEE)
    fields = evidence["attestation_report"]
    for name, value in fields.items():
        changed = [
            {**fields, name: None},
            {**fields, name: "5"},
            {**fields, name: True},
            {**fields, name: -1},
            {**fields, name: 1 << 64},
            {**fields, name: 5.0},
            {key: item for key, item in fields.items() if key != name},
            {("x" if key == name else key): item for key, item in fields.items()},
        ]
        if isinstance(value, list):
            changed += [{**fields, name: value[1:]}, {**fields, name: [*value, 0]}, {**fields, name: [256, *value[1:]]}]
        for each in changed:
            text = json.dumps({**evidence, "attestation_report": each}).encode()
            if name.startswith("cpuid") and each.get(name) is None and each.keys() <= fields.keys():
                assert snp.read(text)["report"] != good["report"]  # these may be absent, and are zero then
                continue
            with pytest.raises(MalformedError) as caught:
                snp.read(text)
            assert caught.value.code == "evidence.snp.raw-malformed"
    for extra in ("launch", "_reserved_1", "_author_key_en"):
        with pytest.raises(MalformedError):
            snp.read(json.dumps({"attestation_report": {**fields, extra: 0}}).encode())


@pytest.mark.parametrize("label", ["VLEK", "ASK", "ARK", "CERT", None, ["VCEK"], {"ANY": "x"}])
def test_a_certificate_of_another_kind_than_it_is_called(label):
    evidence = json.loads(TRUSTEE)
    evidence["cert_chain"][0]["cert_type"] = label
    if label == "ASK":
        evidence["cert_chain"][0]["data"] = list(pinned.ARK_MILAN)
    with pytest.raises(MalformedError) as caught:
        snp.read(json.dumps(evidence).encode())
    assert caught.value.code == "evidence.snp.raw-malformed"


def test_what_is_no_certificate_is_left_out():
    evidence = json.loads(TRUSTEE)
    evidence["cert_chain"].append({"cert_type": "CRL", "data": [1, 2, 3]})
    evidence["cert_chain"].append({"cert_type": {"OTHER": "00000000-0000-0000-0000-000000000001"}, "data": [4]})
    assert snp.read(json.dumps(evidence).encode()) == snp.read(TRUSTEE)
