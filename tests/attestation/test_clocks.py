# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose clocks evidence states, and what of it may be remembered, in every format that has a TPM in it."""

from __future__ import annotations

from typing import Any

import pytest

from attestation import azure_snp, azure_tdx, cmw, simulated
from attestation.azure import ak_fingerprint
from attestation.clock import Counters
from attestation.formats import FORMATS
from attestation.simulated import SimulatedEvidence
from attestation.statements import clock_keys
from attestation.tpm2 import FORMAT as TPM2
from attestation.tpm2 import Tpm2Trust, appraise
from attestation.tpm2.ak import load_ak
from tests.attestation import paper
from tests.attestation.azure import paper as azure
from tests.attestation.paper import PaperTpm, key_pair
from verifier.appraisal import judge
from verifier.appraisal.trust import trust_for
from verifier.policy import Policy

KEY = load_ak(PaperTpm().members()).fingerprint
AZURE_KEY = ak_fingerprint(key_pair("rsa-2048").public_key())
BACKWARDS = "evidence.tpm2.counters-backwards"


def clocks(members: dict[str, bytes], challenge: bytes | None = paper.CHALLENGE) -> dict[bytes, Counters]:
    return dict(appraise(members, challenge=challenge, at=paper.AT, trust=paper.trust()).clocks)


def test_what_a_tpm_signed_over_the_challenge() -> None:
    assert clocks(PaperTpm(clock=7, resets=8, restarts=9).members()) == {KEY: Counters(7, 8, 9)}


@pytest.mark.parametrize(
    "tpm",
    [
        PaperTpm(magic=0),
        PaperTpm(type=0x8017),
        PaperTpm(extra_data=bytes(32)),
        PaperTpm(public_changes={"attributes": paper.public_area(key_pair("p256")).attributes & ~(1 << 16)}),
    ],
    ids=["not made by a TPM", "not a quote", "another challenge", "a key that signs anything"],
)
def test_what_is_not_remembered(tpm: PaperTpm) -> None:
    assert clocks(tpm.members()) == {}


def test_nor_without_a_challenge_or_under_a_forged_signature() -> None:
    members = PaperTpm().members()
    assert clocks(members, None) == {}
    assert clocks({**members, "signature": PaperTpm(extra_data=b"x").members()["signature"]}) == {}


def test_keys_of_each_format() -> None:
    tpm, guest = PaperTpm().members(), azure.members()
    assert clock_keys(TPM2, tpm) == {KEY}
    assert clock_keys(azure_snp.FORMAT, guest) == {AZURE_KEY}
    pieces = {
        "a": cmw.Piece("tpm2-quote@v1", tpm),
        "b": cmw.Piece("azure-snp-vtpm@v1", guest),
        "c": cmw.Piece(simulated.TYPE, SimulatedEvidence().collect(b"c")),
        "d": cmw.Piece("tpm2-quote@v1", {"attest": b"x"}),
    }
    assert clock_keys(cmw.FORMAT, {"collection": cmw.encode(cmw.Collection(bytes(32), pieces))}) == {KEY, AZURE_KEY}
    for scheme in FORMATS.values():
        assert clock_keys(scheme, {}) == clock_keys(scheme, {"x": b"y"}) == frozenset()
    for broken in ({"collection": b"\xa0"}, {"collection": b"junk"}):
        assert clock_keys(cmw.FORMAT, broken) == frozenset()
    assert clock_keys(azure_tdx.FORMAT, {"quote": b"q", "runtime_data": b"{}"}) == frozenset()


def test_an_azure_vm() -> None:
    found = azure.judge(azure.members())
    assert found.clocks == {AZURE_KEY: Counters(5, 1, 0)} and found.claims["ak_key_sha256"] == AZURE_KEY.hex()
    ahead = azure.judge(azure.members(), vtpm=Tpm2Trust(last_seen={AZURE_KEY: Counters(6, 1, 0)}))
    assert [check.code for check in ahead.failed] == [BACKWARDS]
    assert azure.judge(azure.members(), vtpm=Tpm2Trust(last_seen={AZURE_KEY: Counters(5, 1, 0)})).passed
    assert azure.judge(azure.members(), bytes(32)).clocks == {}


def test_memory_reaches_the_trust_wherever_a_tpm_is() -> None:
    seen = {KEY: Counters(1, 1, 1)}
    policy = Policy(evidence=("tpm2-quote@v1", "azure-snp-vtpm@v1", "azure-tdx-vtpm@v1", "cmw-collection@v1"))
    assert trust_for(FORMATS["tpm2-quote@v1"], policy, seen=seen).last_seen == seen
    for name in ("azure-snp-vtpm@v1", "azure-tdx-vtpm@v1"):
        assert trust_for(FORMATS[name], policy, seen=seen).vtpm.last_seen == seen
    collection = trust_for(FORMATS["cmw-collection@v1"], policy, seen=seen)
    assert collection.trusts["tpm2"].last_seen == collection.trusts["azure-tdx"].vtpm.last_seen == seen
    snp = FORMATS["snp-report@v1"]
    assert trust_for(snp, policy, seen=seen) == trust_for(snp, policy)


@pytest.mark.parametrize(("stated", "seen", "kept"), [(5, 4, 5), (4, 5, 5)])
def test_the_policys_memory_and_the_callers_both_count(stated: int, seen: int, kept: int) -> None:
    policy = Policy(
        evidence=("tpm2-quote@v1",), trust={"tpm2": paper.trust(last_seen={KEY: Counters(stated, 1, 0)})}
    )  # fmt: skip
    remembered = {KEY: Counters(seen, 1, 0)}
    assert trust_for(FORMATS["tpm2-quote@v1"], policy, seen=remembered).last_seen == {KEY: Counters(kept, 1, 0)}

    def verdict(clock: int) -> Any:
        members = PaperTpm(clock=clock, resets=1, restarts=0).members()
        return judge(
            "tpm2-quote@v1", members, challenge=paper.CHALLENGE, at=paper.AT, policy=policy, seen=remembered
        ).code  # fmt: skip

    assert (verdict(kept), verdict(kept - 1)) == ("", BACKWARDS)
