# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evidence of Azure's TDX VMs as files: Trustee's and attestation-rs's JSON with HCL report, TD quote and TPM quote.

Of the HCL report only the runtime data become a member: its header is unmeasured, and its TDREPORT is repeated by the
quote (`td_report`), apart from a MAC that only its CPU can verify.
"""

from __future__ import annotations

from attestation import raw
from attestation.azure import parse_hcl_report, read_azure
from attestation.azure_tdx.td_report import repeats
from attestation.errors import EvidenceError, MalformedError
from attestation.intel.quote import TDX, parse_quote
from attestation.intel.raw import exact

TYPE = "azure-tdx-vtpm@v1"
ID = "evidence.azure-tdx"


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
        raise MalformedError(
            f"{ID}.raw-malformed",
            "an HCL report without its TD quote",
            remedy="give JSON with both, as Trustee's agent writes it; Azure's metadata service makes the TD quote",
        )
    try:
        report = parse_hcl_report(parts.hcl_report)
        quote = exact(parts.extra["td_quote"], TDX, "evidence.tdx")
        if report.platform != "tdx" or not repeats(report.hardware_report, parse_quote(quote, TDX, "evidence.tdx")):
            raise MalformedError(f"{ID}.td-report-mismatch", "the HCL report's TDREPORT is not the one of the TD quote")
    except MalformedError:
        raise
    except EvidenceError as error:  # of a kind that cannot be read at all
        raise MalformedError(f"{ID}.raw-malformed", error.message) from None
    return {"quote": quote, "runtime_data": report.runtime_data, **parts.quote}
