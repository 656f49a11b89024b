# SPDX-License-Identifier: AGPL-3.0-or-later
"""Azure's composite evidence: every link of report, runtime data and quote, on real and on paper evidence."""

from __future__ import annotations

import base64
import json

import pytest

from attestation import azure_snp
from attestation.azure import parse_hcl_report, read_azure, without_padding
from attestation.azure.runtime import parse_runtime_data
from attestation.azure_snp.appraisal import complete
from attestation.collateral import sort_collateral
from attestation.errors import MalformedError, UnsupportedError
from attestation.tpm2 import Tpm2Trust
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.signature import Signature
from tests.attestation.azure import paper
from tests.attestation.azure.paper import CHALLENGE, hcl, judge, jwk, members, runtime
from tests.attestation.paper import key_pair
from tests.attestation.snp import real
from tests.attestation.snp.real import codes

NONCES = {"azure-v0": b"challenge", "azure-v1": b"challenge", "azure-live": b"attestation-test-fixture"}


@pytest.mark.parametrize("name", real.AZURE)
def test_real_evidence_passes(name):
    appraisal = real.judge(real.members(name), NONCES.get(name))
    assert appraisal.passed, codes(appraisal)
    claims = appraisal.claims
    assert claims["secure_boot"] is True and claims["debug"] is False and len(claims["pcrs"]) == 24
    assert claims["product"] == ("Genoa" if name == "azure-genoa" else "Milan")
    if name in NONCES:
        assert claims["report_data"] == NONCES[name].hex()
        assert codes(real.judge(real.members(name), b"another")) == {"evidence.tpm2.challenge-mismatch"}


def test_reports_of_nv_indices():
    """Trustee's, which has a VCEK beside it; a kinvolk one with certificates of another VM: a natural negative."""
    collateral = sort_collateral([real.read("trustee-az-snp-vtpm/vcek.pem")])
    parts = azure_snp.read(real.read("trustee-az-snp-vtpm/hcl-report.bin"))
    appraisal = real.judge(parts, collateral=collateral)
    assert codes(appraisal) == {"evidence.azure.quote-missing"} and not appraisal.failed
    stranger = azure_snp.read(real.read("azure-hcl/hcl-report-snp.bin"))
    appraisal = real.judge(stranger, collateral=sort_collateral([real.read("azure-hcl/certs.pem")]))
    assert codes(appraisal) == {"evidence.snp.signature-invalid", "evidence.snp.chip-mismatch"}
    for name in (
        "azure-hcl/hcl-report-tdx.bin",
        "azure-hcl/snp_hcl_report.bin",
    ):  # both are TDX's, whatever their names
        with pytest.raises(UnsupportedError) as caught:
            real.judge(azure_snp.read(real.read(name)))
        assert caught.value.code == "evidence.azure-snp.other-platform"


def test_a_report_with_its_quote_beside_it():
    """NV index, TPMS_ATTEST, bare signature and PCR values of the same machine, each a file; one of another is left."""
    report, quote = (
        real.read("trustee-az-snp-vtpm/hcl-report.bin"),
        json.loads(real.read("trustee-az-snp-vtpm/tpm-quote-v1.json")),
    )
    own = [bytes.fromhex(quote["message"]), bytes.fromhex(quote["signature"])]
    own.append(b"".join(map(bytes.fromhex, quote["pcrs"])))
    other = [real.read(f"trustee-az-snp-vtpm/tpm-quote.{name}") for name in ("msg", "sig")]
    bag = sort_collateral([real.read("trustee-az-snp-vtpm/vcek.pem"), *other, *own])
    found = complete(azure_snp.read(report), bag)
    assert set(found) == {"hcl_report", "attest", "signature", "pcrs"} and found["attest"] == own[0]
    assert real.judge(found, b"challenge", collateral=bag).passed
    for lacking in (own[:2], own[1:], [own[0], own[2]], other, []):
        bag = sort_collateral([real.read("trustee-az-snp-vtpm/vcek.pem"), *lacking])
        assert complete(azure_snp.read(report), bag) == {"hcl_report": found["hcl_report"]}
    assert complete({**found, "pcrs": b"x"}, bag) == {**found, "pcrs": b"x"}


def test_loose_quotes():
    """Of Trustee's two loose quotes one belongs to its loose report; the other is another VM's, a natural negative."""
    quote = json.loads(real.read("trustee-az-snp-vtpm/tpm-quote-v1.json"))
    report = base64.urlsafe_b64encode(real.read("trustee-az-snp-vtpm/hcl-report.bin")).decode()
    vcek = real.read("trustee-az-snp-vtpm/vcek.pem").decode()
    mixed = azure_snp.read(json.dumps({"version": 1, "tpm_quote": quote, "hcl_report": report, "vcek": vcek}).encode())
    assert set(mixed) == {"hcl_report", "attest", "signature", "pcrs", "certificates"}
    assert real.judge(mixed, b"challenge").passed
    message, value = (real.read(f"trustee-az-snp-vtpm/tpm-quote.{name}") for name in ("msg", "sig"))
    stranger = {"attest": message, "signature": Signature(alg.RSASSA, "sha256", value=value).encode()}
    assert "evidence.tpm2.signature-invalid" in codes(real.judge({**mixed, **stranger}))


def test_certificates_of_the_metadata_service():
    """The VCEK as its evidence has it, and as Azure's metadata service gives it, with its issuers."""
    files = [real.read(f"attestation-rs-azure/{name}.der") for name in ("imds-vcek", "imds-chain-0", "imds-chain-1")]
    loose = {name: data for name, data in real.members("azure-live").items() if name != "certificates"}
    assert real.judge(loose, collateral=sort_collateral(files)).passed
    chained = {**loose, "certificates": b"".join(files)}
    assert real.judge(chained).passed


def test_raw_forms():
    padded = real.read("trustee-az-snp-vtpm/hcl-report.bin")
    whole = azure_snp.read(padded)["hcl_report"]
    assert len(padded) == 2600 and whole == padded[:2346] == without_padding(padded)
    for form in (padded.hex().encode(), base64.b64encode(padded), base64.urlsafe_b64encode(padded), whole):
        assert azure_snp.read(form) == {"hcl_report": whole}
    assert azure_snp.read(padded[:-1] + b"\1") == {"hcl_report": padded[:-1] + b"\1"}  # not padding: left to the parser
    parts = {"type": "azure-snp-vtpm@v1", "members": {"hcl_report": base64.b64encode(whole).decode()}}
    assert azure_snp.read(json.dumps(parts).encode()) == {"hcl_report": whole}


def test_raw_files_that_are_something_else():
    evidence = json.loads(real.read(real.AZURE["azure-v1"]))
    quote = evidence["tpm_quote"]
    wrong = [
        {},
        {**evidence, "td_quote": "AAAA"},
        {**evidence, "hcl_report": 5},
        {**evidence, "hcl_report": "*"},
        {**evidence, "vcek": "AAAA"},
        {**evidence, "tpm_quote": {}},
        {**evidence, "tpm_quote": {**quote, "pcrs": quote["pcrs"][1:]}},
        {**evidence, "tpm_quote": {**quote, "pcrs": 3}},
        {**evidence, "tpm_quote": {**quote, "pcrs": ["00"] * 24}},
        {**evidence, "tpm_quote": {**quote, "message": quote["message"][:-2]}},
        {**evidence, "tpm_quote": {**quote, "signature": [256]}},
        {**evidence, "tpm_quote": {**quote, "signature": [True]}},
        {**evidence, "tpm_quote": {**quote, "signature": "00" * 65536}},  # no TPM2B has so much
    ]
    for content in wrong:
        with pytest.raises(MalformedError) as caught:
            azure_snp.read(json.dumps(content).encode())
        assert caught.value.code == "evidence.azure-snp.raw-malformed"
    assert read_azure(b"[]", "evidence.azure-snp") is None


# On paper.


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_honest_paper_passes(hash_name):
    appraisal = judge(members(hcl_report=hcl(hash_name=hash_name)))
    assert appraisal.passed, codes(appraisal)
    assert appraisal.claims["vm_id"] == "0000-1111" and appraisal.claims["report_data"] == CHALLENGE.hex()
    assert appraisal.claims["user_data"] == "00" * 64


def test_a_hash_with_something_behind_it():
    data = runtime()
    stretched = parse_hcl_report(hcl(data)).report_data()[:63] + b"\1"
    forged = members(hcl_report=hcl(data, report_data=stretched))
    assert codes(judge(forged)) == {"evidence.azure.runtime-data-mismatch"}


def test_a_guest_that_speaks_for_the_paravisor():
    """Software at another privilege level may put into its own report what it likes."""
    for vmpl in (1, 2, 3):
        assert codes(judge(members(hcl_report=hcl(vmpl=vmpl)))) == {"evidence.azure-snp.not-paravisor"}


def test_a_quote_under_another_key():
    assert codes(judge(members(key=key_pair("rsa-2048", 1)))) == {"evidence.tpm2.signature-invalid"}
    mine = hcl(runtime(key_pair("rsa-2048", 1)), report=hcl()[32:1216])
    forged = members(key=key_pair("rsa-2048", 1), hcl_report=mine)
    assert codes(judge(forged)) == {"evidence.azure.runtime-data-mismatch"}
    assert codes(judge(members(scheme=(alg.RSASSA, "sha1")))) >= {"evidence.tpm2.ak-key-weak"}
    assert judge(members(scheme=(alg.RSAPSS, "sha256"))).passed
    curve = members(key=key_pair("p256"), scheme=(alg.ECDSA, "sha256"))
    assert codes(judge(curve)) == {"evidence.tpm2.signature-scheme-mismatch"}


def test_freshness_is_the_quotes():
    assert codes(judge(members(), bytes(32))) == {"evidence.tpm2.challenge-mismatch"}
    assert codes(judge(members(), CHALLENGE[:31])) == {"evidence.tpm2.challenge-mismatch"}
    assert judge(members(), None).passed
    assert codes(judge(members(challenge=b""), b"")) == {"evidence.tpm2.challenge-missing"}


def test_reference_values_of_both_halves():
    right = Tpm2Trust(reference_pcrs={("sha256", 7): frozenset({b"\7" * 32})})
    wrong = Tpm2Trust(reference_pcrs={("sha256", 7): frozenset({b"\0" * 32})})
    unquoted = Tpm2Trust(reference_pcrs={("sha256", 9): frozenset({b"\0" * 32})})
    assert judge(members(), vtpm=right, measurements=frozenset({b"m" * 48})).passed
    assert codes(judge(members(), vtpm=wrong)) == {"evidence.tpm2.pcr-value-unexpected"}
    assert codes(judge(members(), vtpm=unquoted)) == {"evidence.tpm2.pcr-unquoted"}
    assert codes(judge(members(), measurements=frozenset({b"x" * 48}))) == {"evidence.snp.measurement-unexpected"}


def test_parts_of_a_quote():
    for name in ("attest", "signature", "pcrs"):
        with pytest.raises(MalformedError) as caught:
            judge({other: data for other, data in members().items() if other != name})
        assert caught.value.code == "evidence.azure.quote-incomplete"
    with pytest.raises(MalformedError):
        judge({"hcl_report": hcl(), "event_log": b"x"})
    alone = {"hcl_report": hcl(), "certificates": members()["certificates"]}
    assert codes(judge(alone)) == {"evidence.azure.quote-missing"}


RSA_1024 = jwk(key_pair("rsa-1024"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"keys": [], "keys": []}',
        b'{"keys": NaN}',
        b"[" * 100_000,
        runtime(keys=None),
        runtime(keys=[]),
        runtime(keys=[5]),
        runtime(keys=[jwk(key_pair("rsa-2048"), "HCLEkPub")]),
        runtime(keys=[jwk(key_pair("rsa-2048"))] * 2),
        runtime(keys=[{}] * 17),
        runtime(keys=[RSA_1024]),
        runtime(keys=[{**jwk(key_pair("rsa-2048")), "e": "Aw"}]),
        runtime(keys=[{**jwk(key_pair("rsa-2048")), "n": "A" * 700}]),
        runtime(keys=[{**jwk(key_pair("rsa-2048")), "n": "A*"}]),
        runtime(keys=[{**jwk(key_pair("rsa-2048")), "n": 7}]),
        runtime(keys=[{**jwk(key_pair("rsa-2048")), "kty": "EC"}]),
        runtime(**{"user-data": "0"}),
        runtime(**{"user-data": "00" * 65}),
        runtime(**{"user-data": 5}),
        runtime(**{"vm-configuration": []}),
        runtime(**{"vm-configuration": {str(n): n for n in range(65)}}),
    ],
)
def test_runtime_data_that_are_none(data):
    with pytest.raises(MalformedError) as caught:
        parse_runtime_data(data)
    assert caught.value.code == "evidence.azure.runtime-malformed"


def test_settings_that_are_no_claims_are_left_alone():
    odd = {"secure-boot": False, "a": None, "b": [1], "c": 1 << 70, "d": "x" * 300, "e": "\ud800", "f": 1.5, "g\n": 1}
    parsed = parse_runtime_data(runtime(**{"vm-configuration": odd, "user-data": None, "later": {}}))
    assert parsed.configuration == {"secure-boot": False} and parsed.user_data == b""
    json.dumps(parsed.claims()).encode("ascii")


def test_hcl_reports_have_one_encoding():
    data = hcl()
    assert parse_hcl_report(data).encode() == data
    for size in (0, 3, 31, 32, 1215, 1216, 1235, 1236, len(data) - 1):
        with pytest.raises(MalformedError):
            parse_hcl_report(data[:size])
    with pytest.raises(MalformedError) as caught:
        parse_hcl_report(data + b"\0")
    assert caught.value.code == "evidence.azure.hcl-trailing"
    with pytest.raises(MalformedError):
        parse_hcl_report(data[:1232] + bytes(4))
    assert paper.AT.tzinfo is not None
