# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral made to cost: what is read and verified has limits, and what lies behind them proves nothing."""

from __future__ import annotations

from unittest import mock

import pytest

from attestation.nvidia import rim
from attestation.nvidia.assembly import MAX_LOOSE, Loose
from attestation.nvidia.rim import MAX_TOTAL, documents
from attestation.pki import ocsp
from attestation.pki.effort import Effort
from attestation.pki.ocsp import MAX_MATCHING, MAX_RESPONDERS
from tests.attestation.nvidia.paper import (
    AT,
    bag,
    device,
    faults,
    golden,
    judge,
    make_device,
    members,
    report,
    responses,
    rim_text,
    rims,
    sign_rim,
)
from tests.attestation.small_pki import ocsp_response

ID = "evidence.nvidia"


def test_effort_counts_each_question_once():
    effort = Effort(2)
    assert [effort.allows(what) for what in (1, 2, 1, 3)] == [True, True, True, False]
    assert effort.allows(2) and not effort.allows(1, 2)


def forged(number: int) -> bytes:
    """A response about the device in its issuer's name, newer than the good one, that nobody signed."""
    signed = ocsp_response(device().chain[1].certificate, device().chain[2], AT, start=AT)
    return signed[:-2] + number.to_bytes(2, "big")


def test_forged_responses():
    """They push out the good one, and no more of them are verified than there is room for."""
    pytest.importorskip("signxml")
    flood = [forged(number) for number in range(40)]
    with mock.patch.object(ocsp, "_valid", wraps=ocsp._valid) as verified:
        appraisal = judge(collateral=bag(*flood, *responses(), *rims()))
        assert faults(appraisal) == {f"{ID}.certificate-ocsp-invalid"}
        assert verified.call_count <= 5 * MAX_MATCHING * (1 + MAX_RESPONDERS)


def test_loose_certificates_that_could_be_anyones():
    strangers = [make_device(number).chain[0].der for number in range(100, 120)]
    evidence = {"report_0": report()}
    found = judge(evidence, collateral=bag(*strangers, *(one.der for one in device().chain)))
    assert f"{ID}.signature-invalid" not in faults(found)  # twenty wrong keys are no obstacle
    effort = Effort(4)
    loose = Loose(bag(*strangers, device().chain[0].der), effort)
    assert loose.assemble(report()) == strangers[0] and not effort.allows("more")
    assert len(Loose(bag(*(bytes(s) for s in strangers * 9)), effort)._all) <= MAX_LOOSE


def variants(count: int, version: str, indices: range) -> list[bytes]:
    text = rim_text(version, golden(indices))
    return [sign_rim(text.replace('tagId="1"', f'tagId="{number}"')) for number in range(count)]


def test_more_signed_documents_than_are_looked_at():
    pytest.importorskip("signxml")
    drivers, firmware = variants(3, "550.90.07", range(20, 40)), variants(3, "96.00.5E.00.01", range(20))
    assert judge(collateral=bag(*responses(), *drivers, *firmware)).passed
    with mock.patch("attestation.nvidia.appraisal.EFFORT", 0):
        found = judge(collateral=bag(*responses(), *drivers, *firmware))
    assert not found.passed and not found.failed
    assert f"{ID}.rim-too-many" in faults(found)


def test_large_documents():
    """Those of the versions that are asked for come first; then nothing is read beyond the limit."""
    wanted = rims()[0]
    other = wanted.replace(b"550.90.07", b"1.1")
    padding = [other.replace(b'tagId="1"', b'tagId="' + bytes([65 + n]) * 200_000 + b'"') for n in range(5)]
    with mock.patch.object(rim, "_parsed", wraps=rim._parsed) as read:
        found = documents(bag(*padding, wanted), {"550.90.07"})
    assert found.rims[0].data == wanted and read.call_count == 1 + (MAX_TOTAL - len(wanted)) // len(padding[0])
    assert judge(members(), collateral=bag(*padding)).failed == ()
