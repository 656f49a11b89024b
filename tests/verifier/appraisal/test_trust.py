# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy says of a format, from strongest to weakest; when collateral was issued."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from attestation.cmw import FORMAT as CMW
from attestation.cmw import CmwTrust
from attestation.collateral import sort_collateral
from attestation.contract import Format
from attestation.formats import FORMATS
from tests.verifier.appraisal.making import AT, FakeTrust
from verifier.appraisal.collateral_age import oldest_issue
from verifier.appraisal.trust import read_reference, trust_for
from verifier.errors import MalformedError
from verifier.policy import Policy, parse_policy, profile_policy
from verifier.profiles import PROFILES

KEY = ec.derive_private_key(99, ec.SECP256R1())
TPM = FORMATS["tpm2-quote@v1"]


@dataclass(frozen=True)
class Composite:
    """A composite format's trust."""

    inner: FakeTrust = field(default_factory=FakeTrust)
    other: int = 1


def test_a_profile_reaches_into_composite_trust():
    format_ = Format("x@v1", "x", {}, None, None, Composite)  # type: ignore[arg-type]
    relaxed = trust_for(format_, Policy(demands=PROFILES["development"]))
    assert relaxed.inner.allow_debug and not relaxed.inner.require_crl and relaxed.other == 1
    stated = Policy(demands=PROFILES["development"], tables={"x": {"require_crl": True}}, trust={"x": Composite()})
    assert trust_for(format_, stated).inner.require_crl


def test_reference_values_go_before_the_policys_table():
    text = 'format = "policy@v1"\nprofile = "home"\n[require]\nassurance = ["signed"]\n[evidence.tpm2]\n'
    policy = parse_policy((text + f'pcrs = {{ 0 = ["{"0a" * 32}"] }}\n').encode())
    kept = trust_for(TPM, policy)
    assert kept.reference_pcrs == {("sha256", 0): frozenset({b"\x0a" * 32})}
    changed = trust_for(TPM, policy, {"pcrs": {"1": ["0b" * 32]}})
    assert changed.reference_pcrs == {("sha256", 1): frozenset({b"\x0b" * 32})}
    with pytest.raises(MalformedError) as caught:
        trust_for(TPM, policy, {"unknown": 1})
    assert caught.value.code == "policy.reference.malformed"
    with pytest.raises(MalformedError) as caught:
        trust_for(FORMATS["simulated@v1"], policy, {"x": 1})
    assert caught.value.code == "policy.reference.malformed"


def test_reference_files():
    assert read_reference(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert read_reference(b"a = 1\n") == {"a": 1}
    for data in (b"", b"{}", b"\xff", b"{", b'{"a": 1, "a": 2}', b"[" * 10_000, b"{" * 10_000, b"a" * ((4 << 20) + 1)):
        with pytest.raises(MalformedError) as caught:
            read_reference(data)
        assert caught.value.code == "policy.reference.malformed"


def test_the_pieces_of_a_collection_are_judged_as_if_alone():
    trust = trust_for(CMW, profile_policy("home"))
    assert isinstance(trust, CmwTrust)
    assert trust.accept == frozenset(profile_policy("home").evidence) - {CMW.type}
    assert "tpm2" in trust.trusts and "simulated" not in trust.trusts
    unsafe = trust_for(CMW, Policy(unsafe_accept_simulated=True))
    assert unsafe.accept == frozenset({"simulated@v1"})


# When collateral was issued.


def crl(days: int, issuer: str = "a") -> bytes:
    issued = AT - timedelta(days=days)
    builder = x509.CertificateRevocationListBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]), issued, issued + timedelta(days=400)
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def response(days: int) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    start = AT - timedelta(days=4000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signed = x509.CertificateBuilder(name, name, KEY.public_key(), 5, start, AT + timedelta(days=1))
        certificate = signed.sign(KEY, hashes.SHA256())
        issued = (AT - timedelta(days=days)).replace(tzinfo=None)
        answer = ocsp.OCSPResponseBuilder().add_response(
            certificate, certificate, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, issued, None, None, None
        )
        answer = answer.responder_id(ocsp.OCSPResponderEncoding.HASH, certificate)
        return answer.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def document(days: int, **more: str) -> bytes:
    issued = (AT - timedelta(days=days)).isoformat().replace("+00:00", "Z")
    return json.dumps({"tcbInfo": {"issueDate": issued, **more}, "signature": "00"}).encode()


@pytest.mark.parametrize(
    ("files", "days"),
    [
        ([], None),
        ([b"anything", b"{}", b"[1]"], None),
        ([crl(5)], 5),
        ([crl(5), crl(9)], 5),
        ([crl(5), crl(9, "b")], 9),
        ([document(3), document(8)], 3),
        ([document(3), document(8, fmspc="00")], 8),
        ([document(3), crl(4), response(6)], 6),
        ([json.dumps({"tcb_info": document(7).decode()}).encode()], 7),
        ([json.dumps({"issueDate": "no date"}).encode()], None),
    ],
)
def test_the_oldest_of_the_newest(files, days):
    found = oldest_issue(sort_collateral(files))
    assert found == (None if days is None else AT - timedelta(days=days))


def test_hostile_collateral_has_no_date():
    hostile = [b"{" * 5000, b'{"issueDate": {}}', b'{"a": "' + b"x" * 100 + b'"}', crl(1)[:-5], b"\x30\x80\x02\x01\x01"]
    assert oldest_issue(sort_collateral(hostile)) is None
    nested = {"issueDate": "2020-01-01"}
    for _ in range(10):
        nested = {"a": nested}  # type: ignore[dict-item]
    assert oldest_issue(sort_collateral([json.dumps(nested).encode()])) is None
    naive = sort_collateral([b'{"issueDate": "2020-01-01"}'])
    assert oldest_issue(naive) == datetime(2020, 1, 1, tzinfo=UTC)
