# SPDX-License-Identifier: AGPL-3.0-or-later
"""Single lines and claims, also where the verdict would be the same without them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from unittest import mock

import pytest

from attestation.collateral import Collateral, Item
from attestation.contract import Appraisal, Check
from attestation.snp import appraise, endorsement
from attestation.snp.bulletins import Bulletin, Fix
from attestation.snp.endorsement import MAX_CANDIDATES, MAX_COLLATERAL_CERTIFICATES
from attestation.snp.signature import signed_by
from tests.attestation.small_pki import issue
from tests.attestation.snp.paper import AT, DAY, HWID, chip_key, crl, crls, der, judge, report, trust, vek
from tests.attestation.snp.real import codes

ID = "evidence.snp"
CSP = "CN=cc.example"
WITH_ZEROS = bytes([1, 0]) * 32


def line(appraisal: Appraisal, name: str) -> Check:
    (found,) = (check for check in appraisal.checks if check.id == f"{ID}.{name}")
    return found


def test_without_a_key_nothing_is_verified():
    without = appraise({"report": report()}, challenge=None, at=AT, trust=trust(), collateral=crls())
    unusable = judge(report(), vek(extensions={"2": None}))
    for appraisal, code in ((without, "vek-missing"), (unusable, "vek-unsupported")):
        for name in ("vek-chain", "signature"):
            found = line(appraisal, name)
            assert (found.outcome, found.code, found.demanded) == ("SKIP", f"{ID}.{code}", True)
        assert not appraisal.passed


def test_whose_chip_it_is():
    plain, masked = judge(report()), judge(report(chip_id=bytes(64)))
    assert line(plain, "chip").outcome == "PASS" and plain.claims["platform_id"] == HWID.hex()
    assert (line(masked, "chip").outcome, line(masked, "chip").code) == ("SKIP", f"{ID}.chip-unnamed")
    assert masked.claims["platform_id"] == HWID.hex() and "csp_id" not in masked.claims
    lent = judge(report(chip_id=bytes(64), signing_key="vlek"), vek(kind="vlek"))
    assert (line(lent, "chip").outcome, line(lent, "chip").code) == ("SKIP", f"{ID}.chip-unnamed")
    assert "platform_id" not in lent.claims and lent.claims["csp_id"] == CSP


def test_an_octet_of_a_chip_id_may_be_zero():
    chip: dict[str, Any] = {"chip_ids": frozenset({WITH_ZEROS})}
    for data, certificate in (
        (report(chip_id=WITH_ZEROS), vek(hwid=WITH_ZEROS)),
        (report(chip_id=WITH_ZEROS, signing_key="vlek"), vek(kind="vlek")),
    ):
        appraisal = judge(data, certificate, **chip)
        assert appraisal.passed and appraisal.claims["platform_id"] == WITH_ZEROS.hex()


def test_chips_that_are_not_denied():
    assert judge(report(), denied_chip_ids=frozenset({WITH_ZEROS})).passed


def test_whose_key_signs():
    """A list of lenders says nothing of a chip's own key, and does not make a VLEK of one."""
    lenders: dict[str, Any] = {"csp_ids": frozenset({CSP})}
    assert judge(report(), **lenders).passed
    assert codes(judge(report(), vek(kind="vlek"), **lenders)) == {f"{ID}.signing-key-mismatch"}
    assert codes(judge(report(signing_key="vlek"), vek(kind="vlek"), signing_keys=frozenset({"vcek"}), **lenders)) == {
        f"{ID}.signing-key-mismatch"
    }


def test_firmware_that_can_be_rolled_back():
    provisional = report(firmware=(1, 55, 30))
    assert judge(provisional).passed and judge(provisional).claims["provisional_firmware"] is False
    assert codes(judge(provisional, minimum_firmware=(1, 55, 30))) == {f"{ID}.firmware-too-old"}
    assert codes(judge(provisional, require_committed=True)) == {f"{ID}.provisional"}
    assert judge(report(current_tcb=b"\xff" * 8)).claims["provisional_firmware"] is True


def test_warnings():
    """Of what passes; what no policy asked about is neither affirmed nor refused."""
    honest = judge(report())
    assert [name for name in ("vmpl", "debug") if line(honest, name).warning] == []
    found = line(honest, "measurement")
    assert (found.outcome, found.code, found.demanded) == ("SKIP", f"{ID}.measurement-no-reference", False)
    low = judge(report(vmpl=1))
    assert low.passed and line(low, "vmpl").warning
    assert not line(judge(report(vmpl=1), vmpls=frozenset({1})), "vmpl").warning


def test_only_lists_that_count_set_an_end():
    """A list that somebody else signed in the root's name does not prolong anything; of several good ones the last."""
    good, longer, expired = crl(), crl(end=AT + 2 * DAY), crl(start=AT - 9 * DAY, end=AT - 8 * DAY)
    forged = crl(signer="attacker", end=AT + 9 * DAY)
    for lists, end in (((good, forged), 1), ((forged, good), 1), ((expired, good), 1), ((longer, good), 2)):
        appraisal = judge(report(), collateral=crls(*lists), require_crl=True)
        assert appraisal.passed and appraisal.expires == AT + end * DAY


def test_only_denied_bulletins_are_denied():
    """Others may stay open, where the policy takes firmware that is out of date."""
    own = Bulletin(id="AMD-SB-3030", date=date(2026, 5, 12), fixes=(Fix(product="Milan", minimum={"snp": 1}),))
    denied: dict[str, Any] = {"bulletins": (own,), "denied_advisories": frozenset({own.id})}
    appraisal = judge(report(), **denied)
    assert appraisal.passed and appraisal.claims["advisories"] and line(appraisal, "advisories").outcome == "PASS"
    open_ = replace(own, fixes=(Fix(product="Milan", minimum={"snp": 1, "microcode": 255}),))
    assert codes(judge(report(), **{**denied, "bulletins": (open_,)})) == {f"{ID}.advisory-denied"}


@pytest.mark.parametrize(
    "settings", [{"minimum": {"snp": -1}}, {"minimum": {"snp": 1, "tee": 256}}, {"mitigations": 1 << 64}, {}]
)
def test_fixes_that_no_report_could_show(settings):
    with pytest.raises(ValueError, match="a fix for Milan"):
        Fix(product="Milan", **settings)
    for asked in ({"minimum": {"snp": 255}}, {"mitigations": 1}, {"platform": frozenset({"smt_enabled"})}):
        Fix(product="Milan", **asked)


def test_a_folder_for_a_whole_fleet():
    """Neither certificates of other chips nor of other makers push out this machine's, and few signatures are tried."""
    folder = [der(vek(hwid=bytes([n]) * 64, number=100 + n)) for n in range(1, MAX_COLLATERAL_CERTIFICATES + 1)]
    others = [issue(f"other {n}", AT).der for n in range(MAX_COLLATERAL_CERTIFICATES)]
    bag = Collateral(tuple(Item("x509", data) for data in (*others, *folder, der(vek()))))
    asked: dict[str, Any] = {"challenge": None, "at": AT, "trust": trust()}
    assert appraise({"report": report()}, collateral=bag, **asked).passed
    forged = [der(vek(key=chip_key(f"other {n}"), number=200 + n)) for n in range(MAX_CANDIDATES + 2)]
    bag = Collateral(tuple(Item("x509", data) for data in forged))
    with mock.patch.object(endorsement, "signed_by", wraps=signed_by) as tried:
        appraisal = appraise({"report": report()}, collateral=bag, **asked)
    assert codes(appraisal) == {f"{ID}.signature-invalid"} and tried.call_count == MAX_CANDIDATES
