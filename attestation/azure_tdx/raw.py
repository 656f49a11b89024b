# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evidence of Azure's TDX VMs as files: Trustee's and attestation-rs's JSON with HCL report, TD quote and TPM quote.

Of the HCL report only the runtime data become a member: its header is unmeasured, and its TDREPORT is repeated by the
quote (`td_report`), apart from a MAC that only its CPU can verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import islice

from attestation import raw
from attestation.azure import parse_hcl_report, parse_runtime_data, read_azure
from attestation.azure.beside import with_quote
from attestation.azure_tdx.td_report import repeats
from attestation.collateral.bag import Collateral
from attestation.errors import EvidenceError, MalformedError, UnsupportedError
from attestation.intel.quote import TDX, parse_quote
from attestation.intel.raw import exact

TYPE = "azure-tdx-vtpm@v1"
ID = "evidence.azure-tdx"
HCL_REPORT = "hcl_report"
MAX_TRIED = 4
"""TD quotes among the collateral that are tried."""
_HEADS = tuple(bytes([version, 0, 2, 0, 0x81, 0, 0, 0]) for version in (4, 5))
"""Version, key type and TEE of a TD quote's header."""


def read(data: bytes) -> dict[str, bytes]:
    """Members of one file.

    Raises `MalformedError` (`evidence.azure-tdx.raw-*`, `.td-report-mismatch`), and as the parsers of HCL reports and
    quotes do.
    """
    members = raw.members(data, TYPE, ID)
    if members is not None:
        return members
    parts = read_azure(data, ID)
    if parts is None:
        raise MalformedError(f"{ID}.raw-malformed", "not evidence of an Azure TDX VM in a form that is known")
    if "td_quote" not in parts.extra:
        return {HCL_REPORT: parts.hcl_report, **parts.quote}  # `complete` looks for it among the collateral
    try:
        quote = exact(parts.extra["td_quote"], TDX, "evidence.tdx")
        return {**_joined(parts.hcl_report, quote), **parts.quote}
    except MalformedError:
        raise
    except EvidenceError as error:  # of a kind that cannot be read at all
        raise MalformedError(f"{ID}.raw-malformed", error.message) from None


def complete(members: Mapping[str, bytes], collateral: Collateral) -> dict[str, bytes]:
    """With TD quote and vTPM quote from the collateral, where the file is the HCL report alone.

    The HCL report, which is no member, gives way to the runtime data in it. Raises `UnsupportedError`
    (`evidence.azure-tdx.td-quote-missing`) where no TD quote repeats its TDREPORT, and as `parse_hcl_report` does.
    """
    found = dict(members)
    if HCL_REPORT in found:
        found |= _with_td_quote(found.pop(HCL_REPORT), collateral)
    if "runtime_data" not in found:
        return found
    return with_quote(found, parse_runtime_data(found["runtime_data"]).ak, collateral)


def _with_td_quote(hcl_report: bytes, collateral: Collateral) -> dict[str, bytes]:
    parse_hcl_report(hcl_report)
    for data in islice((data for data in collateral.of("binary") if data[:8] in _HEADS), MAX_TRIED):
        with suppress(EvidenceError):
            return _joined(hcl_report, exact(data, TDX, "evidence.tdx"))
    raise UnsupportedError(
        f"{ID}.td-quote-missing",
        "an HCL report without its TD quote",
        remedy="put the TD quote, which Azure's metadata service makes, into the collateral, or give JSON with both",
    )


def _joined(hcl_report: bytes, quote: bytes) -> dict[str, bytes]:
    """Members of report and quote. Raises `MalformedError` (`.td-report-mismatch`) and as the parsers do."""
    report = parse_hcl_report(hcl_report)
    if report.platform != "tdx" or not repeats(report.hardware_report, parse_quote(quote, TDX, "evidence.tdx")):
        raise MalformedError(f"{ID}.td-report-mismatch", "the HCL report's TDREPORT is not the one of the TD quote")
    return {"quote": quote, "runtime_data": report.runtime_data}
