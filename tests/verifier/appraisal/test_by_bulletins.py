# SPDX-License-Identifier: AGPL-3.0-or-later
"""A status by bulletins has its own place in policies: real SEV-SNP evidence under each profile, and collections."""

from __future__ import annotations

import pytest

from attestation.azure_snp import FORMAT as AZURE
from attestation.cmw import TYPE as CMW
from attestation.cmw import CmwTrust
from attestation.ear.tiers import Tier
from attestation.snp import FORMAT as SNP
from attestation.snp.bulletins import Fix
from tests.attestation.snp import real
from tests.verifier.appraisal.making import CLEAN, FRESH, Fake, judged, line, policy
from verifier import parse_policy
from verifier.appraisal import judge
from verifier.appraisal.trust import trust_for
from verifier.errors import MalformedError
from verifier.policy import Policy, profile_policy
from verifier.profiles import PROFILES
from verifier.verdict import Verdict

BOTH = frozenset({"UpToDate", "OutOfDate"})
BEHIND = {**CLEAN, "tcb_status": "OutOfDate", "bulletins_as_of": "2026-10-08"}
HEAD = 'format = "policy@v1"\nprofile = "home"\n[require]\nassurance = ["attested"]\n'
GENUINE = [name for name in (*real.REPORTS, *real.AZURE) if name != "milan-v2-debug"]


def decided(name: str, chosen: Policy, challenge: bytes | None = None):
    type_ = AZURE.type if name in real.AZURE else SNP.type
    return judge(type_, real.members(name), challenge=challenge, at=real.at(name), policy=chosen)


@pytest.mark.parametrize("name", GENUINE)
def test_the_default_profile_takes_genuine_evidence(name):
    found = decided(name, profile_policy("home"))
    assert found.verdict is Verdict.ACCEPT, found.message
    behind = found.claims["tcb_status"] == "OutOfDate"
    assert behind == bool(found.claims["advisories"]) and behind == (name != "turin-v5")
    assert found.vector["hardware"] is (Tier.WARNING if behind else Tier.AFFIRMING)
    assert (found.status is Tier.WARNING) >= behind
    parts = {part.name: part for part in found.score.components}
    assert parts["advisories"].points == 200 // (1 + len(found.claims["advisories"]))
    assert parts["firmware"].reason != "firmware date unknown"


@pytest.mark.parametrize("profile", ["production", "enterprise", "air-gapped"])
@pytest.mark.parametrize("name", ["milan-v3", "genoa-v5", "azure-v1"])
def test_strict_profiles_refuse_what_is_behind(name, profile):
    found = decided(name, profile_policy(profile))
    assert (found.verdict, found.code) == (Verdict.REJECT, "evidence.snp.tcb-out-of-date")


def test_current_firmware_is_refused_by_nobody():
    for profile in PROFILES:
        found = decided("turin-v5", profile_policy(profile))
        assert found.verdict is not Verdict.REJECT and found.claims["advisories"] == []


@pytest.mark.parametrize(
    ("profile", "verdict"),
    [("home", Verdict.ACCEPT), ("development", Verdict.ACCEPT), ("enterprise", Verdict.REJECT)],
)
def test_profiles_tell_bulletins_from_a_vendors_word(monkeypatch, profile, verdict):
    found = judged(Fake(claims=BEHIND), monkeypatch, policy(PROFILES[profile]))
    assert found.verdict is verdict and found.vector["hardware"] is not Tier.AFFIRMING
    signed = {**CLEAN, "tcb_status": "OutOfDate"}
    assert judged(Fake(claims=signed), monkeypatch, policy(PROFILES["home"])).verdict is Verdict.REJECT


def test_each_piece_of_a_collection_by_its_own_measure(monkeypatch):
    def of(*pieces):
        claims = {"pieces": {f"p{n}": piece for n, piece in enumerate(pieces)}, "tcb_status": "OutOfDate"}
        return judged(Fake((line(), FRESH), claims), monkeypatch, policy(PROFILES["home"]))

    assert of(BEHIND, CLEAN, {}).status is Tier.WARNING
    assert of(BEHIND, {"tcb_status": "OutOfDate"}).code == "policy.tcb-status.not-tolerated"
    assert of(BEHIND, {"tcb_status": "Revoked"}).verdict is Verdict.REJECT
    assert of(CLEAN, {"tcb_status": "UpToDate"}).status is Tier.AFFIRMING


def test_a_profile_reaches_every_report():
    for profile, expected in (("home", BOTH), ("production", {"UpToDate"}), ("development", BOTH)):
        chosen = profile_policy(profile)
        assert trust_for(SNP, chosen).bulletin_statuses == expected
        assert trust_for(AZURE, chosen).snp.bulletin_statuses == expected
        collection = trust_for(next(f for f in _formats() if f.type == CMW), chosen)
        assert isinstance(collection, CmwTrust) and collection.trusts["snp"].bulletin_statuses == expected


def _formats():
    from attestation.formats import FORMATS

    return FORMATS.values()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", BOTH),
        ('bulletin_statuses = ["UpToDate"]', {"UpToDate"}),
        ('tcb_statuses = ["UpToDate", "SWHardeningNeeded"]', {"UpToDate"}),
        ('tcb_statuses = ["UpToDate"]\nbulletin_statuses = ["UpToDate", "OutOfDate"]', BOTH),
        ("bulletin_statuses = []", set()),
    ],
)
def test_what_a_policy_says(text, expected):
    assert parse_policy(f"{HEAD}[appraisal]\n{text}\n".encode()).demands.bulletin_statuses == expected


TABLE = """[evidence]
accept = ["snp-report@v1"]
[evidence.snp]
denied_advisories = ["AMD-SB-3019", "AMD-SB-3030"]
[[evidence.snp.bulletins]]
id = "AMD-SB-3030"
date = 2026-05-12
title = "NBIO registers without lock bits"
cves = ["CVE-2025-61971"]
[[evidence.snp.bulletins.fixes]]
product = "Milan"
minimum = { snp = 29 }
source = "the bulletin"
[[evidence.snp.bulletins.fixes]]
product = "Genoa"
chips = [[25, 160, 2]]
platform = ["alias_check_complete"]
mitigations = 16
"""


def test_an_operators_own_bulletins():
    chosen = parse_policy((HEAD + TABLE).encode())
    (own,) = chosen.trust["snp"].bulletins
    assert own.id == "AMD-SB-3030" and own.cves == ("CVE-2025-61971",) and own.date.isoformat() == "2026-05-12"
    assert own.fixes == (
        Fix(product="Milan", minimum={"snp": 29}, source="the bulletin"),
        Fix(
            product="Genoa",
            chips=frozenset({(25, 160, 2)}),
            platform=frozenset({"alias_check_complete"}),
            mitigations=16,
        ),
    )
    for name, code in (("milan-v3", "evidence.snp.advisory-denied"), ("genoa-v5", "evidence.snp.advisory-denied")):
        assert decided(name, chosen).code == code
    assert decided("turin-v5", chosen).verdict is Verdict.ACCEPT
    assert parse_policy((HEAD + TABLE.replace("2026-05-12", '"2026-05-12"')).encode()).trust == chosen.trust


@pytest.mark.parametrize(
    "change",
    [
        ('id = "AMD-SB-3030"', 'id = "AMD SB"'), ("2026-05-12", '"soon"'), ("2026-05-12", '"2026-5-12"'),
        ("2026-05-12", "2026-05-12T00:00:00Z"), ('"Milan"', '"Rome"'), ("snp = 29", "snp = 256"),
        ("snp = 29", "fmc = 1"), ("{ snp = 29 }", "{}"), ("[25, 160, 2]", "[25, 160]"),
        ("[25, 160, 2]", "[25, 160, true]"),
        ('["alias_check_complete"]', '["alias"]'), ("mitigations = 16", "mitigations = -1"), ("chips", "steppings"),
        ('["CVE-2025-61971"]', "[1]"), ('"AMD-SB-3019", ', '"AMD-SB-1", '), ("title", "name"),
    ],
)  # fmt: skip
def test_bulletins_that_mean_nothing(change):
    assert change[0] in TABLE
    with pytest.raises(MalformedError) as caught:
        parse_policy((HEAD + TABLE.replace(*change)).encode())
    assert caught.value.code == "policy.malformed"
