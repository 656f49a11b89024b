# SPDX-License-Identifier: AGPL-3.0-or-later
"""Devices under a PKI of one's own: forgeries, chains, sets of devices, firmware identity, grammar, hostile bytes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.errors import MalformedError, UnsupportedError
from attestation.nvidia.spdm import _ORDER, parse_report
from tests.attestation.nvidia.paper import (
    AT,
    FOREVER,
    HONEST,
    NONCE,
    bag,
    device,
    device_root,
    faults,
    judge,
    make_device,
    members,
    one,
    opaque,
    report,
    sign,
    transcript,
)
from tests.attestation.small_pki import issue

SECOND = timedelta(seconds=1)


def test_paper_device_passes():
    appraisal = judge()
    assert appraisal.passed and faults(appraisal) == set()
    assert appraisal.expires == FOREVER
    assert judge(one(HONEST["report_0"]), challenge=None).passed


# Forgeries and chains


def test_forged_under_an_attackers_key():
    forged = sign(transcript(fields=opaque(device().fields)), ec.generate_private_key(ec.SECP384R1()))
    assert faults(judge(one(forged))) == {"evidence.nvidia.signature-invalid"}


def test_forged_under_an_attackers_pki():
    root = issue("paper device root", AT, ca=True, end=FOREVER)
    rom = issue("GH100 A01 GSP BROM", AT, root, ca=True, end=FOREVER)
    leaf = issue("GH100 A01 GSP FMC LF", AT, rom, end=FOREVER)
    forged = sign(transcript(fields=opaque({})), leaf.key)
    own = leaf.der + rom.der
    assert faults(judge(one(forged, own))) == {"evidence.nvidia.certificate-untrusted"}
    assert faults(judge(one(forged, own + root.der))) == {"evidence.nvidia.certificate-untrusted"}
    genuine = b"".join(identity.der for identity in device().issuers)
    assert faults(judge(one(forged, leaf.der + genuine))) == {"evidence.nvidia.certificate-chain-broken"}


def test_key_on_another_curve():
    other = make_device(9, leaf={"curve": ec.SECP256R1()})
    data = report(device())
    assert faults(judge(one(data, other.der))) >= {"evidence.nvidia.signature-key"}


def test_chain_with_or_without_the_root():
    data = HONEST["report_0"]
    short = b"".join(identity.der for identity in device().chain[:-1])
    assert judge(one(data, short)).passed
    assert judge(one(data, short)).claims == judge(one(data)).claims


def test_nothing_stands_above_the_anchor():
    """The root's own signature is verified by nobody, so a root that differs from the anchor is refused."""
    family = device().chain[2]
    appraisal = judge(device_roots=(family.der,))
    assert faults(appraisal) == {"evidence.nvidia.certificate-untrusted"}
    whole = device().der
    twin = bytearray(whole)
    twin[-5] ^= 1
    assert not judge(one(HONEST["report_0"], bytes(twin))).passed


def test_order_of_the_chain():
    leaf, rom, family, root = (identity.der for identity in device().chain)
    for chain in (
        leaf + family + rom + root,
        rom + leaf + family + root,
        leaf + root,
        leaf + rom + rom + family + root,
    ):
        assert not judge(one(HONEST["report_0"], chain)).passed


def test_five_certificates_at_most():
    chain = device().der + device_root().der + device_root().der
    with pytest.raises(MalformedError) as caught:
        judge(one(HONEST["report_0"], chain))
    assert caught.value.code == "evidence.nvidia.certificate-malformed"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"signs": False}, "usage"),
        ({"ca": True}, "chain-leaf-is-ca"),
        ({"end": AT - SECOND}, "chain-expired"),
        ({"end": AT}, ""),
        ({"start": AT + SECOND, "end": FOREVER}, "chain-expired"),
        ({"start": AT, "end": FOREVER}, ""),
    ],
)
def test_leafs(settings, code):
    of = make_device(3, leaf=settings)
    expected = {f"evidence.nvidia.certificate-{code}"} if code else set()
    assert faults(judge(members(of))) == expected


def test_no_roots_is_no_answer():
    appraisal = judge(device_roots=())
    assert faults(appraisal) == {"evidence.nvidia.certificate-no-anchors"} and not appraisal.failed


# Sets of devices


def test_a_set_passes_when_each_does():
    several = members(device(0), device(1), device(2))
    appraisal = judge(several, device_count=3)
    assert appraisal.passed and len(appraisal.claims["devices"]) == 3
    assert appraisal.claims["platform_id"].count("NVIDIA:GH100:") == 3
    bad = {**several, "report_1": several["report_1"][:-1] + bytes((several["report_1"][-1] ^ 1,))}
    assert faults(judge(bad)) == {"evidence.nvidia.signature-invalid"}


def test_the_same_device_twice():
    twice = members(device(), device())
    assert faults(judge(twice)) == {"evidence.nvidia.device-duplicate"}
    # Under another certificate of the same name, it is still that device.
    renewed = make_device(0)
    assert faults(judge(members(device(), renewed))) == {"evidence.nvidia.device-duplicate"}


def test_devices_asked_with_different_nonces():
    mixed = {**members(device(0), device(1)), "report_1": report(device(1), bytes(31) + b"\1")}
    assert faults(judge(mixed, challenge=None)) == {"evidence.nvidia.nonce-differs"}
    assert faults(judge(mixed)) == {"evidence.nvidia.nonce-differs"}


def test_chains_of_others_devices():
    mixed = members(device(0), device(1))
    mixed["chain_0"], mixed["chain_1"] = mixed["chain_1"], mixed["chain_0"]
    assert faults(judge(mixed)) == {"evidence.nvidia.signature-invalid"}


@pytest.mark.parametrize("names", [["report_1"], ["report_0", "report_2"], ["report_0", "chain_1"], ["chain_0"]])
def test_gaps(names):
    evidence = {name: HONEST["report_0"] if "report" in name else device().der for name in names}
    with pytest.raises(MalformedError) as caught:
        judge(evidence)
    assert caught.value.code in ("evidence.nvidia.members-gap", "evidence.nvidia.member-missing")


def test_chain_out_of_loose_certificates():
    several = {f"report_{index}": report(device(index)) for index in range(3)}
    loose = [identity.der for index in range(3) for identity in reversed(device(index).chain)]
    appraisal = judge(several, collateral=bag(*loose), require_rims=False, require_ocsp=False)
    assert appraisal.passed
    with pytest.raises(UnsupportedError) as caught:
        judge({"report_0": several["report_0"]})
    assert caught.value.code == "evidence.nvidia.chain-missing"
    stranger = judge(
        {"report_0": several["report_0"]}, collateral=bag(*loose[4:8]), require_rims=False, require_ocsp=False
    )
    assert faults(stranger) == {"evidence.nvidia.signature-invalid"}


# Freshness


@pytest.mark.parametrize("challenge", [b"", bytes(32), NONCE[:31], NONCE + b"\1", NONCE[::-1]])
def test_wrong_challenge(challenge):
    assert faults(judge(challenge=challenge)) == {"evidence.nvidia.challenge-mismatch"}


# Signatures


def test_twin_of_a_signature_says_the_same():
    data = HONEST["report_0"]
    parsed = parse_report(data)
    twin = data[:-48] + (_ORDER - parsed.s).to_bytes(48, "big")
    assert judge(one(twin)).passed and judge(one(twin)).claims == judge().claims


@pytest.mark.parametrize("number", [0, _ORDER, 2**384 - 1])
@pytest.mark.parametrize("place", [-96, -48])
def test_numbers_that_no_signature_has(number, place):
    data = bytearray(HONEST["report_0"])
    data[place : place + 48 or None] = number.to_bytes(48, "big")
    with pytest.raises(MalformedError) as caught:
        judge(one(bytes(data)))
    assert caught.value.code == "evidence.nvidia.report-malformed"
