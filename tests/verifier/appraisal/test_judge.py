# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each verdict and each code of a judgement; what profiles demand; nothing but evidence that passed is affirmed."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

import attestation.errors
from attestation.collateral import EMPTY, Collateral, Item
from attestation.contract import Appraisal, Check
from attestation.ear.tiers import CATEGORIES, Tier, worst
from attestation.formats import find_format
from attestation.raw import members_document
from tests.attestation import paper
from tests.verifier.appraisal.making import AT, CLEAN, FRESH, NO_LIST, STALE, TYPE, Fake, judged, line, policy
from verifier.appraisal.judgement import conclude, judge, judge_file, worsen
from verifier.appraisal.trustworthiness import vector_of
from verifier.policy import Policy, profile_policy
from verifier.profiles import PROFILES, Demands
from verifier.verdict import Verdict

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def test_accept(monkeypatch):
    found = judged(Fake(expires=AT), monkeypatch)
    assert (found.verdict, found.code, found.status, found.expires) == (Verdict.ACCEPT, "", Tier.AFFIRMING, AT)
    assert found.score.permille == 1000 and found.claims == CLEAN


def test_the_first_false_check_names_the_verdict(monkeypatch):
    bad = (FRESH, line("evidence.fake.b", "FAIL"), line("evidence.fake.a", "FAIL"), line("evidence.fake.c", "SKIP"))
    found = judged(Fake(bad), monkeypatch)
    assert (found.verdict, found.code) == (Verdict.REJECT, "evidence.fake.b-fail")
    assert found.status is Tier.CONTRAINDICATED
    assert (found.score.permille, found.score.reason) == (0, "a check is false")
    assert "evidence.fake.b: observed seen, required wanted" in found.message


def test_a_demanded_check_that_is_open(monkeypatch):
    found = judged(Fake((FRESH, line("evidence.fake.chain", "SKIP"))), monkeypatch)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.fake.chain-skip")
    assert found.status is Tier.NONE and found.score.permille <= 500


def test_nothing_that_was_checked_is_no_acceptance(monkeypatch):
    for checks in ((), (STALE,)):
        found = judged(Fake(checks), monkeypatch, policy(Demands(freshness=False)))
        assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "policy.check.not-made")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (attestation.errors.MalformedError("evidence.fake.bad", "bad"), Verdict.MALFORMED),
        (attestation.errors.RejectedError("evidence.fake.bad", "bad", remedy="r"), Verdict.REJECT),
        (attestation.errors.UnsupportedError("evidence.fake.bad", "bad", remedy="r"), Verdict.UNVERIFIABLE),
        (attestation.errors.OperationalError("evidence.fake.bad", "bad"), Verdict.ERROR),
    ],
)
def test_what_a_format_raises(monkeypatch, error, verdict):
    found = judged(Fake(error=error), monkeypatch)
    assert (found.verdict, found.code, found.score.permille) == (verdict, "evidence.fake.bad", 0)
    assert found.status is (Tier.CONTRAINDICATED if verdict is Verdict.REJECT else Tier.NONE)
    assert found.remedy == error.remedy or (verdict is Verdict.MALFORMED and "as its source gave it" in found.remedy)


def test_types_that_are_unknown_or_not_accepted(monkeypatch):
    found = judge("other@v1", {}, challenge=None, at=AT, policy=Policy())
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.type.unsupported")
    found = judged(Fake(), monkeypatch, policy(evidence=()))
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.type.not-accepted")
    assert found.remedy and found.status is Tier.NONE


def test_simulated_evidence(monkeypatch):
    fake = Fake((FRESH, line("evidence.fake.root", "SKIP")), simulated=True)
    found = judged(fake, monkeypatch)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.fake.root-skip")
    assert judged(Fake((FRESH,), simulated=True), monkeypatch).code == "evidence.simulated.proves-nothing"
    assert judged(fake, monkeypatch, Policy()).code == "evidence.type.not-accepted"
    unsafe = policy(unsafe_accept_simulated=True, evidence=())
    found = judged(fake, monkeypatch, unsafe)
    assert (found.verdict, found.status, found.score.permille) == (Verdict.ACCEPT, Tier.WARNING, 0)
    false = Fake((line("evidence.fake.challenge", "FAIL"),), simulated=True)
    assert judged(false, monkeypatch, unsafe).verdict is Verdict.REJECT


def test_simulations_that_are_accepted_excuse_nothing_else(monkeypatch):
    """A policy that takes simulated evidence demands of genuine evidence what every policy does."""
    unsafe = policy(unsafe_accept_simulated=True)
    genuine = Fake((FRESH, line("evidence.fake.root", "SKIP")))
    found = judged(genuine, monkeypatch, unsafe)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.fake.root-skip")
    assert worsen(found, [line("policy.rego.allow")]).verdict is Verdict.UNVERIFIABLE
    simulated = judged(dataclasses.replace(genuine, simulated=True), monkeypatch)
    assert worsen(simulated, [line("policy.rego.allow")]).verdict is Verdict.UNVERIFIABLE
    accepted = judged(Fake(), monkeypatch)
    mixed = [line("policy.rego.allow"), line("policy.rego", "FAIL")]
    assert worsen(accepted, mixed).remedy == worsen(accepted, mixed[::-1]).remedy


def test_freshness(monkeypatch):
    stale = Fake((line(), STALE))
    found = judged(stale, monkeypatch, challenge=None)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.fake.challenge-not-given")
    found = judged(stale, monkeypatch, policy(PROFILES["home"]), challenge=None)
    assert found.verdict is Verdict.ACCEPT and found.score.permille == 850
    assert [check.code for check in found.checks if check.outcome == "SKIP"] == ["evidence.fake.challenge-not-given"]


@pytest.mark.parametrize("problem", ["missing", "invalid", "expired"])
def test_revocation(monkeypatch, problem):
    code = f"evidence.fake.x-crl-{problem}"
    unlisted = Fake((line(), FRESH, line("evidence.fake.revocation", "SKIP", code=code, demanded=False)))
    found = judged(unlisted, monkeypatch)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, code)
    found = judged(unlisted, monkeypatch, policy(PROFILES["home"]))
    assert found.verdict is Verdict.ACCEPT and found.score.permille < 1000


def test_debug_is_never_affirming(monkeypatch):
    debug = Fake(claims={**CLEAN, "debug": True})
    found = judged(debug, monkeypatch)
    assert (found.verdict, found.code) == (Verdict.REJECT, "policy.debug.not-tolerated")
    assert found.vector["configuration"] is Tier.CONTRAINDICATED
    found = judged(debug, monkeypatch, policy(PROFILES["development"]))
    assert (found.verdict, found.status) == (Verdict.ACCEPT, Tier.WARNING)
    assert found.vector["configuration"] is Tier.WARNING and found.score.permille == 850


@pytest.mark.parametrize(
    ("status", "profile", "verdict", "tier"),
    [
        ("UpToDate", "home", Verdict.ACCEPT, Tier.AFFIRMING),
        ("SWHardeningNeeded", "home", Verdict.REJECT, Tier.CONTRAINDICATED),
        ("OutOfDate", "enterprise", Verdict.REJECT, Tier.CONTRAINDICATED),
        ("OutOfDate", "development", Verdict.ACCEPT, Tier.WARNING),
        ("Revoked", "development", Verdict.REJECT, Tier.CONTRAINDICATED),
        ("the vendor's own word", "home", Verdict.ACCEPT, Tier.AFFIRMING),
    ],
)
def test_tcb_statuses(monkeypatch, status, profile, verdict, tier):
    found = judged(Fake(claims={**CLEAN, "tcb_status": status}), monkeypatch, policy(PROFILES[profile]))
    assert (found.verdict, found.status) == (verdict, tier)
    if verdict is Verdict.REJECT:
        assert found.code == "policy.tcb-status.not-tolerated"


def test_a_formats_own_table_speaks_for_itself(monkeypatch):
    out = Fake(claims={**CLEAN, "tcb_status": "OutOfDate"})
    found = judged(out, monkeypatch, policy(tables={"fake": {"tcb_statuses": ["OutOfDate"]}}))
    assert found.verdict is Verdict.ACCEPT


def test_a_profile_sets_what_a_trust_class_has(monkeypatch):
    fake = Fake()
    judged(fake, monkeypatch, policy(PROFILES["development"]))
    assert not fake.trust.require_crl and fake.trust.allow_debug and "OutOfDate" in fake.trust.tcb_statuses
    judged(fake, monkeypatch, policy(PROFILES["enterprise"]))
    assert fake.trust.require_crl and not fake.trust.allow_debug and fake.trust.tcb_statuses == {"UpToDate"}


def test_the_age_of_collateral(monkeypatch):
    def dated(days: int) -> Collateral:
        issued = (AT - timedelta(days=days)).isoformat()
        return Collateral((Item("json", f'{{"tcbInfo": {{"issueDate": "{issued}"}}}}'.encode()),))

    demands = Demands(max_collateral_age_days=30)
    assert judged(Fake(), monkeypatch, policy(demands), collateral=dated(30)).verdict is Verdict.ACCEPT
    found = judged(Fake(), monkeypatch, policy(demands), collateral=dated(31))
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "policy.collateral.too-old")
    beginning = datetime(1, 1, 2, tzinfo=UTC)
    assert judged(Fake(), monkeypatch, policy(demands), collateral=dated(31), at=beginning).verdict is Verdict.ACCEPT
    undated = Collateral((Item("binary", b"x"),))
    found = judged(Fake(), monkeypatch, policy(demands), collateral=undated)
    assert found.verdict is Verdict.ACCEPT
    assert "policy.collateral.undated" in {check.code for check in found.checks}


def test_the_minimum_score(monkeypatch):
    found = judged(Fake((line(), FRESH, NO_LIST)), monkeypatch, policy(Demands(revocation=False, minimum_score=900)))
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "policy.score.too-low")
    assert judged(Fake(), monkeypatch, policy(Demands(minimum_score=1000))).verdict is Verdict.ACCEPT


def test_further_lines_only_worsen(monkeypatch):
    accepted = judged(Fake(), monkeypatch)
    assert worsen(accepted, [line("policy.rego.allow")]).verdict is Verdict.ACCEPT
    assert worsen(accepted, [line("policy.rego", "SKIP")]).verdict is Verdict.UNVERIFIABLE
    assert worsen(accepted, [line("policy.rego", "FAIL")]).verdict is Verdict.REJECT
    rejected = judged(Fake((line(outcome="FAIL"),)), monkeypatch)
    assert worsen(rejected, [line("policy.rego.allow")]).code == rejected.code
    malformed = judged(Fake(error=attestation.errors.MalformedError("evidence.fake.bad", "bad")), monkeypatch)
    assert worsen(malformed, [line("policy.rego.allow")]) is malformed
    simulated = judged(
        Fake((FRESH, line("evidence.fake.root", "SKIP")), simulated=True),
        monkeypatch,
        policy(unsafe_accept_simulated=True),
    )
    assert worsen(simulated, [line("policy.rego.allow")]).verdict is Verdict.ACCEPT
    assert worsen(simulated, [line("policy.rego", "SKIP")]).verdict is Verdict.UNVERIFIABLE


CHECKS = st.lists(
    st.builds(
        Check,
        st.sampled_from(["evidence.fake.a", "evidence.fake.challenge", "policy.x"]),
        st.sampled_from(["PASS", "FAIL", "SKIP"]),
        st.just(""),
        st.just(""),
        st.just("evidence.fake.code"),
        demanded=st.booleans(),
        category=st.sampled_from(["", *CATEGORIES]),
        warning=st.booleans(),
    ),
    max_size=8,
)


@given(CHECKS, st.booleans())
def test_status_verdict_and_vector_agree(checks, debug):
    found = conclude(Appraisal(TYPE, tuple(checks), {"debug": debug}), tuple(checks), AT)
    assert found.status.badness >= worst((*found.vector.values(), Tier.AFFIRMING)).badness
    assert (found.status is Tier.CONTRAINDICATED) == (found.verdict is Verdict.REJECT)
    assert found.verdict is Verdict.ACCEPT or found.status not in (Tier.AFFIRMING, Tier.WARNING)
    assert not (debug and found.status is Tier.AFFIRMING)
    if any(check.outcome == "FAIL" for check in checks):
        assert found.verdict is Verdict.REJECT
    if any(check.outcome == "SKIP" and check.demanded for check in checks):
        assert found.verdict is not Verdict.ACCEPT


@given(CHECKS, CHECKS)
def test_no_line_makes_a_verdict_better(checks, more):
    order = (Verdict.REJECT, Verdict.UNVERIFIABLE, Verdict.ACCEPT)
    before = conclude(Appraisal(TYPE, tuple(checks)), tuple(checks), AT)
    after = worsen(before, more)
    if before.code != "policy.check.not-made" or all(line.id.startswith("policy.") for line in more):
        assert order.index(after.verdict) <= order.index(before.verdict)


def test_files_that_cannot_be_read():
    def refusing(error):
        def read(data):
            raise error

        return dataclasses.replace(Fake().format, read=read)

    asked: dict[str, Any] = {"challenge": None, "at": AT, "policy": policy()}
    for kind, verdict in (
        (attestation.errors.MalformedError, Verdict.MALFORMED),
        (attestation.errors.UnsupportedError, Verdict.UNVERIFIABLE),
        (attestation.errors.OperationalError, Verdict.ERROR),
    ):
        found, members = judge_file(refusing(kind("evidence.fake.raw", "raw")), b"x", **asked)
        assert (found.verdict, found.code, found.status, members) == (verdict, "evidence.fake.raw", Tier.NONE, None)
    found, _ = judge_file(Fake().format, b"x", **asked, collateral=[b"-----BEGIN CERTIFICATE-----\n"])
    assert (found.verdict, found.code) == (Verdict.MALFORMED, "evidence.collateral.armour-malformed")


def test_the_callers_own_collateral_comes_before_what_evidence_carries(monkeypatch):
    seen: list[bytes] = []

    def appraise(members: Any, *, challenge: Any, at: Any, trust: Any, collateral: Collateral = EMPTY) -> Appraisal:
        seen.extend(item.data for item in collateral.items)
        return Appraisal(TYPE, (FRESH,))

    carrying = dataclasses.replace(
        Fake().format, appraise=appraise, read=lambda data: {"x": data, "collateral.0": b"\x01theirs"}
    )
    monkeypatch.setattr("verifier.appraisal.judgement.FORMATS", {TYPE: carrying})
    judge_file(carrying, b"x", challenge=b"c" * 32, at=AT, policy=policy(), collateral=[b"\x01own"])
    assert seen == [b"\x01own", b"\x01theirs"]


def test_carried_lists_do_not_hide_the_callers_own():
    real = VECTORS / "tdx" / "dcap-qvl"
    tdx = find_format("tdx-quote@v1")
    home = profile_policy("home")
    strict = dataclasses.replace(home, demands=dataclasses.replace(home.demands, revocation=True))
    names = [f"Intel SGX {name} CA" for name in ("Root", "PCK Platform", "PCK Processor")]
    forged = [empty_list(name, number) for name in names for number in range(8)]
    carried = {f"collateral.{number}": data for number, data in enumerate(forged)}
    evidence = members_document(tdx.type, {**tdx.read((real / "tdx_quote").read_bytes()), **carried})
    own = [(real / "tdx_quote_collateral.json").read_bytes()]
    found, _ = judge_file(
        tdx, evidence, challenge=None, at=datetime(2025, 6, 20, tzinfo=UTC), policy=strict, collateral=own
    )
    assert (found.verdict, found.code) == (Verdict.ACCEPT, "")


def empty_list(name: str, number: int) -> bytes:
    builder = x509.CertificateRevocationListBuilder(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), AT, AT + timedelta(days=1)
    ).add_extension(x509.CRLNumber(number), critical=False)
    return builder.sign(ec.derive_private_key(7, ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)


def test_real_quotes_under_a_profile():
    members = paper.PaperTpm().members()
    chosen = Policy(
        evidence=("tpm2-quote@v1",), trust={"tpm2": paper.trust()}, tables={"tpm2": {}}, demands=PROFILES["home"]
    )
    found = judge("tpm2-quote@v1", members, challenge=paper.CHALLENGE, at=paper.AT, policy=chosen)
    assert (found.verdict, found.status) == (Verdict.ACCEPT, Tier.AFFIRMING)
    found = judge("tpm2-quote@v1", members, challenge=bytes(32), at=paper.AT, policy=chosen)
    assert (found.verdict, found.code) == (Verdict.REJECT, "evidence.tpm2.challenge-mismatch")
    nobody = profile_policy("home")
    found = judge("tpm2-quote@v1", members, challenge=paper.CHALLENGE, at=paper.AT, policy=nobody)
    assert found.verdict is Verdict.UNVERIFIABLE and found.status is Tier.NONE


def test_software_without_reference_values_is_not_affirmed():
    version = line("evidence.fake.svn", category="executables")
    measured = line("evidence.fake.measurement", "SKIP", category="executables", demanded=False)
    assert vector_of([line(), version], Verdict.ACCEPT)["executables"] is Tier.AFFIRMING
    assert "executables" not in vector_of([line(), version, measured], Verdict.ACCEPT)
    tolerated = line("evidence.fake.svn", category="executables", warning=True)
    assert vector_of([line(), tolerated, measured], Verdict.ACCEPT)["executables"] is Tier.WARNING
