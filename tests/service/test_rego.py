# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rego policies worsen and never mend; what is not deterministic is refused before it runs."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from attestation.ear.tiers import Tier
from tests.attestation import paper
from tests.service.appraising import ask, started
from tests.service.conftest import Start
from tests.verifier.appraisal.making import AT, FRESH, Fake, judged, line
from verifier.appraisal import Judgement
from verifier.errors import MalformedError, OperationalError, UnsupportedError, VerifierError
from verifier.policy import Policy
from verifier.service import rego_worker
from verifier.service.rego import apply_rego, load_rego
from verifier.service.rego_process import evaluate
from verifier.verdict import Verdict

HEAD = "package policy\nimport rego.v1\n"
engine = pytest.mark.skipif(importlib.util.find_spec("regopy") is None, reason="no Rego engine is installed")


def run(source: str, found: Judgement) -> Judgement:
    return apply_rego(found, load_rego((HEAD + source).encode(), "p.rego"), "profile:home")


@pytest.fixture
def accepted(monkeypatch: Any) -> Judgement:
    return judged(Fake(), monkeypatch)


@engine
@pytest.mark.parametrize(
    ("source", "verdict", "status"),
    [
        ("allow := true", Verdict.ACCEPT, Tier.AFFIRMING),
        ("nv_match := true", Verdict.ACCEPT, Tier.AFFIRMING),
        ('allow if input.verdict == "ACCEPT"', Verdict.ACCEPT, Tier.AFFIRMING),
        ("allow if input.claims.debug == false", Verdict.ACCEPT, Tier.AFFIRMING),
        ("allow if input.score >= 0.9", Verdict.ACCEPT, Tier.AFFIRMING),
        ('allow if { some c in input.checks; c.id == "evidence.fake.challenge"; c.result == "PASS" }', Verdict.ACCEPT,
         Tier.AFFIRMING),
        ("allow := false", Verdict.REJECT, Tier.CONTRAINDICATED),
        ('allow := "true"', Verdict.REJECT, Tier.CONTRAINDICATED),
        ("allow := 1", Verdict.REJECT, Tier.CONTRAINDICATED),
        ("default allow := false\nallow if input.claims.debug", Verdict.REJECT, Tier.CONTRAINDICATED),
        ("allow := true\nnv_match := false", Verdict.REJECT, Tier.CONTRAINDICATED),
        ("allow if input.nothing", Verdict.UNVERIFIABLE, Tier.NONE),
        ("other := true", Verdict.UNVERIFIABLE, Tier.NONE),
        ("", Verdict.UNVERIFIABLE, Tier.NONE),
        ("executables := 3\nhardware := 2", Verdict.ACCEPT, Tier.AFFIRMING),
        ("default executables := 33", Verdict.ACCEPT, Tier.WARNING),
        ("instance_identity := 97", Verdict.REJECT, Tier.CONTRAINDICATED),
        ("hardware := 0", Verdict.UNVERIFIABLE, Tier.NONE),
        ('hardware := "2"', Verdict.REJECT, Tier.CONTRAINDICATED),
        ("hardware := 1000", Verdict.REJECT, Tier.CONTRAINDICATED),
    ],
)  # fmt: skip
def test_decisions(accepted: Judgement, source: str, verdict: Verdict, status: Tier) -> None:
    found = run(source, accepted)
    assert (found.verdict, found.status) == (verdict, status)
    if verdict is not Verdict.ACCEPT:
        assert found.code == ("policy.rego.denied" if verdict is Verdict.REJECT else "policy.rego.undefined")


@engine
def test_nothing_turns_a_refusal_into_acceptance(monkeypatch: Any) -> None:
    for checks, verdict in (((line(outcome="FAIL"),), Verdict.REJECT), ((line(outcome="SKIP"),), Verdict.UNVERIFIABLE)):
        before = judged(Fake((FRESH, *checks)), monkeypatch)
        assert before.verdict is verdict
        for source in ("allow := true", "hardware := 2\ninstance_identity := 2", "nv_match := true"):
            assert run(source, before).verdict is verdict
    assert run("allow := true", Judgement("x", Verdict.MALFORMED, "c", "m", AT)).verdict is Verdict.MALFORMED


@engine
def test_claims_stand_under_the_formats_short_name(monkeypatch: Any) -> None:
    from verifier.appraisal import judge

    chosen = Policy(evidence=("tpm2-quote@v1",), trust={"tpm2": paper.trust()})
    members = paper.PaperTpm().members()
    found = judge("tpm2-quote@v1", members, challenge=paper.CHALLENGE, at=paper.AT, policy=chosen)
    assert run("allow if input.tpm2.reset_count >= 0", found).verdict is Verdict.ACCEPT


@engine
def test_sources_that_are_none(accepted: Judgement) -> None:
    for source in ("allow if {", "allow := := 1", 'allow := true\nallow := "x"'):
        with pytest.raises((MalformedError, OperationalError)) as caught:
            run(source, accepted)
        assert caught.value.code in ("policy.rego.malformed", "policy.rego.failed")


@pytest.mark.parametrize(
    "source",
    [
        'x := http.send({"method": "get", "url": "http://127.0.0.1"})',
        "x := time.now_ns()",
        "x := time . now_ns()",
        'x := http["send"]({})',
        'x := rand.intn("a", 10)',
        "x := opa.runtime()",
        "x := json.match_schema({}, input)",
        'x := uuid.rfc4122("a")',
        'x := net.lookup_ip_addr("localhost")',
        'x := io.jwt.decode_verify("x", {})',
        "allow if count([]) with count as time.now_ns",
        'allow if trace("x")',
        "print(1)",
        'x := crypto.x509.parse_and_verify_certificates("x")',
        "x := rego.metadata.rule()",
        'x := $"{time.now_ns()}"',
        "x := $`{time.now_ns()}`",
        'x := "\\"" ; y := time.now_ns()',
        'x := `"` ; y := time.now_ns()',
        "allow if { # a comment\n time.now_ns() > 0 }",
    ],
)
def test_what_is_not_deterministic_is_refused_at_load(source: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        load_rego((HEAD + source).encode(), "p.rego")
    assert caught.value.code == "policy.rego.builtin"


@pytest.mark.parametrize(
    "source",
    [
        'x := "time.now_ns()"', "x := `http.send`", "# http.send\nx := 1", "x := input.time", 'x := input["http"]',
        "x := crypto.sha256(input.type)", "x := time.parse_rfc3339_ns(input.at)", 'x := net.cidr_contains("a", "b")',
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_taken(source: str) -> None:
    assert load_rego((HEAD + source).encode(), "p.rego").package == "policy"


@pytest.mark.parametrize(
    "source", [b"", b"allow := true", b"package a\npackage b", b"\xff", b"package p\n" + b"#" * (1 << 20)]
)
def test_what_cannot_be_read(source: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        load_rego(source, "p.rego")
    assert caught.value.code == "policy.rego.malformed"


def test_without_an_engine(accepted: Judgement, monkeypatch: Any) -> None:
    monkeypatch.setattr("verifier.service.rego_process.find_spec", lambda name: None)
    with pytest.raises(VerifierError) as caught:
        run("allow := true", accepted)
    assert caught.value.code == "policy.rego.engine-absent" and caught.value.remedy


# Bounds.

ENDLESS = """allow if count([x | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000);
    some c in numbers.range(1, 3000); x := a * b * c]) > 0
"""


@engine
def test_a_policy_that_does_not_end_decides_nothing(accepted: Judgement, monkeypatch: Any) -> None:
    monkeypatch.setattr("verifier.service.rego_process.evaluate.__kwdefaults__", {"seconds": 1.0})
    before = time.monotonic()
    found = run(ENDLESS, accepted)
    assert time.monotonic() - before < 60  # left alone, it would be hours
    assert (found.verdict, found.status, found.code) == (Verdict.UNVERIFIABLE, Tier.NONE, "policy.rego.exhausted")
    assert not accepted.code, "what it was asked about stays as it was"


@engine
def test_nor_does_it_hide_a_refusal(monkeypatch: Any) -> None:
    monkeypatch.setattr("verifier.service.rego_process.evaluate.__kwdefaults__", {"seconds": 1.0})
    before = judged(Fake((FRESH, line(outcome="FAIL"))), monkeypatch)
    assert run(ENDLESS, before).verdict is Verdict.REJECT


@engine
@pytest.mark.skipif(sys.platform == "win32", reason="no limits on CPU time")
def test_a_limit_inside_the_process(tmp_path: Path, monkeypatch: Any) -> None:
    """CPU time ends the process before its time outside is up."""
    edited = Path(rego_worker.__file__).read_text().replace("CPU_SECONDS = 5", "CPU_SECONDS = 1")
    (tmp_path / "worker.py").write_text(edited)
    monkeypatch.setattr("verifier.service.rego_process.rego_worker.__file__", str(tmp_path / "worker.py"))
    found = evaluate("p", HEAD + ENDLESS, "data.policy", {}, seconds=60)
    assert (found.outcome, found.message) == ("exhausted", "its process ended with -9")


@engine
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say what a process holds")
def test_a_policy_that_eats_memory(monkeypatch: Any) -> None:
    monkeypatch.setattr("verifier.service.rego_process.MEMORY_BYTES", 64 << 20)
    found = evaluate("p", HEAD + ENDLESS, "data.policy", {}, seconds=60)
    assert (found.outcome, found.message) == ("exhausted", "more than 64 MiB of memory")


@engine
def test_a_question_larger_than_a_pipe_arrives() -> None:
    """A log with many events in the input; a policy with a long table."""
    long = "# " + "x" * (1 << 19) + "\n"
    found = evaluate(
        "p", HEAD + long + "allow if count(input.events) == 20000", "data.policy", {"events": ["e"] * 20000}
    )
    assert (found.outcome, found.value["expressions"]) == ("ok", [{"allow": True}])


@pytest.mark.parametrize("answer", ["", "nonsense", "[]", "{}", '{"outcome": "great"}', '{"outcome": ["ok"]}'])
def test_a_process_that_answers_nonsense(tmp_path: Path, monkeypatch: Any, answer: str) -> None:
    (tmp_path / "worker.py").write_text(f"print({answer!r}, end='')")
    monkeypatch.setattr("verifier.service.rego_process.rego_worker.__file__", str(tmp_path / "worker.py"))
    monkeypatch.setattr("verifier.service.rego_process.require_engine", lambda: tmp_path)
    assert evaluate("p", "", "data.p", {}).outcome == "failed"
    (tmp_path / "worker.py").write_text("raise SystemExit(3)")
    assert evaluate("p", "", "data.p", {}).outcome == "exhausted"


def test_an_engine_that_cannot_be_loaded(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "regopy.py").write_text("raise OSError('no such library')")
    monkeypatch.setattr("verifier.service.rego_process.require_engine", lambda: tmp_path)
    with pytest.raises(UnsupportedError) as caught:
        evaluate("p", "", "data.p", {})
    assert caught.value.code == "policy.rego.engine-absent"


@engine
def test_a_service_with_a_rego_policy(start_sqlite: Start) -> None:
    (start_sqlite.folder / "no.rego").write_text(HEAD + 'allow if input.tpm2.ak_key == "something else"')
    (start_sqlite.folder / "yes.rego").write_text(HEAD + "allow if input.tpm2.reset_count >= 0")
    for names, verdict in ((("yes.rego",), "ACCEPT"), (("yes.rego", "no.rego"), "UNVERIFIABLE")):
        service = started(start_sqlite, rego=tuple(start_sqlite.folder / name for name in names))
        assert ask(service, nonce=None).json()["verdict"] == verdict


@pytest.mark.parametrize("content", ["package p\nx := time.now_ns()", "no package"])
def test_a_service_does_not_start_with_a_bad_one(start_sqlite: Start, content: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("verifier.service.startup.require_engine", lambda: None)
    (start_sqlite.folder / "bad.rego").write_text(content)
    with pytest.raises(OperationalError) as caught:
        started(start_sqlite, rego=(start_sqlite.folder / "bad.rego",))
    assert caught.value.code.startswith("policy.rego.")
