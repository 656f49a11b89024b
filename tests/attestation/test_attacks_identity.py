# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attacks on who vouches for the key: forged, foreign, expired and misused certificates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from attestation.errors import MalformedError
from attestation.tpm2.ak import load_ak
from attestation.tpm2.authority import issue_ek_certificate, make_authority, usage
from tests.attestation.paper import (
    AT,
    PaperTpm,
    attestation_ca,
    codes,
    ek_certificate,
    judge,
    key_pair,
    maker,
)
from tests.attestation.small_pki import issue

ID = "evidence.tpm2"


def test_forged_quote_under_an_attackers_own_key():
    """Perfect in itself; what is missing is somebody trusted who vouches for the key."""
    attacker = PaperTpm(key=key_pair("p256", 66))
    honest = PaperTpm().members()
    bare = attacker.members(ak_certificate=None)
    appraisal = judge(bare)
    assert appraisal.failed == () and not appraisal.passed
    assert codes(appraisal)[f"{ID}.ak-certificate"] == f"{ID}.ak-certificate-missing"
    stolen = judge({**bare, "ak_certificate": honest["ak_certificate"]})
    assert codes(stolen)[f"{ID}.ak-binding"] == f"{ID}.ak-key-mismatch"
    own_root = make_authority("attacker", AT - timedelta(days=1), timedelta(days=9))
    self_made = PaperTpm(key=attacker.key, ak_changes={"ca": own_root}).members(ak_chain=own_root.der)
    assert codes(judge(self_made))[f"{ID}.ak-certificate"] == f"{ID}.ak-untrusted"


def test_self_made_ek_is_refused():
    own = make_authority("test maker", AT - timedelta(days=1), timedelta(days=9))
    key = key_pair("p256", 9).public_key()
    forged = issue_ek_certificate(own, key, AT - timedelta(hours=1), timedelta(days=1), model="forged")
    appraisal = judge(PaperTpm(ek=forged).members())
    assert codes(appraisal) == {f"{ID}.ek-certificate": f"{ID}.ek-untrusted"}


def test_expired_ek_is_refused():
    key = key_pair("p256", 9).public_key()
    old = issue_ek_certificate(maker(), key, AT - timedelta(days=20), timedelta(days=10), model="old")
    appraisal = judge(PaperTpm(ek=old).members())
    assert codes(appraisal) == {f"{ID}.ek-certificate": f"{ID}.ek-chain-expired"}


def test_signing_key_passed_off_as_ek_is_refused():
    builder = (
        maker()
        .builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AK")]),
            key_pair("p256", 9).public_key(),
            AT,
            AT + timedelta(days=1),
        )
        .add_extension(usage(sign=True), critical=True)
    )
    appraisal = judge(PaperTpm(ek=maker().sign(builder)).members())
    assert codes(appraisal) == {f"{ID}.ek-certificate": f"{ID}.ek-usage"}


def test_only_listed_ek_certificates():
    import hashlib

    fingerprint = hashlib.sha256(ek_certificate()).digest()
    assert judge(PaperTpm().members(), ek_certificates=frozenset({fingerprint})).passed
    appraisal = judge(PaperTpm().members(), ek_certificates=frozenset({bytes(32)}))
    assert codes(appraisal) == {f"{ID}.ek-binding": f"{ID}.ek-not-allowed"}


def test_missing_ek_certificate_is_no_pass():
    appraisal = judge(PaperTpm().members(ek_certificate=None))
    assert appraisal.failed == () and not appraisal.passed
    assert set(codes(appraisal).values()) == {f"{ID}.ek-certificate-missing"}


def test_chain_tricks():
    """Superfluous, repeated and unordered certificates are refused, wherever the anchor is."""
    members = PaperTpm().members()
    ca = attestation_ca().der
    assert judge({**members, "ak_chain": ca}).passed  # the anchor itself may be there
    for chain in (ca + ca, maker().der, ca + maker().der, ek_certificate()):
        appraisal = judge({**members, "ak_chain": chain})
        assert not appraisal.passed
        assert codes(appraisal)[f"{ID}.ak-certificate"].startswith(f"{ID}.ak-chain-")
    with pytest.raises(MalformedError):
        judge({**members, "ak_chain": ca * 5})


def test_end_entity_certificate_cannot_issue():
    """The honest AK's certificate, used as if it were a CA for the attacker's AK."""
    honest = PaperTpm(key=key_pair("p256"))
    certificate = honest.members()["ak_certificate"]
    false_ca = replace(attestation_ca(), certificate=x509.load_der_x509_certificate(certificate), key=honest.key)
    attacker = PaperTpm(key=key_pair("p256", 66), ak_changes={"ca": false_ca})
    appraisal = judge(attacker.members(ak_chain=certificate))
    assert codes(appraisal)[f"{ID}.ak-certificate"] == f"{ID}.ak-chain-not-ca"


def test_ek_certificate_is_no_ak_certificate_even_under_a_common_root():
    appraisal = judge(PaperTpm().members(ak_certificate=ek_certificate()), platform_ak_issuers=(maker().der,))
    assert f"{ID}.ak-certificate" in codes(appraisal)
    assert not appraisal.passed


def test_stolen_certificate_of_a_platform():
    """Genuine, with its chain, in front of a quote that the thief's own key signed."""
    root = issue("platform root", AT, ca=True)
    middle = issue("platform CA", AT, root, ca=True)
    leaf = issue("AK", AT, middle, key=key_pair("p256"))
    stolen = {"ak_certificate": leaf.der, "ak_chain": middle.der, "ek_certificate": None}
    issuers: dict[str, Any] = {"ak_issuers": (), "platform_ak_issuers": (root.der,)}
    assert judge(PaperTpm().members(**stolen), **issuers).passed
    thief = PaperTpm(key=key_pair("p256", 66)).members(**stolen)
    assert codes(judge(thief, **issuers)) == {f"{ID}.ak-binding": f"{ID}.ak-key-mismatch"}
    # A policy that lists the thief's key does not make the certificate beside it any truer.
    enrolled = frozenset({load_ak(thief).fingerprint})
    assert codes(judge(thief, ak_keys=enrolled, **issuers)) == {f"{ID}.ak-binding": f"{ID}.ak-key-mismatch"}


def test_the_leaf_cannot_be_the_anchor():
    appraisal = judge(PaperTpm().members(ak_certificate=attestation_ca().der))
    assert codes(appraisal)[f"{ID}.ak-certificate"] == f"{ID}.ak-chain-leaf-is-ca"


@pytest.mark.parametrize("value", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x02", bytes(200)])
def test_malformed_binding_extension(value):
    with pytest.raises(MalformedError) as caught:
        judge(PaperTpm(ak_changes={"binding": value}).members())
    assert caught.value.code == f"{ID}.ak-binding-malformed"
