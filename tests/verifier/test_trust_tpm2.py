# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.tpm2]``: what a policy says becomes the trust, and nothing else is taken."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from datetime import UTC, datetime

import pytest

from attestation.tpm2 import TYPE, Tpm2Trust, read
from attestation.tpm2.ak import load_ak
from attestation.tpm2.counters import Counters
from attestation.tpm2.vendors import PINNED_EK_ROOTS, PINNED_PLATFORM_AK_ISSUERS
from tests.attestation import real
from verifier import parse_policy
from verifier.appraisal.judgement import judge
from verifier.errors import MalformedError
from verifier.policy import profile_policy
from verifier.verdict import Verdict

MINIMAL = 'format = "policy@v1"\nprofile = "production"\n[require]\nassurance = ["signed"]\n'
AT = datetime(2026, 1, 1, tzinfo=UTC)


def trust(text: str) -> Tpm2Trust:
    found = parse_policy(f"{MINIMAL}[evidence.tpm2]\n{text}".encode()).trust["tpm2"]
    assert isinstance(found, Tpm2Trust)
    return found


def pem(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der).replace("\n", "\\n")


def test_an_empty_table_trusts_nothing():
    assert trust("") == Tpm2Trust()


def test_every_key():
    unsorted = next(iter(PINNED_EK_ROOTS[23:24]))  # one of Nuvoton's
    found = trust(
        f"""
ek_roots = ["{pem(unsorted)}"]
ak_issuers = []
platform_ak_issuers = "pinned"
ak_names = ["000b{"01" * 32}", "000c{"02" * 48}"]
ak_keys = ["{"03" * 32}"]
require_event_log = true
require_crl = true
ima_digests = ["{"04" * 32}", "{"05" * 64}"]
require_ima = true
pcrs = {{ 7 = ["{"06" * 32}"] }}
[evidence.tpm2.last_seen.{"03" * 32}]
clock_ms = 5
reset_count = 6
restart_count = 7
"""
    )
    assert found == Tpm2Trust(
        ek_roots=(unsorted,),
        platform_ak_issuers=PINNED_PLATFORM_AK_ISSUERS,
        ak_names=frozenset({b"\0\x0b" + b"\1" * 32, b"\0\x0c" + b"\2" * 48}),
        ak_keys=frozenset({b"\3" * 32}),
        require_event_log=True,
        require_crl=True,
        ima_digests=frozenset({b"\4" * 32, b"\5" * 64}),
        require_ima=True,
        reference_pcrs={("sha256", 7): frozenset({b"\6" * 32})},
        last_seen={b"\3" * 32: Counters(5, 6, 7)},
    )
    assert trust('ek_roots = "pinned"').ek_roots == PINNED_EK_ROOTS


@pytest.mark.parametrize(
    "text",
    [
        'unknown = "x"',
        'ek_roots = "all"',
        'ek_roots = ["no PEM"]',
        "ek_roots = [5]",
        'ek_roots = ["-----BEGIN CERTIFICATE-----\\nMAMCAQA=\\n-----END CERTIFICATE-----"]',
        f'ek_roots = ["{pem(PINNED_EK_ROOTS[0])}{pem(PINNED_EK_ROOTS[1])}"]',
        'ak_issuers = "pinned"',
        f'ak_names = ["{"01" * 20}"]',
        f'ak_keys = ["{"AB" * 32}"]',
        f'ima_digests = ["{"01" * 20}"]',
        "require_ima = 1",
        "last_seen = { aa = {} }",
        f"last_seen = {{ {'03' * 32} = {{ clock_ms = 1 }} }}",
        f"last_seen = {{ {'03' * 32} = {{ clock_ms = -1, reset_count = 0, restart_count = 0 }} }}",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(MalformedError):
        trust(text)


def test_pinned_google_ak_ca_is_what_the_vectors_have():
    for name in ("tpm_ek_root_1.cer", "gcp_ek_ak_ca_root.crt"):
        der = real.certificate(f"gce-ak-certs/ca/{name}")
        assert hashlib.sha256(der).digest() in {hashlib.sha256(root).digest() for root in PINNED_PLATFORM_AK_ISSUERS}
    assert len(PINNED_PLATFORM_AK_ISSUERS) == 2 and Tpm2Trust().platform_ak_issuers == ()


def test_reference_values_on_real_evidence():
    """What ``affidavit appraise --type tpm2`` does with a file, and reference values over the home profile."""
    members = read(real.read("trustee/tpm_evidence.json"))
    policy = profile_policy("home")

    def verdict(members, reference=None, policy=policy):
        found = judge(TYPE, members, challenge=None, at=AT, policy=policy, reference=reference)
        return found.verdict, found.code

    assert verdict(members) == (Verdict.UNVERIFIABLE, "evidence.tpm2.ak-attributes-unknown")
    fingerprint = load_ak(members).fingerprint.hex()
    assert verdict(members, {"ak_keys": [fingerprint]}) == (Verdict.ACCEPT, "")
    wrong = {"ak_keys": [fingerprint], "pcrs": {"7": ["11" * 32]}}
    assert verdict(members, wrong) == (Verdict.REJECT, "evidence.tpm2.pcr-value-unexpected")
    text = json.loads(real.read("trustee/tpm_evidence.json"))
    text["tpm_quote"]["signature"] = base64.b64encode(
        base64.b64decode(text["tpm_quote"]["signature"])[:-1] + b"\0"
    ).decode()
    forged = read(json.dumps(text).encode())
    assert verdict(forged, {"ak_keys": [fingerprint]}) == (Verdict.REJECT, "evidence.tpm2.signature-invalid")


def test_profiles_that_demand_revocation_lists_demand_them_of_certificates_that_name_one():
    members = read(real.read("gce-attestation/gce-cos-85-nonce9009.pb"))
    members["ak_chain"] = real.certificate("gce-ak-certs/ca/tpm_ek_intermediate_2.crt")
    reference = {"platform_ak_issuers": "pinned"}

    def verdict(profile):
        policy = profile_policy(profile)
        found = judge(TYPE, members, challenge=b"\x90\x09", at=AT, policy=policy, reference=reference)
        return found.verdict, found.code

    assert verdict("home") == (Verdict.ACCEPT, "")
    assert verdict("production") == (Verdict.UNVERIFIABLE, "evidence.tpm2.revocation-crl-missing")
