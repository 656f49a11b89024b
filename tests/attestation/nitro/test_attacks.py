# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documents under a PKI of one's own: forgeries, chains, revocation, time, malleability, hostile bytes."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.collateral import Collateral, Item, sort_collateral
from attestation.nitro.chain import MAX_LIST, MAX_LISTS
from attestation.nitro.document import _ORDER, parse_envelope
from attestation.pki import revocation
from tests.attestation.nitro.paper import AT, CHALLENGE, authority, faults, fields, judge, paper, seal
from tests.attestation.small_pki import DAY, distribution_point, issue, revocation_list

SECOND = timedelta(seconds=1)


def test_paper_document_passes():
    appraisal = judge(paper())
    assert appraisal.passed
    assert appraisal.claims["nonce"] == CHALLENGE.hex() and appraisal.claims["debug"] is False
    line = next(check for check in appraisal.checks if check.id == "evidence.nitro.pcr-reference")
    assert (line.outcome, line.code) == ("SKIP", "evidence.nitro.pcr-no-reference")  # nothing was compared
    assert appraisal.expires == authority()[2].certificate.not_valid_after_utc


@pytest.mark.parametrize("zero", [0, 1, 2])
def test_one_register_of_the_image_that_is_zero_means_debug(zero):
    pcrs = {index: bytes(48) if index == zero else b"\1" * 48 for index in range(16)}
    appraisal = judge(paper(pcrs=pcrs))
    assert faults(appraisal) == {"evidence.nitro.debug"} and appraisal.claims["debug"] is True


def test_an_octet_of_a_register_may_be_zero():
    appraisal = judge(paper(pcrs=dict.fromkeys(range(16), b"\x00\x01" * 24)))
    assert appraisal.passed and appraisal.claims["debug"] is False


# Forgeries and chains


def test_forged_under_an_attackers_key():
    forged = seal(cbor2.dumps(fields()), ec.generate_private_key(ec.SECP384R1()))
    assert faults(judge(forged)) == {"evidence.nitro.signature-invalid"}


def test_forged_under_an_attackers_pki():
    root = issue("root", AT, ca=True)
    leaf = issue("enclave", AT, root)
    forged = seal(cbor2.dumps(fields(certificate=leaf.der, cabundle=[root.der])), leaf.key)
    assert faults(judge(forged)) == {"evidence.nitro.certificate-untrusted"}
    # The genuine bundle in front of it does not help: the leaf is not of that chain.
    genuine = [identity.der for identity in authority()[:2]]
    forged = seal(cbor2.dumps(fields(certificate=leaf.der, cabundle=genuine)), leaf.key)
    assert faults(judge(forged)) == {"evidence.nitro.certificate-chain-broken"}


def test_order_of_the_bundle():
    root, middle, _leaf = authority()
    for bundle in ([middle.der, root.der], [root.der, middle.der, middle.der], [root.der, root.der, middle.der]):
        appraisal = judge(paper(cabundle=bundle))
        assert not appraisal.passed or bundle[0] == bundle[1]  # a self-signed root is its own issuer
    assert judge(paper(cabundle=[middle.der])).passed  # the root comes from the policy


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ({"signs": False}, {"evidence.nitro.certificate-usage"}),
        ({"ca": True}, {"evidence.nitro.certificate-chain-leaf-is-ca"}),
        ({"curve": ec.SECP521R1()}, {"evidence.nitro.signature-key"}),
        ({"end": AT - SECOND}, {"evidence.nitro.certificate-chain-expired"}),
        ({"start": AT + SECOND, "end": AT + DAY}, {"evidence.nitro.certificate-chain-expired"}),
        ({"start": AT, "end": AT}, set()),
    ],
)
def test_leafs_that_may_not_sign(settings, codes):
    root, middle, _leaf = authority()
    leaf = issue("enclave", AT, middle, **settings)
    key = leaf.key if "curve" not in settings else authority()[2].key
    data = seal(cbor2.dumps(fields(certificate=leaf.der, cabundle=[root.der, middle.der])), key)
    assert {code for code in faults(judge(data)) if "timestamp" not in code} == codes


# Revocation


def test_missing_list_is_tolerated_unless_the_policy_says_otherwise():
    assert judge(paper()).passed
    appraisal = judge(paper(), require_crl=True)
    assert faults(appraisal) == {"evidence.nitro.revocation-crl-missing"} and not appraisal.failed


def test_current_list():
    root = authority()[0]
    bag = sort_collateral([revocation_list(root, AT, end=AT + timedelta(minutes=5))])
    appraisal = judge(paper(), collateral=bag, require_crl=True)
    assert appraisal.passed
    assert appraisal.expires == AT + timedelta(minutes=5)  # the list's end comes first
    late = revocation_list(root, AT, start=AT - 9 * DAY, end=AT - 8 * DAY)
    for lists in ([5, 9], [9, 5]):
        ends = [revocation_list(root, AT, end=AT + timedelta(minutes=minutes)) for minutes in lists]
        assert judge(paper(), collateral=sort_collateral([late, *ends])).expires == AT + timedelta(minutes=5)


def test_more_lists_than_are_looked_at():
    """Lists of a root that nobody knows are left unread; those of the document's own are verified up to a limit."""
    root = authority()[0]
    good = revocation_list(root, AT)
    forged = [good[:-2] + number.to_bytes(2, "big") for number in range(40)]
    with mock.patch.object(revocation, "_verifies", wraps=revocation._verifies) as verified:
        appraisal = judge(paper(), collateral=sort_collateral([*forged, good]), require_crl=True)
        assert faults(appraisal) == {"evidence.nitro.revocation-crl-invalid"} and verified.call_count <= MAX_LISTS
        verified.reset_mock()
        revocation._remembered.cache_clear()  # what is remembered is not verified again
        stranger = judge(paper(), collateral=sort_collateral([*forged, good]), roots=())
        assert not stranger.passed and verified.call_count == 0
    other = revocation_list(issue("another", AT, ca=True), AT)
    large = bytes(MAX_LIST) + good
    assert judge(paper(), collateral=Collateral((Item("crl", large), Item("crl", other), Item("crl", good)))).passed


@pytest.mark.parametrize("which", [1, 2])
def test_revoked(which):
    identities = authority()
    lists = [revocation_list(identities[0], AT), revocation_list(identities[1], AT)]
    lists[which - 1] = revocation_list(identities[which - 1], AT, identities[which])
    appraisal = judge(paper(), collateral=sort_collateral(lists))
    assert faults(appraisal) == {"evidence.nitro.revocation-revoked"} and appraisal.failed


def test_revoked_by_a_list_that_has_run_out():
    root, middle, _leaf = authority()
    late = revocation_list(root, AT, middle, start=AT - 9 * DAY, end=AT - 8 * DAY)
    assert faults(judge(paper(), collateral=sort_collateral([late]))) == {"evidence.nitro.revocation-revoked"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"end": AT - SECOND}, "crl-expired"),
        ({"end": AT}, ""),
        ({"end": AT + SECOND}, ""),
        ({"start": AT + SECOND}, "crl-expired"),
        ({"start": AT}, ""),
        ({"signer": True}, "crl-invalid"),
    ],
)
def test_lists_that_do_not_count(settings, code):
    root, _middle, leaf = authority()
    if "signer" in settings:
        settings = {"signer": leaf}
    bag = sort_collateral([revocation_list(root, AT, **settings)])
    expected = {f"evidence.nitro.revocation-{code}"} if code else set()
    assert faults(judge(paper(), collateral=bag, require_crl=True)) == expected


def test_list_of_somebody_else():
    stranger = issue("stranger", AT, ca=True)
    bag = sort_collateral([revocation_list(stranger, AT, authority()[1])])
    assert judge(paper(), collateral=bag).passed
    assert faults(judge(paper(), collateral=bag, require_crl=True)) == {"evidence.nitro.revocation-crl-missing"}


def test_chain_that_names_no_list():
    root = authority()[0]
    leaf = issue("enclave", AT, root)
    data = seal(cbor2.dumps(fields(certificate=leaf.der, cabundle=[root.der])), leaf.key)
    appraisal = judge(data, require_crl=True)
    line = next(check for check in appraisal.checks if check.id == "evidence.nitro.revocation")
    assert appraisal.passed and (line.outcome, line.code) == ("SKIP", "evidence.nitro.revocation-no-list")
    named = issue("enclave", AT, root, extensions=[distribution_point()])
    data = seal(cbor2.dumps(fields(certificate=named.der, cabundle=[root.der])), named.key)
    assert faults(judge(data, require_crl=True)) == {"evidence.nitro.revocation-crl-missing"}


# Time


@pytest.mark.parametrize(
    ("offset", "settings", "code"),
    [
        (-60, {"max_age": 60}, ""),
        (-61, {"max_age": 60}, "timestamp-old"),
        (-59, {"max_age": 60}, ""),
        (0, {"max_age": 0, "max_skew": 0}, ""),
        (1, {"max_skew": 0}, "timestamp-future"),
        (60, {}, ""),
        (61, {}, "timestamp-future"),
        (-3600, {}, ""),
        (-3601, {}, "timestamp-outside-certificate"),
        (7200, {"max_skew": 7200}, ""),
        (7201, {"max_skew": 7300}, "timestamp-outside-certificate"),
    ],
)
def test_window_of_the_timestamp(offset, settings, code):
    data = paper(timestamp=int((AT.timestamp() + offset) * 1000))
    expected = {f"evidence.nitro.{code}"} if code else set()
    assert faults(judge(data, **settings)) == expected


# Freshness


@pytest.mark.parametrize("challenge", [b"", bytes(32), CHALLENGE[:31], CHALLENGE + b"\1", CHALLENGE[::-1]])
def test_wrong_challenge(challenge):
    assert faults(judge(paper(), challenge=challenge)) == {"evidence.nitro.challenge-mismatch"}


def test_no_challenge_asks_for_no_freshness():
    appraisal = judge(paper(), challenge=None)
    assert appraisal.passed
    assert "evidence.nitro.challenge-not-given" in {check.code for check in appraisal.checks}


# Signatures


def test_twin_of_a_signature_says_the_same():
    """(r, n - s) verifies wherever (r, s) does. AWS signs with both halves of the range, so neither can be refused:
    the twin is another encoding of the same signed bytes and gives the same claims."""
    envelope = parse_envelope(paper())
    twin = type(envelope)(envelope.payload, envelope.r, _ORDER - envelope.s).encode()
    assert judge(twin).passed
    assert judge(twin).claims == judge(paper()).claims


def test_der_signature_is_none():
    data = cbor2.loads(paper())
    data[3] = b"\x30\x5e" + data[3][:94]
    appraisal = judge(cbor2.dumps(data))
    assert faults(appraisal) == {"evidence.nitro.signature-invalid"}


def test_two_documents_do_not_mix():
    one, other = cbor2.loads(paper()), cbor2.loads(paper(user_data=b"x"))
    assert faults(judge(cbor2.dumps([*one[:3], other[3]]))) == {"evidence.nitro.signature-invalid"}
