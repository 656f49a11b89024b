# SPDX-License-Identifier: AGPL-3.0-or-later
"""`cmw-collection@v1`: several pieces of evidence of one session, bound to each other.

A collection of conceptual messages (CMW, RFC 9999), as CBOR or JSON. Specification: docs/spec/cmw-collection-v1.md.
"""

from attestation.cmw.appraisal import MEMBERS, CmwTrust, appraise
from attestation.cmw.collection import (
    TYPE,
    Collection,
    Piece,
    clock_keys_of_pieces,
    each_statement,
    encode,
    piece_challenges,
    read,
    signed_pieces,
)
from attestation.contract import Format

FORMAT = Format(
    TYPE,
    "cmw",
    MEMBERS,
    appraise,
    read,
    CmwTrust,
    signed=signed_pieces,
    statements=each_statement,
    clock_keys=clock_keys_of_pieces,
)

__all__ = [
    "FORMAT",
    "MEMBERS",
    "TYPE",
    "CmwTrust",
    "Collection",
    "Piece",
    "appraise",
    "encode",
    "piece_challenges",
    "read",
]
