# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral in every form in which it comes, and in none: recognised by content, never raising."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.collateral import Collateral, Item, sort_collateral
from attestation.intel.collateral import MAX_ALL_JSON, MAX_JSON, MAX_LISTS, MAX_PIECES, MAX_SIGNERS, MAX_VALUES, gather
from attestation.intel.pem import encode_certificate
from attestation.intel.raw import text_bytes
from tests.attestation.intel.judging import codes, judge, vector
from tests.attestation.intel.making import Paper, der, key, raw_sign, revocation_list

PAPER = Paper()
FILES = PAPER.files()
CHAIN = FILES["chain"].decode()


def bundle(**changes):
    """The JSON of dcap-qvl."""
    found = {
        "pck_crl_issuer_chain": (encode_certificate(der(PAPER.ca_certificate())) + der_pem()).decode(),
        "root_ca_crl": FILES["root_crl"].hex(),
        "pck_crl": FILES["pck_crl"].hex(),
        "tcb_info_issuer_chain": CHAIN,
        "tcb_info": PAPER.tcb_info_body().decode(),
        "tcb_info_signature": raw_sign(key(PAPER.tcb_key), PAPER.tcb_info_body()).hex(),
        "qe_identity_issuer_chain": CHAIN,
        "qe_identity": PAPER.qe_identity_body().decode(),
        "qe_identity_signature": raw_sign(key(PAPER.tcb_key), PAPER.qe_identity_body()).hex(),
    }
    return json.dumps({**found, **changes}, indent=2).encode()


def der_pem():
    return encode_certificate(der(PAPER.root()))


def pretty(data):
    return json.dumps(json.loads(data), indent=4).encode()


RESPONSES = {name: FILES[name] for name in ("tcb_info", "qe_identity")}
LISTS = {name: FILES[name] for name in ("root_crl", "pck_crl")}
HEADERS = f"TCB-Info-Issuer-Chain: {quote(CHAIN)}\r\nSGX-Enclave-Identity-Issuer-Chain: {quote(CHAIN)}\r\n".encode()
FORMS = {
    "loose files": list(FILES.values()),
    "in any order": list(FILES.values())[::-1],
    "one bundle": [bundle()],
    "several bundles": [bundle(), bundle()],
    "documents written prettily": [*map(pretty, RESPONSES.values()), *LISTS.values(), FILES["chain"]],
    "lists in hex": [*RESPONSES.values(), FILES["chain"], *(data.hex().encode() for data in LISTS.values())],
    "chains in headers": [*RESPONSES.values(), *LISTS.values(), HEADERS],
    "header values alone": [*RESPONSES.values(), *LISTS.values(), quote(CHAIN).encode()],
    "responses with their headers as JSON": [
        *LISTS.values(),
        json.dumps({name: {"chain": quote(CHAIN), "body": data.decode()} for name, data in RESPONSES.items()}).encode(),
    ],
    "a list of things": [json.dumps([json.loads(bundle()), {"note": "x" * 80}, "y" * 64, 1, None]).encode()],
    "among others' files": [b"\0" * 100, b"<xml/>", b"{", b"not collateral", *FILES.values(), b"[" * 5000],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_forms(form):
    pytest.importorskip("dcap_qvl")
    assert codes(judge(PAPER, collateral=sort_collateral(form))) == {}


def test_real_bundle():
    found = gather(sort_collateral([vector("tdx/dcap-qvl/tdx_quote_collateral.json")]))
    assert len(found.tcb_infos) == len(found.qe_identities) == len(found.signers) == 1
    assert set(found.crls) == {"Intel SGX Root CA", "Intel SGX PCK Platform CA"}


def test_real_responses():
    names = ("pck_crl_platform.der", "root_ca_crl.der", "td_qe_identity.json", "tcb_signing_chain.pem")
    found = gather(sort_collateral(vector(f"tdx/attestation-rs-collateral/{name}") for name in names))
    assert (len(found.tcb_infos), len(found.qe_identities), len(found.signers)) == (0, 1, 1)
    assert set(found.crls) == {"Intel SGX Root CA", "Intel SGX PCK Platform CA"}


@pytest.mark.parametrize(
    "changes",
    [
        {"tcb_info_signature": "00" * 64}, {"tcb_info_signature": "zz"}, {"tcb_info_signature": 5}, {"tcb_info": "{}"},
        {"tcb_info": "\ud800" + "x" * 80}, {"tcb_info": None}, {"tcb_info_issuer_chain": "\ud800" * 70},
        {"pck_crl": "30"}, {"root_ca_crl": FILES["pck_crl"].hex()}, {"tcb_info": {"a": [1, 2, {"b": None}]}},
        {"qe_identity": "[]"},
    ],
)  # fmt: skip
def test_spoiled_bundles_fail_closed(changes):
    appraisal = judge(PAPER, collateral=sort_collateral([bundle(**changes)]))
    assert not appraisal.passed or changes == {"tcb_info_issuer_chain": "\ud800" * 70}  # the other chain is as good
    assert not appraisal.failed


def test_limits():
    many = [
        encode_certificate(der(Paper(tcb_key=100 + number, signer={"serial": number + 9}).signer_certificate()))
        for number in range(MAX_SIGNERS + 2)
    ]
    assert len(gather(sort_collateral(many)).signers) == MAX_SIGNERS
    large = b'{"x":"' + b"a" * MAX_JSON + b'"}'
    assert gather(Collateral((Item("json", large),))) == gather(Collateral())
    others = tuple(Item("json", large[:9] + large[-MAX_JSON // 3 - number :]) for number in range(9))
    assert gather(Collateral((*others, Item("json", FILES["tcb_info"])))).tcb_infos  # others' JSON is not in the way
    most = b'{"tcbInfo":"' + b"a" * (MAX_ALL_JSON - len(FILES["tcb_info"])) + b'"}'
    behind = Collateral((Item("json", most), Item("json", FILES["tcb_info"])))
    assert gather(behind).tcb_infos == () != gather(Collateral(behind.items[1:])).tcb_infos
    half = b'{"tcbInfo":"' + b"a" * (MAX_ALL_JSON // 2) + b'"}'
    smaller = Collateral((Item("json", half), Item("json", half[:-3] + b'b"}'), Item("json", FILES["tcb_info"])))
    assert gather(smaller).tcb_infos  # what does not fit any more keeps out nothing that does
    crowd = Item("json", b'{"tcbInfo":[' + b",".join([b"0"] * (MAX_VALUES - 2)) + b"]}")
    assert gather(Collateral((crowd, Item("json", FILES["tcb_info"])))).tcb_infos == ()
    lists = [der(revocation_list("one", key(number))) for number in range(MAX_LISTS + 4)]
    lists += [der(revocation_list(f"name {number}", key(number))) for number in range(MAX_PIECES)]
    assert len(gather(sort_collateral(lists)).crls["one"]) == MAX_LISTS
    assert sum(map(len, gather(sort_collateral(lists)).crls.values())) == MAX_PIECES


def test_a_large_list_of_others_keeps_no_list_out(monkeypatch):
    monkeypatch.setattr("attestation.intel.collateral.MAX_ALL_LISTS", sum(map(len, LISTS.values())))
    large = revocation_list("somebody else", key(9), tuple(range(1, 99)))
    assert len(der(large)) > sum(map(len, LISTS.values()))
    found = gather(sort_collateral([der(large), *LISTS.values()])).crls
    assert {data for lists in found.values() for data in lists} == set(LISTS.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=90) | st.just(CHAIN) | st.just(FILES["pck_crl"].hex()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tcbInfo", "signature", "tcb_info", "tcb_info_signature", "enclaveIdentity", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(json_values)
def test_gathering_never_raises(value):
    gather(Collateral((Item("json", json.dumps(value).encode()),)))


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=200) | st.sampled_from(list(FILES.values())), max_size=4))
def test_any_files(files):
    gather(sort_collateral(data for data in files if b"-----BEGIN " not in data))


def test_text_bytes():
    data = bytes(range(250))
    for value in (data.hex(), data.hex().upper(), "0x" + data.hex(), list(data)):
        assert text_bytes(value, "evidence.tdx", "it") == data
    assert text_bytes("--__", "evidence.tdx", "it") == text_bytes("++//", "evidence.tdx", "it")
