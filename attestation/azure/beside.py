# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vTPM's quote from among the collateral, where a file holds the paravisor's report alone.

NV index 0x01400001 gives the report, tpm2_quote the quote, in files of its own. It is offered, not claimed: one by
another key is another machine's and left aside, so that the quote stays missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.collateral.bag import Collateral
from attestation.errors import EvidenceError
from attestation.tpm2.pieces import complete
from attestation.tpm2.raw import bare_attest
from attestation.tpm2.signature import parse_signature

QUOTE = ("attest", "signature", "pcrs")
MAX_QUOTES = 4
"""Quotes among the collateral that are tried."""


def with_quote(members: Mapping[str, bytes], ak: rsa.RSAPublicKey, collateral: Collateral) -> dict[str, bytes]:
    """`members`, and the first quote by `ak` among the collateral where they have no part of one."""
    found = dict(members)
    if any(name in found for name in QUOTE):
        return found
    key = ak.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    quotes = filter(None, (bare_attest(data) for data in collateral.of("binary")))
    for attest in islice(quotes, MAX_QUOTES):
        try:
            quote = complete({"attest": attest, "ak_key": key}, collateral)
            parse_signature(quote["signature"]).verify(ak, attest)
        except EvidenceError:
            continue
        return found | {name: quote[name] for name in QUOTE}
    return found
