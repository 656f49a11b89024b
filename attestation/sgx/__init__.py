# SPDX-License-Identifier: AGPL-3.0-or-later
"""`sgx-quote@v1`: a quote of an Intel SGX enclave.

::

    Intel SGX Root CA -> PCK -> quoting enclave -> attestation key -> header || enclave report
    REPORTDATA = challenge || 0 ...

=============  ==========================================================================
`appraisal`    `appraise`; the only entry a verifier needs
`trust`        `SgxTrust`: anchors, tolerances, reference values
`raw`          the files in which others give such evidence
=============  ==========================================================================

The parts that SGX shares with TDX are in `attestation.intel`. Specification: docs/spec/sgx-quote-v1.md.
"""

from attestation.contract import Format
from attestation.intel.quote import SGX, parse_quote
from attestation.sgx.appraisal import MEMBERS, TYPE, appraise
from attestation.sgx.raw import read
from attestation.sgx.trust import SgxTrust

FORMAT = Format(
    TYPE,
    "sgx",
    MEMBERS,
    appraise,
    read,
    SgxTrust,
    signed=lambda members: parse_quote(members["quote"], SGX, "evidence.sgx").signed,
)

__all__ = ["FORMAT", "MEMBERS", "TYPE", "SgxTrust", "appraise", "read"]
