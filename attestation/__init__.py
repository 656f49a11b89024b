# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a machine says of itself: evidence, produced and appraised.

::

    producer:  challenge (32 bytes)                             -> members {name: bytes}
    verifier:  members, collateral, challenge, time, trust      -> Appraisal(checks, claims)

=============  ==========================================================================
`contract`     `Format`, `Appraisal`, `Check`: what every format offers and returns
`freshness`    whether evidence answers this challenge
`statements`   by what a replay of evidence is known
`formats`      the formats there are, by type
`tpm2`         TPM 2.0 quotes, real and software TPMs
`simulated`    for machines without any TPM: proves nothing, and says so
`cmw`          several pieces of one session, bound to each other
`ear`          attestation results, ours and others'
`channel`      a challenge tied to the TLS connection over which it came
`eventlog`     TCG measured-boot logs
`producers`    what this machine can produce
`errors`       the exception tree; `codes` what each code means
`pki`          certificates: strict reading, path validation, revocation
`collateral`   what others say about evidence, recognised by content
`raw`          evidence in the files in which its sources give it
`cbor`         CBOR from strangers
`wire`         a bounded cursor over hostile bytes
=============  ==========================================================================

Appraising is pure and imports the standard library, `cryptography` and `cbor2` alone. It never takes a trust anchor
from evidence. Policy, verdicts and scores are the verifier's; this room imports no other.
"""

from attestation.contract import Appraisal, Check, Format, Member
from attestation.errors import (
    EvidenceError,
    MalformedError,
    OperationalError,
    RejectedError,
    UnsupportedError,
)

__all__ = [
    "Appraisal",
    "Check",
    "EvidenceError",
    "Format",
    "MalformedError",
    "Member",
    "OperationalError",
    "RejectedError",
    "UnsupportedError",
]
