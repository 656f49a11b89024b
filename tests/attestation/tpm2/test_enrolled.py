# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys that a policy lists, what their TPM said earlier, and what collateral adds: links, leaves, logs, CRLs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from attestation.collateral import EMPTY, sort_collateral
from attestation.errors import EvidenceError, OperationalError
from attestation.tpm2 import Tpm2Trust, appraise
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.ak import load_ak
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.counters import Counters, check_counters
from tests.attestation.paper import (
    AT,
    CHALLENGE,
    PaperTpm,
    attestation_ca,
    boot,
    codes,
    ek_certificate,
    key_pair,
    maker,
    public_area,
)
from tests.attestation.paper import trust as paper_trust
from tests.attestation.small_pki import DAY, distribution_point, issue, revocation_list

ID = "evidence.tpm2"


def ask(members, trust, collateral=EMPTY, at=AT):
    return appraise(members, challenge=CHALLENGE, at=at, trust=trust, collateral=collateral)


def bare(**changes):
    """A quote and nothing about whose key it is."""
    return PaperTpm(**changes).members(ak_certificate=None, ek_certificate=None)


def by_name(members):
    return Tpm2Trust(ak_names=frozenset({load_ak(members).enrolled_by[0]}))


def by_key(members):
    return Tpm2Trust(ak_keys=frozenset({load_ak(members).fingerprint}))


@pytest.mark.parametrize("key", ["p256", "p384", "rsa-2048"])
@pytest.mark.parametrize("listed", [by_name, by_key])
def test_enrolled_key_needs_no_certificate(key, listed):
    members = bare(key=key_pair(key))
    assert codes(ask(members, Tpm2Trust()))[f"{ID}.ak-certificate"] == f"{ID}.ak-certificate-missing"
    found = ask(members, listed(members))
    assert found.passed and found.claims["ak_issuer"] == "enrolled" and found.expires is None
    other = bare(key=key_pair(key, 7))
    refused = ask(other, listed(members))
    assert not refused.passed
    line = next(check for check in refused.checks if check.id == f"{ID}.ak-enrolment")
    assert (line.outcome, line.code, line.demanded) == ("SKIP", f"{ID}.ak-not-enrolled", False)


def test_a_name_vouches_for_attributes_and_a_key_does_not_excuse_them():
    """Listed by Name, other attributes are another key; listed by key, they are looked at all the same."""
    members = bare()
    loose = bare(public_changes={"attributes": public_area(key_pair("p256")).attributes & ~(1 << 16)})
    assert codes(ask(loose, by_name(members)))[f"{ID}.ak-certificate"] == f"{ID}.ak-certificate-missing"
    assert codes(ask(loose, by_key(members))) == {f"{ID}.ak-attributes": f"{ID}.ak-attributes"}


def test_enrolled_bare_key():
    members = bare()
    ak = load_ak(members)
    members["ak_key"] = ak.spki
    del members["ak_public"]
    assert ask(members, by_key(members)).passed
    assert not ask(members, Tpm2Trust(ak_names=frozenset({ak.enrolled_by[0]}))).passed
    forged = {**members, "signature": PaperTpm(key=key_pair("p256", 3)).members()["signature"]}
    assert codes(ask(forged, by_key(members))) == {f"{ID}.signature": f"{ID}.signature-invalid"}


@pytest.mark.parametrize("key", ["rsa-1024", "p521"])
def test_weak_bare_key(key):
    members = bare(key=key_pair(key), signature_hash="sha256")
    members["ak_key"] = load_ak(members).spki
    del members["ak_public"]
    assert codes(ask(members, by_key(members))) == {f"{ID}.ak-key": f"{ID}.ak-key-weak"}


def test_bare_key_that_signs_with_sha1():
    members = bare(key=key_pair("rsa-2048"), signature_hash="sha1", signature_scheme=alg.RSASSA)
    members["ak_key"] = load_ak(members).spki
    del members["ak_public"]
    assert codes(ask(members, by_key(members)))[f"{ID}.signature"] == f"{ID}.ak-key-weak"


def test_a_certificate_under_a_listed_issuer_is_judged_although_the_key_is_enrolled():
    tpm = PaperTpm()
    listed = frozenset({load_ak(tpm.members()).fingerprint})
    assert ask(tpm.members(), paper_trust(ak_keys=listed)).passed
    other = PaperTpm(key=key_pair("p256", 5)).issue_ak_certificate()
    found = ask(tpm.members(ak_certificate=other), paper_trust(ak_keys=listed))
    assert codes(found)[f"{ID}.ak-binding"] == f"{ID}.ak-key-mismatch"


def test_no_bit_of_a_quote_under_an_enrolled_key_can_change():
    members = bare(event_log=None)
    trust = by_name(members)
    assert ask(members, trust).passed
    for name in members:
        for bit in range(len(members[name]) * 8):
            flipped = bytearray(members[name])
            flipped[bit // 8] ^= 1 << bit % 8
            try:
                assert not ask({**members, name: bytes(flipped)}, trust).passed, (name, bit)
            except EvidenceError:
                continue


@pytest.mark.parametrize(
    "settings",
    [
        {"ak_names": frozenset({b"\0\x04" + bytes(20)})},
        {"ak_names": frozenset({b"\0\x0b" + bytes(31)})},
        {"ak_keys": frozenset({bytes(20)})},
        {"ima_digests": frozenset({bytes(20)})},
        {"last_seen": {b"": Counters(0, 0, 0)}},
    ],
)
def test_meaningless_lists_are_refused(settings):
    with pytest.raises(OperationalError) as caught:
        Tpm2Trust(**settings)
    assert caught.value.code == f"{ID}.trust-invalid"


# Clock and counts; the paper TPM says 123456 ms, 1 reset, 2 restarts, and that its clock is safe.


@pytest.mark.parametrize(
    ("earlier", "safe", "outcome"),
    [
        (Counters(123456, 1, 2), True, "PASS"),
        (Counters(123455, 1, 2), True, "PASS"),
        (Counters(123457, 1, 2), True, "FAIL"),
        (Counters(0, 2, 0), True, "FAIL"),
        (Counters(0, 1, 3), True, "FAIL"),
        (Counters(0, 0, 9), True, "PASS"),  # restarts count from the last reset
        (Counters(123457, 0, 0), True, "FAIL"),
        (Counters(123457, 0, 0), False, "PASS"),  # behind by what it lost with the power
        (Counters(123457, 1, 1), False, "FAIL"),
        (Counters(123456 + (1 << 22), 0, 0), False, "PASS"),
        (Counters(123457 + (1 << 22), 0, 0), False, "FAIL"),  # further than a TPM may lose
        (Counters(0, (1 << 32) - 1, 0), True, "PASS"),  # obfuscated counts wrap
        (Counters(0, (1 << 31) + 2, 0), True, "PASS"),
        (Counters(0, (1 << 31) + 1, 0), True, "FAIL"),
        (None, True, "SKIP"),
    ],
)
def test_counters(earlier, safe, outcome):
    attest = replace(parse_attest(bare()["attest"]), safe=safe)
    line = check_counters(attest, earlier)
    assert line.outcome == outcome
    assert line.code == {"PASS": "", "FAIL": f"{ID}.counters-backwards", "SKIP": f"{ID}.counters-unknown"}[outcome]
    assert line.warning is (outcome == "PASS" and earlier.clock_ms > 123456)


def test_quote_from_before_is_refused():
    members = bare()
    trust = by_key(members)
    seen = Counters.of(ask(members, trust).claims)
    key = load_ak(members).fingerprint
    assert ask(members, replace(trust, last_seen={key: seen})).passed
    later = replace(seen, clock_ms=seen.clock_ms + 1)
    found = ask(members, replace(trust, last_seen={key: later}))
    assert codes(found) == {f"{ID}.counters": f"{ID}.counters-backwards"}
    assert ask(members, replace(trust, last_seen={bytes(32): later})).passed  # another key's
    with pytest.raises(OperationalError):
        Counters(-1, 0, 0)


# Collateral.


def platform(*, point=True, end=None):
    """Root, intermediate and AK certificate of a platform, the last two naming a CRL."""
    root = issue("platform root", AT, ca=True)
    points = [distribution_point()] if point else []
    middle = issue("platform CA", AT, root, ca=True, extensions=points)
    leaf = issue("AK", AT, middle, key=key_pair("p256"), extensions=points, end=end)
    return root, middle, leaf


def under(root, **settings):
    return Tpm2Trust(platform_ak_issuers=(root.der,), **settings)


def test_collateral_completes_the_chain():
    root, middle, leaf = platform(end=AT + timedelta(hours=1))
    members = {**bare(), "ak_certificate": leaf.der}
    assert codes(ask(members, under(root)))[f"{ID}.ak-certificate"] == f"{ID}.ak-untrusted"
    stranger = issue("platform CA", AT, issue("platform root", AT, ca=True), ca=True)
    found = ask(members, under(root), sort_collateral([stranger.pem, middle.pem, root.der]))
    assert found.passed and found.expires == leaf.certificate.not_valid_after_utc
    # The leaf, too: by its key. And nothing in collateral is an anchor.
    assert ask(bare(), under(root), sort_collateral([middle.der, leaf.der])).passed
    assert not ask(bare(), Tpm2Trust(), sort_collateral([middle.der, leaf.der, root.der])).passed
    # Somebody else's certificate of this key, in collateral, neither helps nor hinders.
    forged = [issue("AK", AT, stranger, key=key_pair("p256")).der, stranger.der]
    assert ask(bare(), under(root), sort_collateral([*forged, middle.der, leaf.der])).passed
    alone = ask(bare(), under(root), sort_collateral(forged))
    assert codes(alone)[f"{ID}.ak-certificate"] == f"{ID}.ak-certificate-missing" and not alone.failed
    members = bare()
    assert ask(members, under(root, ak_keys=by_key(members).ak_keys), sort_collateral(forged)).passed


def test_collateral_has_the_ek_certificate_and_the_event_log():
    tpm = PaperTpm()
    lacking = tpm.members(ek_certificate=None, event_log=None)
    assert not ask(lacking, paper_trust()).passed
    # as CCEL areas are padded; a log of another boot explains less
    found = ask(lacking, paper_trust(), sort_collateral([ek_certificate(), boot().encode() + b"\xff" * 64]))
    assert found.passed and found.claims["boot_events"]
    assert not ask(lacking, paper_trust(), sort_collateral([maker().der])).passed


def test_a_strangers_event_log_among_collateral_is_left_aside():
    """Offered, not claimed. As a member of the evidence it speaks against it."""
    lacking = PaperTpm().members(event_log=None)
    partly = replace(boot(), events=tuple(event for event in boot().events if event.register != 7)).encode()
    loose = paper_trust(require_event_log=False)
    more = replace(boot(), events=(*boot().events, next(event for event in boot().events if event.register == 4)))
    for stranger in (more.encode(), partly):
        found = ask(lacking, loose, sort_collateral([stranger]))
        line = next(check for check in found.checks if check.id == f"{ID}.event-log")
        assert (line.outcome, line.code, line.demanded) == ("SKIP", f"{ID}.event-log-foreign", False)
        assert found.passed and "boot_events" not in found.claims
        assert codes(ask(lacking, paper_trust(), sort_collateral([stranger]))) == {f"{ID}.event-log": line.code}
        assert ask(lacking, paper_trust(), sort_collateral([stranger, boot().encode()])).passed
        member = ask({**lacking, "event_log": stranger}, loose)
        assert codes(member) == {f"{ID}.event-log": f"{ID}.event-log-mismatch"}


@pytest.mark.parametrize(
    ("lists", "outcome", "code"),
    [
        (lambda r, m, leaf: [revocation_list(r, AT), revocation_list(m, AT)], "PASS", ""),
        (lambda r, m, leaf: [revocation_list(r, AT), revocation_list(m, AT, leaf)], "FAIL", "revoked"),
        (lambda r, m, leaf: [revocation_list(r, AT, m), revocation_list(m, AT)], "FAIL", "revoked"),
        (lambda r, m, leaf: [revocation_list(r, AT, m)], "FAIL", "revoked"),
        (lambda r, m, leaf: [], "SKIP", "crl-missing"),
        (lambda r, m, leaf: [revocation_list(m, AT)], "SKIP", "crl-missing"),
        (lambda r, m, leaf: [revocation_list(r, AT), revocation_list(m, AT, signer=r)], "SKIP", "crl-invalid"),
        (
            lambda r, m, leaf: [revocation_list(r, AT), revocation_list(m, AT, end=AT - timedelta(seconds=1))],
            "SKIP",
            "crl-expired",
        ),
        (lambda r, m, leaf: [revocation_list(r, AT), revocation_list(m, AT, start=AT, end=AT)], "PASS", ""),
        (lambda r, m, leaf: [revocation_list(r, AT), b"\x30\x03\x30\x01\x00"], "SKIP", "crl-missing"),
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_revocation(lists, outcome, code, required):
    root, middle, leaf = platform()
    members = {**bare(), "ak_certificate": leaf.der, "ak_chain": middle.der}
    found = ask(members, under(root, require_crl=required), sort_collateral(lists(root, middle, leaf)))
    line = next(check for check in found.checks if check.id == f"{ID}.revocation")
    assert (line.outcome, line.code) == (outcome, f"{ID}.revocation-{code}" if code else "")
    assert found.passed is (outcome == "PASS" or (outcome == "SKIP" and not required))
    assert found.claims["revocation_checked"] is (outcome == "PASS")


def test_a_list_that_is_there_counts_although_no_certificate_names_one():
    root, middle, leaf = platform(point=False)
    members = {**bare(), "ak_certificate": leaf.der, "ak_chain": middle.der}
    assert ask(members, under(root, require_crl=True)).passed
    revoked = sort_collateral([revocation_list(middle, AT, leaf)])
    assert codes(ask(members, under(root), revoked)) == {f"{ID}.revocation": f"{ID}.revocation-revoked"}


def test_the_earliest_end_is_the_appraisals():
    root, middle, leaf = platform()
    members = {**bare(), "ak_certificate": leaf.der, "ak_chain": middle.der}
    assert ask(members, under(root)).expires == AT + DAY
    soon = [revocation_list(root, AT), revocation_list(middle, AT, end=AT + timedelta(minutes=5))]
    assert ask(members, under(root), sort_collateral(soon)).expires == AT + timedelta(minutes=5)
    leaf_end = x509.load_der_x509_certificate(PaperTpm().issue_ak_certificate()).not_valid_after_utc
    assert (
        ask(PaperTpm().members(), paper_trust()).expires == leaf_end < attestation_ca().certificate.not_valid_after_utc
    )
