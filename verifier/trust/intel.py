# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.tdx]`` and ``[evidence.sgx]``: what Intel's formats have in common, and each table's own.

::

    [evidence.tdx]
    tcb_statuses = ["UpToDate", "SWHardeningNeeded"]  # others than UpToDate pass as a warning
    require_crl = true
    allow_debug = false
    min_tcb_evaluation = 17
    roots = ["-----BEGIN CERTIFICATE----- ..."]  # instead of the pinned Intel SGX Root CA
    require_event_log = false
    require_sept_ve_disable = true
    runtime_rtmrs = [3]
    service_tds = ["<48 bytes, hex>"]
    [evidence.tdx.reference]  # mr_td, mr_seam, ..., rtmr0 to rtmr3
    mr_td = ["<48 bytes, hex>"]

    [evidence.sgx]
    mr_enclave = ["<32 bytes, hex>"]
    mr_signer = ["<32 bytes, hex>"]
    isv_prod_id = 1
    min_isv_svn = 3
    require_second_opinion = true
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attestation.errors import OperationalError
from attestation.sgx import SgxTrust
from attestation.tdx import TdxTrust
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.trust.certificates import certificates
from verifier.trust.values import numbers, octets, texts

T = TypeVar("T")

SHARED = frozenset({"roots", "tcb_statuses", "require_crl", "allow_debug", "min_tcb_evaluation"})
TDX = frozenset({"reference", "require_event_log", "require_sept_ve_disable", "runtime_rtmrs", "service_tds"})
SGX = frozenset({"mr_enclave", "mr_signer", "isv_prod_id", "min_isv_svn", "require_second_opinion"})


def read_tdx(fields: Fields) -> TdxTrust:
    """The trust of ``[evidence.tdx]``; an absent key has the format's default."""
    fields.exactly((), optional=SHARED | TDX)
    return tdx_trust(fields)


def tdx_trust(fields: Fields, **defaults: Any) -> TdxTrust:
    """The same from a table that may have other keys, with other `defaults`."""
    values = {**defaults, **_shared(fields)}
    for key in ("require_event_log", "require_sept_ve_disable"):
        if key in fields.value:
            values[key] = fields.boolean(key)
    if "runtime_rtmrs" in fields.value:
        values["runtime_rtmrs"] = frozenset(numbers(fields, "runtime_rtmrs", 0, 3))
    if "reference" in fields.value:
        table = fields.object("reference")
        values["reference"] = {name: octets(table, name, 48) for name in table.value}
    return _made(fields, TdxTrust, {**values, "service_tds": octets(fields, "service_tds", 48)})


def read_sgx(fields: Fields) -> SgxTrust:
    """The trust of ``[evidence.sgx]``; an absent key has the format's default."""
    fields.exactly((), optional=SHARED | SGX)
    values = {**_shared(fields), "mr_enclave": octets(fields, "mr_enclave", 32)}
    values["mr_signer"] = octets(fields, "mr_signer", 32)
    for key in ("isv_prod_id", "min_isv_svn"):
        if key in fields.value:
            values[key] = fields.integer(key, 0, 0xFFFF)
    if "require_second_opinion" in fields.value:
        values["require_second_opinion"] = fields.boolean("require_second_opinion")
    return _made(fields, SgxTrust, values)


def _shared(fields: Fields) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "roots" in fields.value:
        values["roots"] = certificates(fields, "roots")
    if "tcb_statuses" in fields.value:
        values["tcb_statuses"] = texts(fields, "tcb_statuses")
    for key in ("require_crl", "allow_debug"):
        if key in fields.value:
            values[key] = fields.boolean(key)
    if "min_tcb_evaluation" in fields.value:
        values["min_tcb_evaluation"] = fields.integer("min_tcb_evaluation", 0, 0xFFFFFFFF)
    return values


def _made(fields: Fields, kind: Callable[..., T], values: dict[str, Any]) -> T:
    try:
        return kind(**values)
    except OperationalError as error:  # the policy's own words, so its fault
        raise MalformedError(fields.code, f"{fields.path}: {error.message}") from None
