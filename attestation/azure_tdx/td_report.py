# SPDX-License-Identifier: AGPL-3.0-or-later
"""The TDREPORT inside an HCL report against the quote that was made of it.

Source: Intel TDX Module 1.5 ABI, TDREPORT_STRUCT: REPORTMACSTRUCT (256 bytes), TEE_TCB_INFO (239), reserved (17),
TDINFO_STRUCT (512). Only the CPU that made it can verify its MAC, so that it says nothing that the quote does not;
where it says something else, the file is not one piece of evidence.
"""

from __future__ import annotations

import hashlib

from attestation.intel.quote import Quote

_REPORT_TYPE = b"\x81".ljust(16, b"\0")


def repeats(td_report: bytes, quote: Quote) -> bool:
    """Is everything in these 1024 bytes but the MAC what `quote` says, or a hash of that?"""
    mac_struct, tcb_info, td_info = td_report[:256], td_report[256:495], td_report[512:]
    body = quote.body
    return (
        len(td_report) == 1024
        and mac_struct[:16] == _REPORT_TYPE
        and mac_struct[16:32] == quote.qe_report[:16]  # CPUSVN: the quoting enclave ran on the same CPU
        and mac_struct[32:80] == hashlib.sha384(tcb_info).digest()
        and mac_struct[80:128] == hashlib.sha384(td_info).digest()
        and mac_struct[128:192] == body[520:584]
        and not any(mac_struct[192:224])
        and tcb_info[8:128] == body[:120]
        and not any(td_report[495:512])
        and td_info[:400] == body[120:520]
    )
