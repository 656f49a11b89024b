# SPDX-License-Identifier: AGPL-3.0-or-later
"""`snp-report@v1`: an AMD SEV-SNP attestation report and the key that signed it.

::

    signature   = ECDSA-P384-SHA384_VEK( report[0 : 672] )
    VEK         : a key derived from a chip's (VCEK) or cloud's (VLEK) secret and a TCB version; certified by AMD
    report data = challenge || 0 ... 0
    measurement = SHA-384 over what the guest was launched with

==================================  =====================================================
`appraisal`                         `appraise`; `appraise_report` for reports inside other evidence
`trust`                             `SnpTrust`: anchors, reference values, tolerances
`report` `signature`                the 1184 bytes
`products` `tcb` `policy`           product lines, TCB versions, bits and their names
`vek` `bundle`                      certificates with AMD's extensions; how they are passed around
`endorsement` `binding` `guest`     checks: chain and revocation; report against certificate; against policy
`currency`                          ... against AMD's security bulletins
`bulletins` `published`             what a bulletin asks of a report; the table of those that are known
`roots`                             AMD's roots and intermediates
`raw`                               the files in which others give such evidence
==================================  =====================================================

Does not know AMD's newest TCB versions: AMD publishes no signed list of them; the table of bulletins has a date, and a
policy may add to it. Pure: standard library and `cryptography`. Specification: docs/spec/snp-report-v1.md.
"""

from attestation.contract import Format
from attestation.snp.appraisal import MEMBERS, TYPE, appraise
from attestation.snp.raw import read
from attestation.snp.report import SIGNED_SIZE
from attestation.snp.trust import SnpTrust

FORMAT = Format(TYPE, "snp", MEMBERS, appraise, read, SnpTrust, signed=lambda members: members["report"][:SIGNED_SIZE])

__all__ = ["FORMAT", "MEMBERS", "TYPE", "SnpTrust", "appraise", "read"]
