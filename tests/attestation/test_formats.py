# SPDX-License-Identifier: AGPL-3.0-or-later
"""The contract, the formats, and `simulated@v1`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import attestation
import attestation.collateral
import attestation.eventlog
from attestation import simulated
from attestation.contract import Appraisal, Check
from attestation.errors import (
    EvidenceError,
    MalformedError,
    OperationalError,
    RejectedError,
    UnsupportedError,
)
from attestation.formats import FORMATS, find_format
from attestation.producers import detect
from attestation.simulated import SimulatedEvidence, SimulatedTrust
from attestation.tpm2 import Tpm2Trust
from attestation.tpm2.device import TpmDevice
from attestation.tpm2.presence import device_problem, read_boot_log
from tests.attestation.paper import AT, CHALLENGE, PaperTpm, judge

ROOT = Path(__file__).resolve().parents[2]


def line(outcome, demanded=True):
    return Check("evidence.x", outcome, "", "", demanded=demanded)


@pytest.mark.parametrize(
    ("checks", "simulated_", "passed"),
    [
        ((), False, False),
        ((line("PASS"),), False, True),
        ((line("PASS"),), True, False),
        ((line("PASS"), line("SKIP")), False, False),
        ((line("PASS"), line("SKIP", demanded=False)), False, True),
        ((line("PASS"), line("FAIL", demanded=False)), False, False),
        ((line("SKIP", demanded=False),), False, False),
    ],
)
def test_what_counts_as_passed(checks, simulated_, passed):
    assert Appraisal("x@v1", checks, {}, simulated_).passed is passed


def test_formats_and_their_contract():
    assert set(FORMATS) == {
        "azure-snp-vtpm@v1",
        "azure-tdx-vtpm@v1",
        "cmw-collection@v1",
        "nitro-document@v1",
        "nvidia-gpu@v1",
        "nvidia-switch@v1",
        "simulated@v1",
        "sgx-quote@v1",
        "snp-report@v1",
        "tdx-quote@v1",
        "tpm2-quote@v1",
    }
    assert len({format_.name for format_ in FORMATS.values()}) == len(FORMATS)
    for type_, format_ in FORMATS.items():
        assert find_format(type_) is format_ and format_.type == type_
        assert any(member.required for member in format_.members.values())
        format_.trust_class()  # nothing is trusted by default, and that is valid
    assert [f.type for f in FORMATS.values() if f.simulated] == ["simulated@v1"]
    with pytest.raises(UnsupportedError) as caught:
        find_format("tpm3@v1")
    assert caught.value.code == "evidence.type-unknown" and caught.value.remedy


def test_public_names_are_sorted():
    packages = {sys.modules[f.trust_class.__module__.rpartition(".")[0]] for f in FORMATS.values()}
    for package in (attestation, attestation.collateral, attestation.eventlog, *packages):
        assert list(package.__all__) == sorted(package.__all__, key=lambda n: (not n.isupper(), n))
        assert all(hasattr(package, name) for name in package.__all__)


def test_errors_are_a_tree():
    for kind in (MalformedError, RejectedError, UnsupportedError, OperationalError):
        error = kind("evidence.x", "what", remedy="do")
        assert isinstance(error, EvidenceError)
        assert (error.code, error.message, error.remedy, str(error)) == ("evidence.x", "what", "do", "what")


CLOSURE = """
import json, sys
import attestation.collateral
import attestation.eventlog
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))))
"""


def test_appraising_imports_little():
    result = subprocess.run([sys.executable, "-c", CLOSURE], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    loaded = {name for name in json.loads(result.stdout) if not name.startswith(("__", "_cython", "_distutils"))}
    assert loaded <= {"attestation", "cbor2", "cryptography", "_cffi_backend", "_openssl"}
    modules = "import sys, attestation.formats; print([m in sys.modules for m in ('subprocess', 'tempfile')])"
    result = subprocess.run([sys.executable, "-c", modules], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.strip() == "[False, False]"


# Arguments and members, the same for every format.


@pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS)
def test_callers_mistakes_are_not_the_evidences(format_):
    trust = format_.trust_class()
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    for challenge, at, code in ((b"c", naive, "time-naive"), (bytes(65), AT, "challenge-too-long")):
        with pytest.raises(OperationalError) as caught:
            format_.appraise({}, challenge=challenge, at=at, trust=trust)
        assert caught.value.code == f"evidence.{code}"


@pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS)
def test_members_of_each_format(format_):
    required = {name: b"x" for name, member in format_.members.items() if member.required}
    cases = [("unknown", {**required, "atest": b"x"}), ("missing", {})]
    cases += [("missing", {other: b"x" for other in required if other != name}) for name in required]
    cases += [("empty", {**required, name: b""}) for name in format_.members]
    cases += [
        ("too-large", {**required, name: bytes(member.max_size + 1)})
        for name, member in list(format_.members.items())[:3]
    ]
    for code, members in cases:
        with pytest.raises(MalformedError) as caught:
            format_.appraise(members, challenge=b"c", at=AT, trust=format_.trust_class())
        assert caught.value.code.endswith(f".member-{code}")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"atest": b"x"}, "evidence.tpm2.member-unknown"),
        ({"attest": None}, "evidence.tpm2.member-missing"),
        ({"signature": None}, "evidence.tpm2.member-missing"),
        ({"ak_public": None}, "evidence.tpm2.member-missing"),
        ({"pcrs": None}, "evidence.tpm2.member-missing"),
        ({"ek_certificate": b""}, "evidence.tpm2.member-empty"),
        ({"attest": bytes(1025)}, "evidence.tpm2.member-too-large"),
        ({"event_log": bytes((1 << 20) + 1)}, "evidence.tpm2.member-too-large"),
    ],
)
def test_members_are_checked_first(changes, code):
    with pytest.raises(MalformedError) as caught:
        judge(PaperTpm().members(**changes))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "settings",
    [
        {"banks": frozenset({"sha1"})},
        {"banks": frozenset()},
        {"signature_hashes": frozenset({"md5"})},
        {"reference_pcrs": {("sha1", 0): frozenset({bytes(20)})}},
        {"reference_pcrs": {("sha256", 0): frozenset()}},
        {"reference_pcrs": {("sha256", 0): frozenset({bytes(31)})}},
        {"reference_pcrs": {("sha256", 32): frozenset({bytes(32)})}},
        {"required_pcrs": frozenset({32})},
        {"ek_certificates": frozenset({b"x"})},
    ],
)
def test_meaningless_trust_is_refused(settings):
    with pytest.raises(OperationalError) as caught:
        Tpm2Trust(**settings)
    assert caught.value.code == "evidence.tpm2.trust-invalid"


# simulated@v1


@given(st.binary(min_size=1, max_size=64))
def test_simulated_evidence_never_passes(challenge):
    members = SimulatedEvidence().collect(challenge)
    appraisal = simulated.appraise(members, challenge=challenge, at=AT, trust=SimulatedTrust())
    assert appraisal.simulated and not appraisal.passed and not appraisal.failed
    assert [check.code for check in appraisal.missing] == ["evidence.simulated.proves-nothing"]
    assert b"This is not evidence" in members["statement"]


def test_simulated_evidence_for_another_challenge():
    members = SimulatedEvidence().collect(CHALLENGE)
    appraisal = simulated.appraise(members, challenge=bytes(32), at=AT, trust=SimulatedTrust())
    assert [check.code for check in appraisal.failed] == ["evidence.simulated.challenge-mismatch"]


def test_simulated_statement_has_one_form():
    statement = SimulatedEvidence().collect(CHALLENGE)["statement"]
    others = [statement[:-1], statement + b"\n", statement.upper(), statement.replace(b"00", b"0", 1), b"\xff"]
    others += [statement.replace(b"0001", b"00 01"), statement.replace(CHALLENGE.hex().encode(), b"")]
    for other in others:
        with pytest.raises(MalformedError) as caught:
            simulated.appraise({"statement": other}, challenge=CHALLENGE, at=AT, trust=SimulatedTrust())
        assert caught.value.code == "evidence.simulated.statement-malformed"
    with pytest.raises(OperationalError):
        SimulatedEvidence().collect(b"")
    assert "simulated" in SimulatedEvidence().describe()


# What this machine can produce.


def test_detect_always_ends_with_simulated(tmp_path):
    nowhere = tmp_path / "no-device"
    candidates = detect(nowhere, sev=nowhere, trust_domain=nowhere, nsm=nowhere, nvidia=nowhere)
    assert [c.name for c in candidates] == [
        "snp", "tdx", "nitro", "tpm2-device", "nvidia", "tpm2-software", "simulated",
    ]  # fmt: skip
    assert not any(c.available for c in candidates[:5]) and all(c.reason.startswith("no ") for c in candidates[:5])
    assert candidates[-1].available and candidates[-1].type == "simulated@v1"
    for candidate in candidates:
        assert candidate.reason and "\n" not in candidate.reason
        assert candidate.available or candidate.name != "tpm2-software" or candidate.remedy


def test_device_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("attestation.tpm2.device.library_problem", lambda: "")
    with pytest.raises(OperationalError) as caught:
        TpmDevice(f"device:{tmp_path}/tpm")
    assert caught.value.code == "evidence.tpm2.device-unavailable"
    assert read_boot_log(tmp_path / "log") is None
    (tmp_path / "tpm").touch()
    assert device_problem(tmp_path / "tpm") == ""


def test_library_that_is_not_there(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError) as caught:
        TpmDevice()
    assert caught.value.code == "evidence.tpm2.library-absent" and caught.value.remedy
    software = {c.name: c for c in detect()}["tpm2-software"]
    assert not software.available and software.remedy


def test_swtpm_that_is_not_there(monkeypatch, tmp_path):
    from attestation.tpm2.software import SoftwareTpm

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedError) as caught:
        SoftwareTpm()
    assert caught.value.code == "evidence.tpm2.swtpm-absent" and "swtpm" in caught.value.remedy


def test_at_in_another_zone_is_the_same_time():
    members = PaperTpm().members()
    assert judge(members, at=AT.astimezone(UTC)).passed


def test_every_format_knows_its_signed_body():
    """Simulated evidence has no signature."""
    assert {name for name, format_ in FORMATS.items() if format_.signed is None} == {"simulated@v1"}


NAMES = st.sampled_from(
    ["outblob", "auxblob", "provider", "evidence", "attestation", "quote", "report", "certificates"]
)
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.binary(max_size=40) | st.text(max_size=9) | NAMES
MAPS = st.recursive(
    st.dictionaries(PLAIN, PLAIN, max_size=3),
    lambda inner: st.dictionaries(NAMES, inner | st.lists(PLAIN, max_size=3), max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", sorted(FORMATS))
@given(value=MAPS, more=PLAIN)
@example(value={1: "outblob"}, more=None)
@example(value={"evidence": {1: "outblob"}}, more=None)
@example(value={b"quote": "outblob"}, more=None)
def test_any_map_is_read_or_refused(name, value, more):
    for found in (value, {**value, "x": "outblob"}, {"outblob": more, **value}):
        try:
            members = FORMATS[name].read(cbor2.dumps(found))
        except EvidenceError:
            continue
        assert all(isinstance(data, bytes) for data in members.values())
