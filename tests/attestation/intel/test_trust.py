# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy may say of Intel's evidence, as objects and as tables."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from attestation.azure_tdx import AzureTdxTrust
from attestation.errors import OperationalError
from attestation.intel.roots import INTEL_ROOTS
from attestation.sgx import SgxTrust
from attestation.tdx import TdxTrust
from tests.attestation.intel.judging import vector
from verifier import MalformedError
from verifier.fields import Fields
from verifier.trust import READERS

HEX48, HEX32 = "0a" * 48, "0b" * 32


def read(name, text):
    return READERS[name](Fields.of(tomllib.loads(text), f"evidence.{name}", "policy.malformed"))


def test_defaults_are_the_strictest():
    for trust in (read("tdx", ""), read("sgx", ""), read("azure-tdx", "").td):
        assert trust.roots == INTEL_ROOTS and trust.tcb_statuses == {"UpToDate"}
        assert trust.require_crl and not trust.allow_debug
    assert read("tdx", "") == TdxTrust() and read("sgx", "") == SgxTrust() and read("azure-tdx", "") == AzureTdxTrust()
    assert TdxTrust().require_sept_ve_disable and not AzureTdxTrust().td.require_sept_ve_disable


SHARED = """
tcb_statuses = ["UpToDate", "SWHardeningNeeded"]
require_crl = false
allow_debug = true
min_tcb_evaluation = 17
"""
TDX = f"""
require_sept_ve_disable = true
service_tds = ["{HEX48}"]
reference = {{ mr_td = ["{HEX48}"], rtmr3 = ["{HEX48}"] }}
"""


def test_every_key_is_read():
    root = vector("tdx/intel-qvl-sample/trustedRootCaCert.pem").decode()
    tdx = read("tdx", f'{SHARED}{TDX}roots = ["""{root}"""]\nrequire_event_log = true\nruntime_rtmrs = [2, 3]\n')
    shared: dict[str, Any] = {
        "tcb_statuses": frozenset({"UpToDate", "SWHardeningNeeded"}),
        "require_crl": False,
        "allow_debug": True,
        "min_tcb_evaluation": 17,
    }
    values = frozenset({bytes.fromhex(HEX48)})
    td: dict[str, Any] = {"service_tds": values, "reference": {"mr_td": values, "rtmr3": values}}
    expected = TdxTrust(
        **shared, **td, roots=tdx.roots, require_event_log=True, runtime_rtmrs=frozenset({2, 3})
    )  # fmt: skip
    assert tdx == expected and len(tdx.roots) == 1 and tdx.roots != INTEL_ROOTS
    own = f'mr_enclave = ["{HEX32}"]\nmr_signer = ["{HEX32}"]\nisv_prod_id = 1\nmin_isv_svn = 3\n'
    enclaves = frozenset({bytes.fromhex(HEX32)})
    assert read("sgx", SHARED + own) == SgxTrust(
        **shared, mr_enclave=enclaves, mr_signer=enclaves, isv_prod_id=1, min_isv_svn=3
    )
    azure = read("azure-tdx", f'{SHARED}{TDX}pcrs = {{ 4 = ["{HEX32}"] }}\n')
    assert azure.td == TdxTrust(**shared, **td) and azure.vtpm.reference_pcrs == {("sha256", 4): enclaves}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tdx", "unknown = 1"),
        ("tdx", 'tcb_statuses = ["Revoked"]'),
        ("tdx", 'tcb_statuses = ["Fine"]'),
        ("tdx", "tcb_statuses = [1]"),
        ("tdx", 'require_crl = "no"'),
        ("tdx", "allow_debug = 1"),
        ("tdx", "min_tcb_evaluation = -1"),
        ("tdx", 'roots = ["x"]'),
        ("tdx", "runtime_rtmrs = [4]"),
        ("tdx", 'service_tds = ["00"]'),
        ("tdx", f'reference = {{ mr_other = ["{HEX48}"] }}'),
        ("tdx", "reference = { mr_td = [] }"),
        ("tdx", f'reference = {{ mr_td = ["{HEX32}"] }}'),
        ("tdx", f'mr_enclave = ["{HEX32}"]'),
        ("sgx", f'mr_enclave = ["{HEX48}"]'),
        ("sgx", "isv_prod_id = 1"),
        ("sgx", "min_isv_svn = 1"),
        ("sgx", f'mr_signer = ["{HEX32}"]\nisv_prod_id = 65536'),
        ("azure-tdx", "require_event_log = true"),
        ("azure-tdx", 'pcrs = { 99 = ["00"] }'),
    ],
)
def test_tables_without_meaning(name, text):
    with pytest.raises(MalformedError) as caught:
        read(name, text)
    assert caught.value.code == "policy.malformed"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (TdxTrust, {"tcb_statuses": frozenset({"Revoked"})}),
        (TdxTrust, {"min_tcb_evaluation": -1}),
        (TdxTrust, {"min_tcb_evaluation": 1 << 32}),
        (SgxTrust, {"min_tcb_evaluation": -1}),
        (SgxTrust, {"tcb_statuses": frozenset({"Revoked"})}),
        (TdxTrust, {"reference": {"mr_td": frozenset()}}),
        (TdxTrust, {"reference": {"mr_td": frozenset({b"x"})}}),
        (TdxTrust, {"reference": {"mr_td": frozenset({bytes(48), b"x"})}}),
        (TdxTrust, {"service_tds": frozenset({b"x"})}),
        (TdxTrust, {"service_tds": frozenset({bytes(48), bytes(47)})}),
        (TdxTrust, {"runtime_rtmrs": frozenset({4})}),
        (SgxTrust, {"mr_signer": frozenset({b"x"})}),
        (SgxTrust, {"mr_enclave": frozenset({bytes(32), bytes(48)})}),
        (SgxTrust, {"min_isv_svn": 1}),
        (SgxTrust, {"isv_prod_id": 0}),
        *(
            (SgxTrust, {name: number, "mr_signer": frozenset({bytes(32)})})
            for name in ("isv_prod_id", "min_isv_svn")
            for number in (-1, 1 << 16)
        ),
    ],
)
def test_objects_without_meaning(kind, settings):
    with pytest.raises(OperationalError) as caught:
        kind(**settings)
    assert caught.value.code == f"{kind.prefix}.trust-invalid"


def test_product_and_version_go_with_an_enclave_or_its_signer():
    for named in ("mr_enclave", "mr_signer"):
        trust = SgxTrust(isv_prod_id=0xFFFF, min_isv_svn=0xFFFF, **{named: frozenset({bytes(32)})})  # type: ignore[arg-type]
        assert (trust.isv_prod_id, trust.min_isv_svn) == (0xFFFF, 0xFFFF)
