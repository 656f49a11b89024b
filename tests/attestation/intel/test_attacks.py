# SPDX-License-Identifier: AGPL-3.0-or-later
"""One defect each, on a platform on paper: revocation, forgeries, windows, names, what Intel's documents say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from attestation import azure_tdx, sgx, tdx
from attestation.collateral import EMPTY, sort_collateral
from attestation.errors import MalformedError, UnsupportedError
from attestation.intel.pem import encode_certificate
from attestation.intel.signature import P256_ORDER
from tests.attestation.intel.judging import codes, judge
from tests.attestation.intel.making import (
    AT,
    CHALLENGE,
    END,
    Paper,
    der,
    key,
    level,
    raw_sign,
    revocation_list,
)

pytest.importorskip("dcap_qvl")

TDX, SGX = Paper(), Paper(tdx=False, version=3)
SECOND = timedelta(seconds=1)
EARLIER, LATER = AT - timedelta(days=2), AT - timedelta(days=1)


@pytest.mark.parametrize("paper", [TDX, Paper(version=5), SGX], ids=["v4", "v5", "v3"])
def test_honest_evidence_passes(paper):
    appraisal = judge(paper)
    assert appraisal.passed and appraisal.claims["tcb_status"] == "UpToDate"
    assert [check.outcome for check in appraisal.checks if check.id.endswith("second-opinion")] == ["PASS"]
    assert appraisal.expires == END


UNSIGNED = {
    "tcb-info": "tcb-info-signature-invalid",
    "qe-identity": "qe-identity-signature-invalid",
    "tcb": "tcb-unknown",
}

DEFECTS = {
    "PCK revoked": ({"pck_revoked": (4,)}, {"pck-revocation": "pck-revoked"}),
    "PCK CA revoked": ({"root_revoked": (2,)}, {"pck-ca-revocation": "pck-ca-revoked"}),
    "TCB signing certificate revoked": ({"root_revoked": (3,)}, {"tcb-signer-revocation": "tcb-signer-revoked"}),
    "PCK's list expired": ({"pck_crl": {"start": EARLIER, "end": LATER}}, {"pck-revocation": "pck-crl-expired"}),
    "PCK's list from the future": (
        {"pck_crl": {"start": AT + SECOND, "end": END}}, {"pck-revocation": "pck-crl-expired"},
    ),
    "root's list expired": (
        {"root_crl": {"start": EARLIER, "end": LATER}},
        {"pck-ca-revocation": "pck-ca-crl-expired", "tcb-signer-revocation": "tcb-signer-crl-expired"},
    ),
    "PCK expired": ({"pck": {"start": EARLIER, "end": LATER}}, {"pck-certificate": "pck-chain-expired"}),
    "PCK CA expired": ({"ca": {"start": EARLIER, "end": LATER}}, {"pck-certificate": "pck-chain-expired"}),
    "PCK CA is no CA": ({"ca": {"ca": False}}, {"pck-certificate": "pck-chain-not-ca"}),
    "PCK is a CA": ({"pck": {"ca": True}}, {"pck-certificate": "pck-chain-leaf-is-ca"}),
    "PCK of another name": ({"pck_name": "Intel SGX TCB Signing"}, {"pck-certificate": "pck-usage"}),
    "PCK CA of another name": ({"ca_name": "Intel SGX Other CA"}, {"pck-certificate": "pck-usage"}),
    "attacker's root": (
        {"root_key": 66},
        {
            "pck-certificate": "pck-untrusted",
            "tcb-info": "tcb-signer-untrusted",
            "qe-identity": "tcb-signer-untrusted",
            "tcb": "tcb-unknown",
        },
    ),
    "TCB signing certificate expired": (
        {"signer": {"start": EARLIER, "end": LATER}},
        {"tcb-info": "tcb-signer-chain-expired", "qe-identity": "tcb-signer-chain-expired", "tcb": "tcb-unknown"},
    ),
    "TCB signing certificate of another name": (
        {"tcb_name": "Intel SGX PCK Certificate"},
        UNSIGNED,
    ),
    "QE's report names another key": (
        {"qe": {"report_data": bytes(64)}}, {"attestation-key": "attestation-key-unbound"},
    ),
    "QE of another signer": ({"qe": {"signer": b"\x50" * 32}}, {"qe": "qe-mismatch"}),
    "QE of another product": ({"qe": {"prod_id": 3}}, {"qe": "qe-mismatch"}),
    "QE debuggable": ({"qe": {"flags": 0x17}}, {"qe": "qe-mismatch"}),
    "QE not initialised": ({"qe": {"flags": 0x14}}, {"qe": "qe-mismatch"}),
    "QE with other attributes": ({"qe": {"flags": 0x05}}, {"qe": "qe-mismatch"}),
    "QE with other MISCSELECT": ({"qe": {"misc_select": 1}}, {"qe": "qe-mismatch"}),
    "QE with reserved bytes": ({"qe": {"reserved": b"\1" * 12}}, {"qe": "qe-mismatch"}),
    "QE below every level": ({"qe": {"svn": 3}}, {"tcb": "tcb-not-supported"}),
    "QE out of date": ({"qe_levels": (level(5), level(4, "OutOfDate"))}, {"tcb": "tcb-out-of-date"}),
    "QE revoked": ({"qe_levels": (level(5), level(4, "Revoked"))}, {"tcb": "tcb-revoked"}),
    "platform below every level": ({"components": bytes([2] * 16)}, {"tcb": "tcb-not-supported"}),
    "PCE below every level": ({"pce_svn": 10}, {"tcb": "tcb-not-supported"}),
    "TCB information expired": (
        {"tcb_info": {"nextUpdate": "2026-05-31T00:00:00Z"}}, {"tcb-info": "tcb-info-expired", "tcb": "tcb-unknown"},
    ),
    "TCB information from the future": (
        {"tcb_info": {"issueDate": "2026-06-02T00:00:00Z"}}, {"tcb-info": "tcb-info-expired", "tcb": "tcb-unknown"},
    ),
    "TCB information of another FMSPC": (
        {"tcb_info": {"fmspc": "000000000000"}}, {"tcb-info": "tcb-info-missing", "tcb": "tcb-unknown"},
    ),
    "TCB information of another PCE": (
        {"tcb_info": {"pceId": "0001"}}, {"tcb-info": "tcb-info-missing", "tcb": "tcb-unknown"},
    ),
    "TCB information of another version": (
        {"tcb_info": {"version": 4}}, {"tcb-info": "tcb-info-unsupported", "tcb": "tcb-unknown"},
    ),
    "TCB information with an unknown status": (
        {"levels": ({"tcb": {}, "tcbDate": "2025-01-01T00:00:00Z", "tcbStatus": "Fine"},)},
        {"tcb-info": "tcb-info-unsupported", "tcb": "tcb-unknown"},
    ),
    "QE identity expired": (
        {"qe_identity": {"nextUpdate": "2026-05-31T00:00:00Z"}},
        {"qe-identity": "qe-identity-expired", "tcb": "tcb-unknown"},
    ),
    "QE identity of another enclave": (
        {"qe_identity": {"id": "QVE"}}, {"qe-identity": "qe-identity-missing", "tcb": "tcb-unknown"},
    ),
    "QE identity of another version": (
        {"qe_identity": {"version": 3}}, {"qe-identity": "qe-identity-unsupported", "tcb": "tcb-unknown"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("paper", [TDX, SGX], ids=["tdx", "sgx"])
@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS.keys())
def test_defect(paper, defect):
    changes, expected = defect
    appraisal = judge(paper.but(**changes))
    assert codes(appraisal) == expected
    assert not appraisal.passed


TDX_DEFECTS = {
    "debug": ({"body": {"attributes": 1 << 28 | 1}}, {"debug": "debug"}),
    "profiled": ({"body": {"attributes": 1 << 28 | 1 << 5}}, {"attributes": "attributes-unexpected"}),
    "reserved attribute": ({"body": {"attributes": 1 << 28 | 1 << 40}}, {"attributes": "attributes-unexpected"}),
    "migratable": ({"body": {"attributes": 1 << 28 | 1 << 29}}, {"attributes": "attributes-unexpected"}),
    "#VE on": ({"body": {"attributes": 0}}, {"attributes": "sept-ve-disable-absent"}),
    "service TD": ({"version": 5, "body": {"service_td": b"\1" * 48}}, {"service-td": "service-td-bound"}),
    "module of another signer": ({"body": {"seam_signer": b"\1" * 48}}, {"tdx-module": "tdx-module-mismatch"}),
    "module with attributes": ({"body": {"seam_attributes": b"\1" + bytes(7)}}, {"tdx-module": "tdx-module-mismatch"}),
    "module below every level": (
        {"body": {"tee_tcb_svn": bytes([3, 1, 2, *[0] * 13])}}, {"tcb": "tcb-not-supported"},
    ),
    "module of an unknown version": (
        {"body": {"tee_tcb_svn": bytes([5, 9, 2, *[0] * 13])}},
        {"tdx-module": "tdx-module-mismatch", "tcb": "tcb-not-supported"},
    ),
    "late microcode too old": ({"body": {"tee_tcb_svn": bytes([5, 1, 1, *[0] * 13])}}, {"tcb": "tcb-not-supported"}),
}  # fmt: skip


@pytest.mark.parametrize("defect", TDX_DEFECTS.values(), ids=TDX_DEFECTS.keys())
def test_tdx_defect(defect):
    changes, expected = defect
    assert codes(judge(TDX.but(**changes))) == expected


SGX_DEFECTS = {
    "debug": ({"body": {"flags": 0x17}}, {}, {"debug": "debug"}),
    "not initialised": ({"body": {"flags": 0x14}}, {}, {"attributes": "attributes-unexpected"}),
    "reserved bytes": ({"body": {"reserved": b"\1" * 12}}, {}, {"attributes": "attributes-unexpected"}),
    "another MRENCLAVE": ({}, {"mr_enclave": frozenset({bytes(32)})}, {"reference": "reference-mismatch"}),
    "another MRSIGNER": ({}, {"mr_signer": frozenset({bytes(32)})}, {"reference": "reference-mismatch"}),
    "another product": (
        {}, {"mr_signer": frozenset({b"\x52" * 32}), "isv_prod_id": 8}, {"reference": "reference-mismatch"},
    ),
    "too old": ({}, {"mr_signer": frozenset({b"\x52" * 32}), "min_isv_svn": 4}, {"reference": "reference-mismatch"}),
}  # fmt: skip


@pytest.mark.parametrize("defect", SGX_DEFECTS.values(), ids=SGX_DEFECTS.keys())
def test_sgx_defect(defect):
    changes, trust, expected = defect
    assert codes(judge(SGX.but(**changes), **trust)) == expected


def test_expected_enclave_passes():
    trust: dict[str, Any] = {"mr_signer": frozenset({b"\x52" * 32}), "isv_prod_id": 7, "min_isv_svn": 3}
    assert judge(SGX, **trust, mr_enclave=frozenset({b"\x53" * 32})).passed


@pytest.mark.parametrize(
    ("challenge", "code"),
    [
        (bytes(32), "challenge-mismatch"),
        (CHALLENGE[:31], "challenge-mismatch"),
        (CHALLENGE + b"\1", "challenge-mismatch"),
        (b"", "challenge-mismatch"),
        (CHALLENGE.ljust(64, b"\0"), None),
    ],
)
@pytest.mark.parametrize("paper", [TDX, SGX], ids=["tdx", "sgx"])
def test_challenge(paper, challenge, code):
    assert codes(judge(paper, challenge=challenge)) == ({"challenge": code} if code else {})


def chain_of(*certificates):
    return b"".join(encode_certificate(der(certificate)) for certificate in certificates)


def test_forged_under_ones_own_attestation_key():
    """A genuine quote's QE part, and a body signed by a key that the QE never saw."""
    chain = chain_of(TDX.pck_certificate(), TDX.ca_certificate(), TDX.root())
    honest, forged = TDX.quote(chain), TDX.but(attestation_key=66).quote(chain)
    start = 48 + 584 + 4
    assert codes(judge(TDX, forged[: start + 128] + honest[start + 128 :])) == {
        "attestation-key": "attestation-key-unbound"
    }
    assert codes(judge(TDX, forged[:start] + honest[start : start + 64] + forged[start + 64 :])) == {
        "signature": "signature-invalid"
    }
    assert codes(judge(TDX, TDX.but(pck_key=66).quote())) == {}  # another PCK under Intel's CA is another platform
    assert codes(judge(TDX, TDX.but(pck_key=66).quote(chain))) == {"qe-signature": "qe-signature-invalid"}


def test_chains():
    leaf, ca, root = TDX.pck_certificate(), TDX.ca_certificate(), TDX.root()
    for good in (chain_of(leaf, ca, root), chain_of(leaf, ca) + b"\0", chain_of(leaf, ca, root)[:-1]):
        assert judge(TDX, TDX.quote(good)).passed
    for wrong in (chain_of(leaf, root, ca), chain_of(leaf, leaf, root), chain_of(leaf, ca, leaf)):
        assert "pck-certificate" in codes(judge(TDX, TDX.quote(wrong)))
    with pytest.raises(MalformedError) as caught:
        judge(TDX, TDX.quote(chain_of(ca, leaf, root)))
    assert caught.value.code == "evidence.tdx.pck-extension-malformed"  # a CA has none
    other = TDX.quote(chain_of(leaf, ca, Paper(root_key=66).root()))
    assert codes(judge(TDX, other)) == {"pck-certificate": "pck-untrusted"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda chain: chain + b"\0",
        lambda chain: chain.removesuffix(b"\0") + b"\n",
        lambda chain: b" " + chain,
        lambda chain: chain.replace(b"\n", b"\r\n"),
        lambda chain: chain.replace(b"-----END CERTIFICATE-----\n", b"-----END CERTIFICATE-----", 1),
        lambda chain: chain + chain,
        lambda chain: chain[: chain.index(b"-----END") + 26],
        lambda chain: b"",
        lambda chain: chain.replace(b"\nMII", b"\nM\nII", 1),
        lambda chain: chain.replace(b"-----BEGIN CERTIFICATE-----\nM", b"-----BEGIN CERTIFICATE-----\n!", 1),
    ],
)
def test_chain_in_other_armour(spoil):
    chain = chain_of(TDX.pck_certificate(), TDX.ca_certificate(), TDX.root()) + b"\0"
    with pytest.raises(MalformedError) as caught:
        judge(TDX, TDX.quote(spoil(chain)))
    assert caught.value.code == "evidence.tdx.pck-chain-malformed"


def test_signatures_out_of_range():
    quote = TDX.quote()
    start = 48 + 584 + 4
    r, s = quote[start : start + 32], quote[start + 32 : start + 64]
    order = P256_ORDER.to_bytes(32, "big")
    zero, full = bytes(32), b"\xff" * 32
    for forged in (zero + s, r + zero, order + s, r + order, full + s, r + full, s + r, zero + zero):
        assert codes(judge(TDX, quote[:start] + forged + quote[start + 64 :])) == {"signature": "signature-invalid"}
    # The twin says the same of the same bytes; quoting enclaves emit both kinds (docs/spec/tdx-quote-v1.md).
    twin = (P256_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    assert judge(TDX, quote[:start] + r + twin + quote[start + 64 :]).passed
    off_curve = quote[: start + 64] + b"\1" * 64 + quote[start + 128 :]
    assert codes(judge(TDX, off_curve))["signature"] == "signature-invalid"


@pytest.mark.parametrize("edge", ["pck", "ca", "pck_crl", "root_crl", "signer"])
def test_windows_to_the_second(edge):
    start, end = AT - timedelta(hours=1), AT + timedelta(hours=1)
    paper = TDX.but(**{edge: {"start": start, "end": end}})
    for at, fine in ((start - SECOND, False), (start, True), (end - SECOND, True), (end + SECOND, False)):
        assert judge(paper, at=at).passed is fine, (edge, at)
    assert judge(paper, at=end).expires == end


@pytest.mark.parametrize("document", ["tcb_info", "qe_identity"])
def test_documents_windows_to_the_second(document):
    start, end = AT - timedelta(hours=1), AT + timedelta(hours=1)
    times = {"issueDate": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "nextUpdate": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    paper = TDX.but(**{document: times})
    for at, fine in ((start - SECOND, False), (start, True), (end, True), (end + SECOND, False)):
        assert judge(paper, at=at).passed is fine, at


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("pck_crl", {"pck-revocation": "pck-crl-missing"}),
        ("root_crl", {"pck-ca-revocation": "pck-ca-crl-missing", "tcb-signer-revocation": "tcb-signer-crl-missing"}),
        ("tcb_info", {"tcb-info": "tcb-info-missing", "tcb": "tcb-unknown"}),
        ("qe_identity", {"qe-identity": "qe-identity-missing", "tcb": "tcb-unknown"}),
        ("chain", UNSIGNED),
    ],
)
def test_missing_collateral_fails_closed(missing, expected):
    assert codes(judge(TDX, collateral=TDX.collateral(missing))) == expected


def test_missing_revocation_lists_can_be_tolerated():
    appraisal = judge(TDX, collateral=TDX.collateral("pck_crl", "root_crl"), require_crl=False)
    assert appraisal.passed
    assert {check.code for check in appraisal.checks if check.id.endswith("second-opinion")} == {
        "evidence.tdx.second-opinion-not-asked"
    }
    revoked = TDX.but(pck_revoked=(4,))
    assert codes(judge(revoked, require_crl=False)) == {"pck-revocation": "pck-revoked"}


def test_foreign_revocation_lists():
    others = Paper(ca_key=66, root_key=67)
    files = {**TDX.files(), "pck_crl": der(others.pck_list()), "root_crl": der(others.root_list())}
    assert codes(judge(TDX, collateral=sort_collateral(files.values()))) == {
        "pck-revocation": "pck-crl-invalid",
        "pck-ca-revocation": "pck-ca-crl-invalid",
        "tcb-signer-revocation": "tcb-signer-crl-invalid",
    }
    # A foreign list beside the right one changes nothing but, being newer, may bring the second opinion to refuse.
    stranger = der(revocation_list("Some CA", key(66)))
    assert judge(TDX, collateral=sort_collateral([*TDX.files().values(), stranger])).passed


def test_forged_documents_do_not_hide_the_good_one():
    for name in ("tcbInfo", "enclaveIdentity"):
        body = TDX.tcb_info_body() if name == "tcbInfo" else TDX.qe_identity_body()
        signature = raw_sign(key(66), body).hex().encode()
        forged = (
            b'{"'
            + name.encode()
            + b'":'
            + body.replace(b'Number":17', b'Number":99')
            + b',"signature":"'
            + signature
            + b'"}'
        )
        assert judge(TDX, collateral=sort_collateral([forged, *TDX.files().values()])).passed
        alone = sort_collateral([forged, *[data for data in TDX.files().values() if name.encode() not in data[:20]]])
        line = "tcb-info" if name == "tcbInfo" else "qe-identity"
        assert codes(judge(TDX, collateral=alone))[line] == f"{line}-signature-invalid"


def test_newest_document_counts():
    old = TDX.but(tcb_info={"tcbEvaluationDataNumber": 16, "issueDate": "2026-05-20T00:00:00Z"})
    both = TDX.collateral() + old.collateral()
    assert judge(TDX, collateral=both).claims["tcb_evaluation"] == 17
    assert judge(old).claims["tcb_evaluation"] == 16  # the older of the two documents'
    assert judge(TDX, collateral=both, min_tcb_evaluation=17).passed
    assert codes(judge(old, min_tcb_evaluation=17)) == {"tcb-info": "tcb-info-superseded", "tcb": "tcb-unknown"}


def test_debug_passes_only_as_a_warning():
    for paper in (TDX.but(body={"attributes": 1 << 28 | 1}), SGX.but(body={"flags": 0x17})):
        appraisal = judge(paper, allow_debug=True)
        assert appraisal.passed and appraisal.claims["debug"] is True
        assert [check.id.rpartition(".")[2] for check in appraisal.checks if check.warning] == ["debug"]


def test_tolerated_attributes_and_service_tds():
    assert judge(TDX.but(body={"attributes": 0}), require_sept_ve_disable=False).passed
    paper = TDX.but(version=5, body={"service_td": b"\1" * 48})
    assert judge(paper, service_tds=frozenset({b"\1" * 48})).passed
    assert not judge(paper, service_tds=frozenset({b"\2" * 48})).passed


def test_reference_values():
    assert judge(TDX, reference={"mr_td": frozenset({b"\x62" * 48, bytes(48)}), "rtmr0": frozenset({bytes(48)})}).passed
    for name in ("mr_td", "mr_seam", "rtmr3", "mr_owner"):
        assert codes(judge(TDX, reference={name: frozenset({b"\7" * 48})})) == {"reference": "reference-mismatch"}
    claims = judge(SGX).claims
    for name in ("mr_enclave", "mr_signer"):  # each alone says nothing of the other, nor of product and version
        same: dict[str, Any] = {name: frozenset({bytes.fromhex(claims[name])})}
        other: dict[str, Any] = {name: frozenset({b"\7" * 32})}
        assert judge(SGX, **same).passed
        assert codes(judge(SGX, **other)) == {"reference": "reference-mismatch"}


def test_no_anchors():
    assert codes(judge(TDX, roots=()))["pck-certificate"] == "pck-no-anchors"


def test_without_collateral_the_status_is_unknown():
    appraisal = judge(TDX, collateral=EMPTY)
    assert not appraisal.passed and not appraisal.failed and codes(appraisal)["tcb"] == "tcb-unknown"
    assert "tcb_status" not in appraisal.claims


def patched(offset, data):
    quote = bytearray(TDX.quote())
    quote[offset : offset + len(data)] = data
    return bytes(quote)


@pytest.mark.parametrize(
    ("offset", "data", "kind", "code"),
    [
        (0, b"\6", UnsupportedError, "version-unsupported"),
        (0, b"\3", UnsupportedError, "version-unsupported"),
        (2, b"\3", UnsupportedError, "key-type-unsupported"),
        (4, b"\0", UnsupportedError, "tee-unsupported"),
        (12, b"\0", UnsupportedError, "qe-vendor-unsupported"),
        (632, b"\0\0\0\0", MalformedError, "quote-malformed"),
        (632, b"\xff\xff\xff\xff", MalformedError, "quote-malformed"),
        (632 + 4 + 128, b"\5", UnsupportedError, "certification-unsupported"),
        (632 + 4 + 130, b"\0\0\0\0", MalformedError, "quote-malformed"),
        (632 + 4 + 134 + 448, b"\xff\xff", MalformedError, "quote-malformed"),
        (632 + 4 + 134 + 450 + 32, b"\1", UnsupportedError, "certification-unsupported"),
        (632 + 4 + 134 + 450 + 34, b"\xff\xff\xff\xff", MalformedError, "quote-truncated"),
    ],
)
def test_grammar(offset, data, kind, code):
    with pytest.raises(kind) as caught:
        judge(TDX, patched(offset, data))
    assert caught.value.code == f"evidence.tdx.{code}"


def test_version_5_bodies():
    quote = bytearray(Paper(version=5).quote())
    for offset, data, kind, code in (
        (48, b"\1", UnsupportedError, "body-unsupported"),
        (48, b"\4", UnsupportedError, "body-unsupported"),
        (50, b"\0", MalformedError, "quote-malformed"),
    ):
        wrong = bytes(quote[:offset]) + data + bytes(quote[offset + 1 :])
        with pytest.raises(kind) as caught:
            judge(Paper(version=5), wrong)
        assert caught.value.code == f"evidence.tdx.{code}"


@pytest.mark.parametrize("version", [4, 5])
def test_enclaves_in_later_versions(version):
    """Judged in full; dcap-qvl takes none of them, so that nothing passes until the policy waives its opinion."""
    paper = Paper(tdx=False, version=version)
    genuine = paper.quote()
    assert sgx.read(genuine + bytes(-len(genuine) % 64)) == {"quote": genuine}
    appraisal = judge(paper, genuine)
    assert codes(appraisal) == {"second-opinion": "second-opinion-not-asked"} and not appraisal.failed
    assert appraisal.claims["tcb_status"] == "UpToDate" and appraisal.claims["quote_version"] == version
    assert judge(paper, require_second_opinion=False).passed
    assert codes(judge(Paper(tdx=False, version=3), require_second_opinion=False)) == {}
    body = 48 + (6 if version == 5 else 0)
    for offset, code in ((body + 64, "signature-invalid"), (body + 48, "signature-invalid"), (8, "signature-invalid")):
        quote = bytearray(genuine)
        quote[offset] ^= 1
        assert codes(judge(paper, bytes(quote), require_second_opinion=False))["signature"] == code
    for other in (3, 4, 5):  # the signature covers the version, and versions differ in layout
        if other != version:
            with pytest.raises((MalformedError, UnsupportedError)):
                judge(paper, other.to_bytes(2, "little") + genuine[2:], require_second_opinion=False)
    debug = judge(paper.but(body={"flags": 0x17}), require_second_opinion=False)
    assert codes(debug) == {"debug": "debug"}


def test_bodies_of_the_other_kind():
    """A TD's body says nothing of an enclave, whatever the header calls it."""
    quote = Paper(version=5).quote()
    enclave = Paper(tdx=False, version=5)
    as_enclave, as_td = quote[:4] + bytes(4) + quote[8:], enclave.quote()
    as_td = as_td[:4] + b"\x81" + as_td[5:]
    with pytest.raises(UnsupportedError) as caught:
        judge(enclave, as_enclave, require_second_opinion=False)
    assert caught.value.code == "evidence.sgx.body-unsupported"
    with pytest.raises(UnsupportedError) as caught:
        judge(Paper(version=5), as_td)
    assert caught.value.code == "evidence.tdx.body-unsupported"


def test_pck_extension():
    for extension in (None, b"", b"\x30\x00", b"\x30\x03\x02\x01\x01", b"\x04\x00"):
        with pytest.raises(MalformedError) as caught:
            judge(TDX.but(pck={"extension": extension}))
        assert caught.value.code == "evidence.tdx.pck-extension-malformed"


@pytest.mark.parametrize("scheme", [azure_tdx, sgx, tdx])
def test_members(scheme):
    trust, name = scheme.FORMAT.trust_class(), f"evidence.{scheme.FORMAT.name}"
    for members, code in (
        ({}, "member-missing"),
        ({"quote": b""}, "member-empty"),
        ({"quote": bytes((1 << 15) + 1)}, "member-too-large"),
        ({"quote": b"x", "other": b"x"}, "member-unknown"),
    ):
        with pytest.raises(MalformedError) as caught:
            scheme.appraise(members, challenge=None, at=AT, trust=trust)
        assert caught.value.code == f"{name}.{code}"


def test_anchor_that_cannot_be_read():
    assert codes(judge(TDX, roots=(b"no certificate",)))["pck-certificate"] == "pck-anchor-unsupported"
