# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports against bulletins: real ones as published, synthetic ones at each level, and worse is never better."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import OperationalError
from attestation.snp import SnpTrust
from attestation.snp.bulletins import (
    MAX_BULLETINS,
    MIDNIGHT,
    OUT_OF_DATE,
    UP_TO_DATE,
    Bulletin,
    Fix,
    Standing,
    merge,
    stand,
)
from attestation.snp.products import PRODUCTS
from attestation.snp.published import AS_OF, BULLETINS, LAUNCHED
from attestation.snp.report import Report, parse_report
from tests.attestation.snp import real
from tests.attestation.snp.paper import CPUID, judge, report
from tests.attestation.snp.real import codes
from verifier.appraisal.score import appraisal_score

LATE = date(2027, 1, 1)
FOREVER = [datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))), datetime.max.replace(tzinfo=UTC)]
EVER = [datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), datetime.min.replace(tzinfo=UTC)]
OLDEST, MICROCODE = "AMD-SB-3015", "AMD-SB-3019"
OPEN_2026 = ["AMD-SB-3023", "AMD-SB-3016"]
REAL = {
    "milan-v3": (OPEN_2026, "2025-02-03"),
    "genoa-v3": (["AMD-SB-3020", "AMD-SB-3027", *OPEN_2026], "2025-02-03"),
    "genoa-v5": (["AMD-SB-3016"], "2026-02-10"),
    "turin-v5": ([], "2026-02-10"),
    "milan-v2": ([OLDEST, MICROCODE, *OPEN_2026], "2021-03-15"),
    "milan-vlek": ([MICROCODE], "2024-12-10"),  # asked about in 2025; its host reports an older microcode than runs
    "azure-v1": (OPEN_2026, "2025-02-03"),
    "azure-genoa": (["AMD-SB-3020", "AMD-SB-3027", *OPEN_2026], "2025-02-03"),
}


def parsed(product: str = "Milan", **changes: Any) -> Report:
    return replace(parse_report(report(product)), **changes)


def level(product: str, **parts: int) -> bytes:
    return bytes(parts.get(name, 0) for name in PRODUCTS[product].components)


def at_level(product: str, **parts: int) -> Report:
    tcb = level(product, **parts)
    return parsed(product, reported_tcb=tcb, committed_tcb=tcb, current_tcb=tcb)


def standing(found: Report, product: str, day: date = LATE, known: tuple[Bulletin, ...] = BULLETINS) -> Standing:
    return stand(found, PRODUCTS[product], known, LAUNCHED[product], datetime.combine(day, MIDNIGHT))


@pytest.mark.parametrize("name", REAL)
def test_real_reports(name):
    advisories, newest = REAL[name]
    found = real.judge(real.members(name), when=real.at(name))
    assert found.passed and found.claims["advisories"] == advisories
    assert found.claims["tcb_status"] == (OUT_OF_DATE if advisories else UP_TO_DATE)
    assert found.claims["tcb_date"] == f"{newest}T00:00:00Z" and found.claims["bulletins_as_of"] == str(AS_OF)
    (line,) = [check for check in found.checks if check.id == "evidence.snp.tcb-status"]
    assert line.outcome == "PASS" and line.category == "hardware" and line.warning == bool(advisories)
    assert all(name in line.observed for name in advisories) and str(AS_OF) in line.required


@pytest.mark.parametrize("name", [name for name, (advisories, _) in REAL.items() if advisories and "azure" not in name])
def test_strict_trust_refuses_what_is_behind(name):
    found = real.judge(real.members(name), when=real.at(name), trust=SnpTrust(require_crl=False))
    assert real.codes(found) == {"evidence.snp.tcb-out-of-date"}


def test_the_table_is_well_formed():
    assert list(BULLETINS) == sorted(BULLETINS, key=lambda bulletin: (bulletin.date, bulletin.id))
    assert len({bulletin.id for bulletin in BULLETINS}) == len(BULLETINS)
    assert LAUNCHED.keys() == PRODUCTS.keys()
    for bulletin in BULLETINS:
        assert bulletin.date <= AS_OF and bulletin.title and re.fullmatch(r"AMD-SB-[0-9]{4}", bulletin.id)
        assert bulletin.cves and all(re.fullmatch(r"CVE-[0-9]{4}-[0-9]{4,5}", cve) for cve in bulletin.cves)
        assert all(fix.source and LAUNCHED[fix.product] < bulletin.date for fix in bulletin.fixes)


# Levels of the patched machines that the sources name, and each part one below.
PATCHED = [
    ("Milan", CPUID["Milan"], {"snp": 0x1B, "microcode": 0xDB}),
    ("Milan", (0x19, 1, 2), {"snp": 0x1B, "microcode": 0x44}),
    ("Genoa", CPUID["Genoa"], {"snp": 0x1B, "microcode": 0x56}),
    ("Genoa", (0x19, 0x11, 2), {"snp": 0x1B, "microcode": 0x51}),
    ("Genoa", (0x19, 0xA0, 2), {"snp": 0x1B, "microcode": 0x19}),
    ("Turin", CPUID["Turin"], {"snp": 0x04, "microcode": 0x51}),
]


@pytest.mark.parametrize(("product", "chip", "parts"), PATCHED)
def test_each_level(product, chip, parts):
    patched = replace(at_level(product, **parts), cpuid=chip, mitigations=(0b111, 0b111), version=5)
    newest = max(b.date for b in BULLETINS if any(fix.speaks_of(PRODUCTS[product], chip) for fix in b.fixes))
    assert standing(patched, product) == Standing(UP_TO_DATE, newest, ())
    for part in parts:
        for field in ("reported_tcb", "committed_tcb"):
            changed: dict[str, Any] = {field: level(product, **{**parts, part: parts[part] - 1})}
            lower = replace(patched, **changed)
            assert standing(lower, product).status == OUT_OF_DATE


def test_the_running_level_counts_for_nothing():
    old = at_level("Milan", snp=0x17, microcode=0xDB)
    assert standing(replace(old, current_tcb=level("Milan", snp=0xFF, microcode=0xFF)), "Milan") == standing(
        old, "Milan"
    )


def test_a_chip_that_is_not_named_must_fulfil_every_stepping():
    unnamed = replace(at_level("Milan", snp=0x1B, microcode=0x44), cpuid=None)
    assert MICROCODE in standing(unnamed, "Milan").missing
    assert MICROCODE not in standing(replace(unnamed, cpuid=(0x19, 1, 2)), "Milan").missing


def test_the_alias_check_is_asked_for():
    whole = at_level("Milan", snp=0x1B, microcode=0xDB)
    assert OLDEST not in standing(whole, "Milan").missing
    found = standing(replace(whole, platform_info=0x05), "Milan")
    assert OLDEST in found.missing and found.date == LAUNCHED["Milan"]


@pytest.mark.parametrize("vectors", [None, (0b100, 0), (0, 0b100), (0b011, 0b011)])
def test_a_mitigation_must_hold_at_launch_and_now(vectors):
    assert "AMD-SB-3016" in standing(parsed("Milan", mitigations=vectors), "Milan").missing


def test_bulletins_of_later_days_do_not_count():
    old = at_level("Milan", snp=0x17, microcode=0xDB)
    days = [(date(2024, 12, 9), []), (date(2025, 2, 2), []), (date(2025, 2, 3), [MICROCODE])]
    days += [(date(2026, 2, 10), [MICROCODE, "AMD-SB-3023"]), (LATE, [MICROCODE, *OPEN_2026])]
    for day, missing in days:
        assert list(standing(old, "Milan", day).missing) == missing
        assert standing(old, "Milan", day).date == date(2024, 12, 10)


def test_a_bulletin_counts_from_midnight_at_greenwich():
    old, midnight = at_level("Milan", snp=0x17, microcode=0xDB), datetime(2025, 2, 3, tzinfo=UTC)
    zone = timezone(timedelta(hours=14))
    for moment, counts in ((midnight, True), (midnight - timedelta(microseconds=1), False)):
        for at in (moment, moment.astimezone(zone)):
            found = stand(old, PRODUCTS["Milan"], BULLETINS, LAUNCHED["Milan"], at)
            assert (MICROCODE in found.missing) == counts
    for at in (*EVER, *FOREVER):
        assert bool(stand(old, PRODUCTS["Milan"], BULLETINS, LAUNCHED["Milan"], at).missing) == (at in FOREVER)


LEVELS = st.fixed_dictionaries({"snp": st.integers(0x14, 0x20), "microcode": st.integers(0x40, 0xE0)})


@given(
    st.sampled_from(PATCHED),
    LEVELS,
    st.sampled_from(["snp", "microcode", "platform", "mitigations", "day"]),
    st.integers(0, 7),
    st.dates(date(2023, 1, 1), date(2030, 1, 1)),
)
def test_worse_firmware_never_stands_better(known, parts, what, mitigations, day):
    """Nor does it score higher: one level down, one bit less, or a later day."""
    product, chip, _ = known
    better = replace(at_level(product, **parts), cpuid=chip, version=5, mitigations=(mitigations, mitigations))
    worse, later = better, day
    if what == "platform":
        worse = replace(better, platform_info=0x05)
    elif what == "mitigations":
        worse = replace(better, mitigations=(mitigations & 3, mitigations))
    elif what == "day":
        later = date(2031, 1, 1)
    else:
        worse = replace(better, reported_tcb=level(product, **{**parts, what: parts[what] - 1}))
    above, below = standing(better, product, day), standing(worse, product, later)
    assert set(above.missing) <= set(below.missing) and below.date <= above.date
    assert not (above.status == OUT_OF_DATE and below.status == UP_TO_DATE)
    assert scored(below, later) <= scored(above, day)


def scored(found: Standing, day: date) -> int:
    from tests.verifier.appraisal.making import FRESH, line

    claims = {"advisories": list(found.missing), "tcb_date": f"{found.date}T00:00:00Z", "debug": False}
    status = line("evidence.snp.tcb-status", warning=found.status != UP_TO_DATE)
    return appraisal_score([line(), FRESH, status], claims, datetime(day.year, day.month, day.day, tzinfo=UTC)).permille


OWN = Bulletin(id="AMD-SB-3030", date=date(2026, 5, 12), fixes=(Fix(product="Milan", minimum={"snp": 29}),))


def test_an_operator_may_know_more():
    found = judge(report(), bulletins=(OWN,))
    assert found.passed and found.claims["advisories"] == [*OPEN_2026, "AMD-SB-3030"]
    assert codes(judge(report(), bulletins=(OWN,), denied_advisories=frozenset({"AMD-SB-3030"}))) == {
        "evidence.snp.advisory-denied"
    }
    newer = replace(OWN, date=date(2026, 12, 1))
    found = judge(report(), bulletins=(newer,))
    assert found.claims["bulletins_as_of"] == "2026-12-01" and found.claims["advisories"] == OPEN_2026
    assert merge(BULLETINS, (OWN,))[-1].id == "AMD-SB-3030"


def test_an_operator_may_correct_what_is_known():
    lenient = Bulletin(id="AMD-SB-3016", date=date(2026, 4, 14), fixes=(Fix(product="Milan", minimum={"snp": 1}),))
    found = judge(report(), bulletins=(lenient,))
    assert found.claims["advisories"] == ["AMD-SB-3023"] and len(merge(BULLETINS, (lenient,))) == len(BULLETINS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fix(product="Rome", minimum={"snp": 1}),
        lambda: Fix(product="Milan", minimum={"fmc": 1}),
        lambda: Fix(product="Milan", minimum={"snp": 256}),
        lambda: Fix(product="Milan", platform=frozenset({"alias"})),
        lambda: Fix(product="Milan", mitigations=-1),
        lambda: Fix(product="Milan"),
        lambda: Bulletin(id="", date=LATE, fixes=OWN.fixes),
        lambda: Bulletin(id="a b", date=LATE, fixes=OWN.fixes),
        lambda: Bulletin(id="A", date=LATE, fixes=()),
    ],
)
def test_a_bulletin_that_means_nothing(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    "settings",
    [
        {"bulletin_statuses": frozenset({"SWHardeningNeeded"})},
        {"bulletins": (OWN, OWN)},
        {"bulletins": tuple(replace(OWN, id=f"A{n}") for n in range(MAX_BULLETINS + 1))},
        {"denied_advisories": frozenset({"AMD-SB-9999"})},
    ],
)
def test_trust_that_means_nothing(settings):
    with pytest.raises(OperationalError) as caught:
        SnpTrust(**settings)
    assert caught.value.code == "evidence.snp.trust-invalid"
