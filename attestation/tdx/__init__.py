# SPDX-License-Identifier: AGPL-3.0-or-later
"""`tdx-quote@v1`: a quote of an Intel TDX trust domain, and the boot log behind its RTMRs.

::

    Intel SGX Root CA -> PCK -> TD quoting enclave -> attestation key -> header || TD report
    REPORTDATA = challenge || 0 ...;   RTMR_i replayed from `event_log`

=============  ==========================================================================
`appraisal`    `appraise`; the only entry a verifier needs
`trust`        `TdxTrust`: anchors, tolerances, reference values
`report`       the TD report, 1.0 and 1.5
`rtmr`         the event log against the RTMRs
`raw`          the files in which others give such evidence; `dstack` its event log
=============  ==========================================================================

The parts that TDX shares with SGX are in `attestation.intel`. Specification: docs/spec/tdx-quote-v1.md.
"""

from attestation.contract import Format
from attestation.intel.quote import TDX, parse_quote
from attestation.tdx.appraisal import MEMBERS, TYPE, appraise
from attestation.tdx.raw import read
from attestation.tdx.trust import TdxTrust

FORMAT = Format(
    TYPE,
    "tdx",
    MEMBERS,
    appraise,
    read,
    TdxTrust,
    signed=lambda members: parse_quote(members["quote"], TDX, "evidence.tdx").signed,
)

__all__ = ["FORMAT", "MEMBERS", "TYPE", "TdxTrust", "appraise", "read"]
