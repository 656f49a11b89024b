# SPDX-License-Identifier: AGPL-3.0-or-later
"""TCB ladders: the rules one by one, and 1200 random ladders against dcap-qvl."""

from __future__ import annotations

import random
import sys
from collections import Counter
from functools import partial

import pytest

from attestation.intel import second_opinion
from attestation.intel.appraisal import check_second_opinion
from attestation.intel.documents import PART_STATUSES, STATUSES, UnreadableError, parse_qe_identity, parse_tcb_info
from attestation.intel.ladder import converge, find_module, find_platform_level
from attestation.intel.pck import read_pck
from attestation.intel.second_opinion import Opinion
from tests.attestation.intel.judging import codes, judge
from tests.attestation.intel.making import Paper, level, platform_level

SEEDS = 12
LADDERS = 100
ADVISORIES = [f"INTEL-SA-{number:05d}" for number in range(6)]


def random_level(chance, make, statuses=tuple(STATUSES)):
    advisories = tuple(sorted(chance.sample(ADVISORIES, chance.choice([0, 0, 1, 3]))))
    date = f"20{chance.randint(18, 25)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}T00:00:00Z"
    return make(chance.choice([*statuses, "UpToDate", "UpToDate"]), advisories, date)


def near(chance, size, low=1, high=5):
    return bytes(chance.randint(low, high) for _ in range(size)) + bytes(16 - size)


def random_paper(chance):
    """A platform somewhere near a ladder of one to six levels, in any order, with its module's and its QE's."""
    tdx = chance.random() < 0.7
    count = chance.randint(1, 6)

    def rung(status, advisories, date):
        parts = near(chance, 16, 1, 3) if chance.random() < 0.7 else bytes([chance.randint(1, 4)] * 16)
        svns = near(chance, chance.choice([2, 16])) if tdx else None
        return platform_level(parts, chance.randint(9, 13), svns, status, advisories, date)

    modules = [
        {
            "id": f"TDX_{version:02X}",
            "mrsigner": "00" * 48,
            "attributes": "00" * 8,
            "attributesMask": "FF" * 8,
            "tcbLevels": ladder(chance),
        }
        for version in range(1, 4)
    ]
    body = {}
    if tdx:
        body["tee_tcb_svn"] = bytes([chance.randint(0, 9), chance.randint(0, 4)]) + near(chance, 14, 2, 6)[:14]
    return Paper(
        tdx=tdx,
        version=chance.choice([4, 5]) if tdx else 3,
        components=near(chance, 16, 2, 5),
        pce_svn=chance.randint(9, 14),
        body=body,
        levels=tuple(random_level(chance, rung) for _ in range(count)),
        modules=tuple(modules),
        qe={"svn": chance.randint(3, 9)},
        qe_levels=tuple(ladder(chance)),
    )


def ladder(chance):
    """Levels of a module or QE, highest first, as Intel lists them."""
    svns = sorted(chance.sample(range(10), chance.randint(1, 4)), reverse=True)

    def rung(svn):
        return random_level(chance, partial(level, svn), sorted(PART_STATUSES))

    return [rung(svn) for svn in svns]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_ladders_agree_with_dcap_qvl(seed, monkeypatch):
    """Status and advisories are dcap-qvl's; where it refuses, so do we."""
    pytest.importorskip("dcap_qvl")
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    everything = frozenset(STATUSES) - {"Revoked"}
    for _ in range(LADDERS):
        paper = random_paper(chance)
        appraisal = judge(paper, tcb_statuses=everything)
        found = codes(appraisal)
        assert not {"second-opinion-differs", "second-opinion-refuses"} & set(found.values()), found
        if appraisal.passed:
            outcomes[appraisal.claims["tcb_status"]] += 1
            opinion = [check for check in appraisal.checks if check.id.endswith("second-opinion")]
            assert [check.outcome for check in opinion] == ["PASS"]
        else:
            # Asked all the same, dcap-qvl must refuse, too.
            outcomes["refused"] += 1
            assert set(found) <= {"tcb", "tdx-module"}
            assert asked_anyway(paper, monkeypatch) == "second-opinion-refuses"
    assert len(outcomes) > 4, outcomes


def asked_anyway(paper, monkeypatch):
    """The code of a second opinion that is asked although the first is a refusal."""
    heard = []

    def insist(quote, platform, made, at, prefix, beyond=""):
        currency = platform.currency
        if currency.standing is None:
            low = currency.tcb_info.parsed.levels[0]
            currency.standing = converge(low)
        line = check_second_opinion(quote, platform, [], at, prefix, beyond)
        heard.append(line.code.rpartition(".")[2])
        return line

    with monkeypatch.context() as patch:
        patch.setattr("attestation.tdx.appraisal.check_second_opinion", insist)
        patch.setattr("attestation.sgx.appraisal.check_second_opinion", insist)
        judge(paper)
    return heard[0]


def test_disagreement_never_passes(monkeypatch):
    paper = Paper()
    ppid = bytes(range(16))
    for opinion, code in (
        (Opinion("UpToDate", frozenset(), ppid), None),
        (Opinion("OutOfDate", frozenset(), ppid), "second-opinion-differs"),
        (Opinion("UpToDate", frozenset({"INTEL-SA-00001"}), ppid), "second-opinion-differs"),
        (Opinion("UpToDate", frozenset(), bytes(16)), "second-opinion-differs"),
    ):
        monkeypatch.setattr("attestation.intel.appraisal.ask", lambda *_, opinion=opinion: opinion)
        assert codes(judge(paper)) == ({"second-opinion": code} if code else {})


def test_without_dcap_qvl_nothing_passes(monkeypatch):
    monkeypatch.setitem(sys.modules, "dcap_qvl", None)
    appraisal = judge(Paper())
    assert codes(appraisal) == {"second-opinion": "library-absent"} and not appraisal.failed
    assert second_opinion.REMEDY in appraisal.missing[0].observed


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "Revoked"])
def test_every_status(status):
    pytest.importorskip("dcap_qvl")
    paper = Paper(levels=(platform_level(bytes([3] * 16), 11, bytes(16), status, ("INTEL-SA-00615",)),))
    strict, tolerant = judge(paper), judge(paper, tcb_statuses=frozenset({status}))
    assert strict.passed is (status == "UpToDate") and tolerant.passed
    assert strict.claims["tcb_status"] == status and strict.claims["advisories"] == ["INTEL-SA-00615"]
    assert [check.warning for check in tolerant.checks if check.id == "evidence.tdx.tcb"] == [status != "UpToDate"]
    refused = codes(judge(paper, tcb_statuses=frozenset({"OutOfDate"} - {status})))
    assert refused["tcb"].startswith("tcb-")


def test_revoked_is_never_tolerated():
    paper = Paper(levels=(platform_level(bytes([3] * 16), 11, bytes(16), "Revoked"),))
    everything = frozenset(STATUSES) - {"Revoked"}
    assert codes(judge(paper, tcb_statuses=everything)) == {"tcb": "tcb-revoked"}


@pytest.mark.parametrize(
    ("platform", "qe", "expected"),
    [
        ("UpToDate", "UpToDate", "UpToDate"),
        ("UpToDate", "OutOfDate", "OutOfDate"),
        ("SWHardeningNeeded", "OutOfDate", "OutOfDate"),
        ("ConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"),
        ("ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"),
        ("OutOfDate", "UpToDate", "OutOfDate"),
        ("UpToDate", "Revoked", "Revoked"),
        ("Revoked", "UpToDate", "Revoked"),
    ],
)
def test_convergence_is_intels(platform, qe, expected):
    paper = Paper(levels=(platform_level(bytes(16), 0, bytes(16), platform),), qe_levels=(level(1, qe),))
    assert judge(paper).claims["tcb_status"] == expected


def test_dates_and_advisories_of_all_levels():
    paper = Paper(
        levels=(platform_level(bytes(16), 0, bytes(16), "UpToDate", ("INTEL-SA-1",), "2024-05-06T00:00:00Z"),),
        qe_levels=(level(1, "OutOfDate", ("INTEL-SA-2", "INTEL-SA-1"), "2023-04-05T00:00:00Z"),),
    )
    claims = judge(paper).claims
    assert claims["tcb_date"] == "2023-04-05T00:00:00Z" and claims["advisories"] == ["INTEL-SA-1", "INTEL-SA-2"]
    assert claims["tcb_levels"] == {"platform": "UpToDate", "qe": "OutOfDate", "tdx_module": "UpToDate"}


def test_module_versions_skip_the_first_two_components():
    """Where the module has a version its SVN is the one of its identity, and no part of the platform's level."""
    paper = Paper(levels=(platform_level(bytes(16), 0, bytes([9, *[0] * 15]), "UpToDate"),))
    info, pck = parse_tcb_info(paper.tcb_info_body()), read_pck(paper.pck_certificate(), "evidence.tdx")
    assert find_platform_level(info, pck, bytes([5, 1] + [0] * 14)) is not None
    assert find_platform_level(info, pck, bytes([5, 0] + [0] * 14)) is None
    assert find_module(info, bytes(16)) == info.module and find_module(info, bytes([0, 7] + [0] * 14)) is None
    pytest.importorskip("dcap_qvl")
    assert judge(paper).passed


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2}, {"tcbType": 1}, {"id": "QE"}, {"fmspc": "00"}, {"fmspc": 1}, {"pceId": "zz"},
        {"issueDate": "now"}, {"issueDate": "2026-1-1T00:00:00Z"}, {"nextUpdate": "2026-06-30T1:2:3Z"},
        {"tdxModule": []}, {"tcbLevels": [{"tcb": [], "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": "UpToDate"}]},
        {"issueDate": "2026-13-01T00:00:00Z"}, {"tcbEvaluationDataNumber": -1}, {"tcbEvaluationDataNumber": True},
        {"tcbLevels": {}}, {"tcbLevels": [1]}, {"tcbLevels": [{}] * 300}, {"tdxModule": None},
        {"tdxModuleIdentities": [{}]},
        {"tcbLevels": [platform_level(bytes(15), 1, bytes(16), "UpToDate")]},
        {"tcbLevels": [platform_level(bytes(16), 1, None, "UpToDate")]},
        {"tcbLevels": [platform_level(bytes(16), 1, bytes(16), "UpToDate", ("no spaces please",))]},
        {"tcbLevels": [platform_level(bytes(16), 70000, bytes(16), "UpToDate")]},
    ],
)  # fmt: skip
def test_unreadable_tcb_information(change):
    with pytest.raises(UnreadableError):
        parse_tcb_info(Paper(tcb_info=change).tcb_info_body())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"id": "QVE"},
        {"mrsigner": "00"},
        {"isvprodid": 1 << 16},
        {"miscselectMask": None},
        {"tcbLevels": 1},
        {"tcbLevels": [level(4, "SWHardeningNeeded")]},
    ],
)
def test_unreadable_qe_identity(change):
    with pytest.raises(UnreadableError):
        parse_qe_identity(Paper(qe_identity=change).qe_identity_body())


def test_documents_are_json_objects_with_distinct_keys():
    for body in (b"", b"[]", b"{", b'{"id":1,"id":2}', b"[" * 100000, b" " * (1 << 19)):
        with pytest.raises(UnreadableError):
            parse_tcb_info(body)
