# SPDX-License-Identifier: AGPL-3.0-or-later
"""OCSP and RIMs together: everything there passes; each that is missing, revoked or on hold does not."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from tests.attestation.nvidia.paper import AT, bag, device, faults, judge, members, responses, rim_signer, rims
from tests.attestation.small_pki import ocsp_response

pytest.importorskip("signxml")


def pairs():
    """Certificate and issuer of each response, in the order of `responses`."""
    chain, signer = device().chain, rim_signer()
    return [*pairwise(chain[1:]), *pairwise(signer)]


def test_everything_there():
    appraisal = judge(collateral=bag(*rims(), *responses()))
    assert appraisal.passed and faults(appraisal) == set()
    assert appraisal.claims["debug"] is False
    assert appraisal.expires == AT + timedelta(days=1)  # the responses' end
    (told,) = appraisal.claims["devices"]
    assert told["measurements_matched"] == 39  # 0 to 39 without the decoder's, which is off
    assert told["measurements_without_reference"] == [35, *range(40, 64)]


@pytest.mark.parametrize("left_out", range(4))
def test_each_missing_response(left_out):
    some = [data for index, data in enumerate(responses()) if index != left_out]
    appraisal = judge(collateral=bag(*rims(), *some))
    assert not appraisal.failed and len(faults(appraisal)) == 1
    assert faults(appraisal).pop().endswith("-ocsp-missing")
    assert judge(collateral=bag(*rims(), *some), require_ocsp=False).passed


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("reason", [x509.ReasonFlags.key_compromise, x509.ReasonFlags.certificate_hold])
def test_each_revoked(which, reason):
    """Device, its family's CA, RIM signer and the signer's CA; also where responses are not demanded."""
    subject, issuer = pairs()[which]
    bad = ocsp_response(subject.certificate, issuer, AT, status=ocsp.OCSPCertStatus.REVOKED, reason=reason)
    some = [data for index, data in enumerate(responses()) if index != which]
    held = "hold" if reason is x509.ReasonFlags.certificate_hold else "revoked"
    for demanded in (True, False):
        appraisal = judge(collateral=bag(*rims(), *some, bad), require_ocsp=demanded)
        assert {check.code.rpartition("-")[2] for check in appraisal.failed} == {held}


def test_a_set_shares_its_rims():
    devices = [device(number) for number in range(4)]
    answers = {data for one in devices for data in responses(one)}
    appraisal = judge(members(*devices), collateral=bag(*rims(), *answers), device_count=4)
    assert appraisal.passed and appraisal.claims["debug"] is False
