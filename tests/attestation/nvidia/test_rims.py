# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reference integrity manifests: real ones, wrapped, bombed, resigned, and what devices are compared with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from attestation.errors import RejectedError
from attestation.nvidia import read_gpus
from attestation.nvidia.rim import MAX_CANDIDATES
from attestation.nvidia.swid import parse_manifest, parse_signed
from tests.attestation.nvidia.manifests import one, verified
from tests.attestation.nvidia.paper import (
    AT,
    VECTORS,
    bag,
    device,
    faults,
    golden,
    judge,
    report,
    resource,
    rim_signer,
    rim_text,
    rims,
    sign_rim,
    vector,
    with_chain,
)
from tests.attestation.nvidia.published import PAIRS, gpus, switches
from tests.attestation.nvidia.published import SWITCH as SWITCH_FILES
from tests.attestation.small_pki import Identity, issue

pytest.importorskip("signxml")

UNIT = "attsdk-unit"
RIMS = f"{UNIT}/sample_rims"
H100_VBIOS = vector("nvtrust-samples/1010_0200_882_96005E0001_PROD.swidtag")
REAL = sorted(str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.suffix in (".xml", ".swidtag"))
TAMPERED = {
    f"{UNIT}/incorrect_signature_driver_rim.xml",
    f"{RIMS}/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml",
    f"{RIMS}/NV_GPU_DRIVER_GH100_570.124.03_expired.xml",
    f"{RIMS}/NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml",
    f"{RIMS}/NV_SWITCH_BIOS_5612_0002_890_9610550001_measurement_mismatch.xml",
}
"""Whose content is not what was signed; one sample called "mismatch" was signed anew and verifies."""


@pytest.mark.parametrize("name", REAL)
def test_real_rim(name):
    data = vector(name)
    if name in TAMPERED:
        with pytest.raises(RejectedError) as caught:
            verified(data)
        assert caught.value.code == "evidence.nvidia.rim-signature-invalid"
    else:
        assert parse_manifest(verified(data)) == parse_signed(data).claimed


def test_real_gpu_measures_what_its_vbios_rim_says():
    """12 of 12; the driver of that report has no genuine RIM among the vectors."""
    evidence = read_gpus(with_chain(*PAIRS["h100-535"]))
    at = datetime(2024, 6, 1, tzinfo=UTC)
    appraisal = gpus(evidence, at=at, collateral=[H100_VBIOS])
    assert appraisal.passed
    (told,) = appraisal.claims["devices"]
    assert told["measurements_matched"] == 12 and "debug" not in appraisal.claims
    demanded = gpus(evidence, at=at, collateral=[H100_VBIOS], require_rims=True)
    assert faults(demanded) == {"evidence.nvidia.rim-missing", "evidence.nvidia.measurement-incomplete"}


def test_real_rim_with_other_measurements():
    """Signed by NVIDIA for the same version, with other digests; where both are there, the one that fits counts."""
    evidence = read_gpus(with_chain(*PAIRS["h100-535"]))
    other = vector(f"{RIMS}/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml")
    at = datetime(2024, 6, 1, tzinfo=UTC)
    alone = gpus(evidence, at=at, collateral=[other])
    assert faults(alone) == {"evidence.nvidia.measurement-mismatch"}
    assert alone.claims["unexpected_components"]
    for both in ([other, H100_VBIOS], [H100_VBIOS, other]):
        assert gpus(evidence, at=at, collateral=both).passed


@pytest.mark.parametrize(
    ("name", "evidence", "at", "code"),
    [
        (f"{RIMS}/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml", "h100-535", 2026, "signature-invalid"),
        (f"{RIMS}/NV_GPU_DRIVER_GH100_570.124.03_expired.xml", "h100-570", 2026, "signer-chain-expired"),
        (f"{RIMS}/NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml", "", 2025, "signature-invalid"),
    ],
)
def test_real_tampered_rims(name, evidence, at, code):
    at = datetime(at, 1, 1, tzinfo=UTC)
    if evidence:
        appraisal = gpus(read_gpus(with_chain(*PAIRS[evidence])), at=at, collateral=[vector(name)])
    else:
        from attestation.nvidia import read_switches

        appraisal = switches(read_switches(with_chain(*SWITCH_FILES)), at=at, collateral=[vector(name)])
    assert faults(appraisal) == {f"evidence.nvidia.rim-{code}"}


# Which RIM is a device's


def test_paper_rims_pass():
    assert one(rims()[0]).passed
    assert judge(collateral=bag(*rims(), H100_VBIOS), require_ocsp=False).passed  # others are left alone


@pytest.mark.parametrize(
    "text",
    [
        rim_text("550.90.08", golden(range(20, 40))),
        rim_text("550.90.07", golden(range(20, 40)), edition="SWITCH"),
        rim_text("550.90.07", golden(range(20, 40)), product="GB100"),
    ],
)
def test_rims_of_other_devices(text):
    appraisal = one(sign_rim(text))
    assert faults(appraisal) == {"evidence.nvidia.rim-missing", "evidence.nvidia.measurement-incomplete"}
    assert not appraisal.failed


def test_a_mismatch_fails_also_where_the_other_rim_is_missing():
    wrong = sign_rim(rim_text("550.90.07", resource(20, [bytes(48)])))
    appraisal = judge(collateral=bag(wrong), require_ocsp=False, require_rims=False)
    assert {check.code for check in appraisal.failed} == {"evidence.nvidia.measurement-mismatch"}


def test_two_rims_for_one_measurement():
    both = sign_rim(rim_text("550.90.07", golden(range(10, 40))))
    assert faults(one(both)) == {"evidence.nvidia.measurement-conflict"}


def test_measurement_that_is_not_reported():
    beyond = sign_rim(rim_text("550.90.07", resource(64, [b"\1" * 48])))
    assert faults(one(beyond)) == {"evidence.nvidia.measurement-mismatch"}
    idle = sign_rim(rim_text("550.90.07", resource(64, [b"\1" * 48], active=False) + golden(range(20, 40))))
    assert one(idle).passed


def test_video_decoder():
    """Measurement 35 counts where the decoder is on, or in a state that nobody published."""
    for state, passes in ((b"\x55", True), (b"\xaa", False), (b"\x00", False), (b"", False)):
        fields = {**device().fields, 11: state}
        evidence = {"report_0": report(fields=fields), "chain_0": device().der}
        appraisal = judge(evidence, collateral=bag(*rims()), require_ocsp=False)
        assert appraisal.passed is passes
        if not passes:
            assert appraisal.claims["unexpected_components"] == ["device 0: measurement 35"]


def test_a_few_candidates_are_looked_at():
    bad = [sign_rim(rim_text("550.90.07", resource(20 + n, [bytes(48)]))) for n in range(MAX_CANDIDATES)]
    assert one(rims()[0], None).passed
    crowd = judge(collateral=bag(*bad, *rims()), require_ocsp=False)
    assert not crowd.passed


# Signers


def chain_of(**settings) -> tuple[Identity, ...]:
    return issue("paper RIM signer", AT, rim_signer()[1], **settings), *rim_signer()[1:]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"end": AT - timedelta(seconds=1)}, "signer-chain-expired"),
        ({"end": AT}, ""),
        ({"start": AT}, ""),
        ({"start": AT + timedelta(seconds=1), "end": AT + timedelta(days=9)}, "signer-chain-expired"),
        ({"signs": False}, "signer-usage"),
        ({"ca": True}, "signer-chain-leaf-is-ca"),
    ],
)
def test_signers(settings, code):
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain_of(**settings))
    found = {fault for fault in faults(one(driver)) if "measurement" not in fault}
    assert found == ({f"evidence.nvidia.rim-{code}"} if code else set())


def test_signer_of_an_attackers_pki():
    root = issue("paper RIM root", AT, ca=True)
    chain = (issue("paper RIM signer", AT, root), root)
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain)
    assert "evidence.nvidia.rim-signer-untrusted" in faults(one(driver))
    mixed = sign_rim(rim_text("550.90.07", golden(range(20, 40))), (chain[0], *rim_signer()[1:]))
    assert "evidence.nvidia.rim-signer-chain-broken" in faults(one(mixed))


def test_rim_signed_by_a_device():
    """NVIDIA's device CA signs no RIMs, nor the RIM CA devices."""
    chain = (device().chain[0], *device().chain[1:])
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain)
    assert "evidence.nvidia.rim-signer-untrusted" in faults(one(driver))


def test_genuine_certificates_over_another_signature():
    """The certificates are not under the signature: another key's signature with the genuine chain."""
    other = issue("x", AT, rim_signer()[1])
    mixed = (Identity(rim_signer()[0].certificate, other.key), *rim_signer()[1:])
    forged = sign_rim(rim_text("550.90.07", golden(range(20, 40))), mixed)
    assert "evidence.nvidia.rim-signature-invalid" in faults(one(forged))


def test_signature_method_below_sha384():
    from signxml.algorithms import SignatureMethod  # type: ignore[import-not-found,unused-ignore]

    text = rim_text("550.90.07", golden(range(20, 40)))
    weak = sign_rim(text, signature_algorithm=SignatureMethod.ECDSA_SHA256)
    assert "evidence.nvidia.rim-signature-invalid" in faults(one(weak))


def test_an_ocsp_responder_signs_no_rims():
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain_of(extensions=[(purpose, False)]))
    assert "evidence.nvidia.rim-signer-usage" in faults(one(driver))
