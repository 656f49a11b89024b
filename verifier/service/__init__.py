# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server around the verifying core: it asks the core, keeps what it saw, and never decides by itself.

::

    verdict row n -> entry n -> digest[n] = H(n, digest[n-1], entry n)       changes and gaps show     chain,
    audit nonce minted -> sent -> spent in the transaction that records a verdict   used once
    nonces EK certificate, AK -> challenge -> activated secret -> AK certificate     attestation CA
    enrolment

===============  ==================================================================================
module           holds
===============  ==================================================================================
app, server      :func:`create_app`, :func:`serve`
settings         what can be set; startup makes the parts from it
gate             bounds, headers and errors around every request; ``workers`` bounds the expensive ones
routes/          the paths; ``documents`` are the shapes of what they take and give
verification     one question, from bytes to a recorded verdict
records, nodes   what was seen, and facts counted from it
catalogue        circuits held for recomputing
schema, database  the tables; transactions on SQLite and PostgreSQL
blobs            content by SHA-256
===============  ==================================================================================

Not part of the core: it has a clock, a database and a network. It does not judge nodes: what it tells of a
node are counts. It does not hide what it stores from whoever reads its disk.
"""

from __future__ import annotations

from verifier.service.app import create_app
from verifier.service.audit import verify_chain
from verifier.service.blobs import BlobStore, FolderBlobs
from verifier.service.chain import Link, check_links
from verifier.service.database import Database
from verifier.service.errors import Refusal
from verifier.service.server import serve
from verifier.service.settings import Limits, Settings

__all__ = [
    "BlobStore",
    "Database",
    "FolderBlobs",
    "Limits",
    "Link",
    "Refusal",
    "Settings",
    "check_links",
    "create_app",
    "serve",
    "verify_chain",
]
