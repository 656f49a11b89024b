# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.snp]`` and ``[evidence.azure-snp]``: what a policy says becomes the trust, and nothing else is taken."""

from __future__ import annotations

from datetime import date

import pytest

from attestation.azure_snp import AzureSnpTrust
from attestation.snp import SnpTrust
from attestation.snp.bulletins import STATUSES, Bulletin, Fix
from attestation.snp.roots import ARK_GENOA
from verifier import parse_policy
from verifier.errors import MalformedError

MINIMAL = 'format = "policy@v1"\nprofile = "production"\n[require]\nassurance = ["signed"]\n'


def trust(text: str, name: str = "snp") -> SnpTrust | AzureSnpTrust:
    found = parse_policy(f"{MINIMAL}[evidence.{name}]\n{text}".encode()).trust[name]
    assert isinstance(found, SnpTrust | AzureSnpTrust)
    return found


def pem(der: bytes) -> str:
    import ssl

    return ssl.DER_cert_to_PEM_cert(der).replace("\n", "\\n")


def test_an_empty_table_is_the_default():
    assert trust("") == SnpTrust() and trust("", "azure-snp") == AzureSnpTrust()


def test_every_key():
    text = f"""
roots = ["{pem(ARK_GENOA)}"]
intermediates = []
require_crl = false
products = ["Genoa"]
signing_keys = ["vcek"]
csp_ids = ["CN=cc.example"]
measurements = ["{"01" * 48}"]
host_data = ["{"02" * 32}"]
id_key_digests = ["{"03" * 48}"]
author_key_digests = ["{"04" * 48}"]
report_ids = ["{"05" * 32}"]
family_ids = ["{"06" * 16}"]
image_ids = ["{"07" * 16}"]
chip_ids = ["{"08" * 64}"]
denied_chip_ids = ["{"09" * 8}"]
vmpls = [0, 1]
minimum_guest_svn = 4
minimum_tcb = {{ Genoa = {{ snp = 23, microcode = 84 }} }}
minimum_launch_tcb = {{ Turin = {{ fmc = 1 }} }}
minimum_firmware = [1, 55, 40]
minimum_abi = [0, 31]
required_policy = ["single_socket"]
forbidden_policy = ["migrate_ma", "smt"]
required_platform = ["alias_check_complete"]
forbidden_platform = ["tsme_enabled"]
required_mitigations = 5
allow_debug = true
require_committed = true
bulletin_statuses = ["OutOfDate", "UpToDate"]
denied_advisories = ["AMD-SB-3019"]
bulletins = [{{ id = "X-1", date = 2026-12-01, fixes = [{{ product = "Genoa", minimum = {{ snp = 30 }} }}] }}]
"""
    expected = SnpTrust(
        roots=(ARK_GENOA,),
        intermediates=(),
        require_crl=False,
        products=frozenset({"Genoa"}),
        signing_keys=frozenset({"vcek"}),
        csp_ids=frozenset({"CN=cc.example"}),
        measurements=frozenset({b"\1" * 48}),
        host_data=frozenset({b"\2" * 32}),
        id_key_digests=frozenset({b"\3" * 48}),
        author_key_digests=frozenset({b"\4" * 48}),
        report_ids=frozenset({b"\5" * 32}),
        family_ids=frozenset({b"\6" * 16}),
        image_ids=frozenset({b"\7" * 16}),
        chip_ids=frozenset({b"\x08" * 64}),
        denied_chip_ids=frozenset({b"\t" * 8}),
        vmpls=frozenset({0, 1}),
        minimum_guest_svn=4,
        minimum_tcb={"Genoa": {"snp": 23, "microcode": 84}},
        minimum_launch_tcb={"Turin": {"fmc": 1}},
        minimum_firmware=(1, 55, 40),
        minimum_abi=(0, 31),
        required_policy=frozenset({"single_socket"}),
        forbidden_policy=frozenset({"migrate_ma", "smt"}),
        required_platform=frozenset({"alias_check_complete"}),
        forbidden_platform=frozenset({"tsme_enabled"}),
        required_mitigations=5,
        allow_debug=True,
        require_committed=True,
        bulletin_statuses=STATUSES,
        denied_advisories=frozenset({"AMD-SB-3019"}),
        bulletins=(Bulletin(id="X-1", date=date(2026, 12, 1), fixes=(Fix(product="Genoa", minimum={"snp": 30}),)),),
    )
    assert trust(text) == expected
    azure = trust(text + f'pcrs = {{ 7 = ["{"0a" * 32}"] }}\n', "azure-snp")
    assert isinstance(azure, AzureSnpTrust) and azure.snp == expected
    assert azure.vtpm.reference_pcrs == {("sha256", 7): frozenset({b"\n" * 32})}


@pytest.mark.parametrize(
    "text",
    [
        "debug = true",
        'roots = ["no certificate"]',
        'require_crl = "yes"',
        'products = ["Rome"]',
        "products = [1]",
        "signing_keys = []",
        'measurements = ["00"]',
        'measurements = ["zz"]',
        f'measurements = ["{"0A" * 48}"]',
        f'measurements = "{"0a" * 48}"',
        "measurements = [5]",
        f'chip_ids = ["{"00" * 9}"]',
        "vmpls = [4]",
        "vmpls = []",
        "vmpls = [true]",
        "minimum_guest_svn = -1",
        "minimum_firmware = [1, 55]",
        "minimum_firmware = [1, 55, 400]",
        "minimum_tcb = { Rome = { snp = 1 } }",
        "minimum_tcb = { Milan = { fmc = 1 } }",
        "minimum_tcb = { Milan = { snp = 256 } }",
        "minimum_tcb = { Milan = 3 }",
        'required_policy = ["smt_enabled"]',
        'required_policy = ["smt"]\nforbidden_policy = ["smt"]',
        "pcrs = {}",
        'bulletin_statuses = ["SWHardeningNeeded"]',
        "bulletin_statuses = true",
        'denied_advisories = ["AMD-SB-1"]',
        "bulletins = [{}]",
        *(
            f'bulletins = [{{ id = "X", date = "{day}", fixes = [{{ product = "Milan", minimum = {{ snp = 1 }} }}] }}]'
            for day in ("2026-W01-1", "20260101xx", "2026-13-01", "")
        ),
    ],
)
def test_refused(text):
    with pytest.raises(MalformedError) as error:
        trust(text)
    assert error.value.code == "policy.malformed"


def test_azure_takes_pcrs_and_no_more():
    for text in ("pcrs = { 24 = [] }", "banks = []"):
        with pytest.raises(MalformedError):
            trust(text, "azure-snp")
