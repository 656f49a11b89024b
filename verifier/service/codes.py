# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of the verifying service with its meaning, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "request.nonce.expired": "the minted nonce came too late",
        "request.nonce.used": "the minted nonce was already spent",
        "service.address.unusable": "cannot listen on that address and port",
        "service.affidavit.unknown": "no such affidavit is held here",
        "service.audit.blob-missing": "content that the audit log names is gone",
        "service.audit.digest-mismatch": "an entry of the audit log was changed",
        "service.audit.gap": "an entry of the audit log is missing",
        "service.audit.head-mismatch": "entries at the end of the audit log are missing",
        "service.audit.previous-mismatch": "an entry of the audit log does not continue the one before",
        "service.audit.row-mismatch": "a row was changed, removed or added behind the audit log",
        "service.blob.corrupt": "a stored blob no longer has its digest",
        "service.blob.missing": "a stored blob is gone",
        "service.appraisal.disabled": "this service has no key to sign attestation results with",
        "service.body.incomplete": "the client hung up inside the body",
        "service.body.timeout": "the body did not arrive in time",
        "service.body.too-large": "a body over its limit",
        "service.busy": "all places are taken; see Retry-After",
        "service.clock.unknown": "nothing is remembered of this attestation key's clock",
        "service.database.unavailable": "the database does not answer",
        "service.database.unsupported": "the URL names neither a SQLite file nor PostgreSQL, or the driver is missing",
        "service.enrolment.disabled": "this service is no attestation CA",
        "service.enrolment.expired": "the challenge ran out",
        "service.enrolment.too-many": "too many unfinished enrolments",
        "service.enrolment.unknown": "no such enrolment is held here",
        "service.enrolment.used": "the challenge was already answered",
        "service.channel-binding.nonce-missing": "a binding to the TLS connection, and no nonce",
        "service.channel-binding.unsupported": "this connection has no TLS exporter that the service knows",
        "service.evidence-type.unknown": "no such evidence format here",
        "service.evidence.replayed": "what this evidence signs was already accepted as fresh",
        "service.internal": "our own fault",
        "service.media-type.unsupported": "a body of another media type",
        "service.method.not-allowed": "the path does not take this method",
        "service.model.unknown": "no such circuit is held here",
        "service.node.unknown": "nothing is known of this node",
        "service.nonce.reused": "finding: a node's key bore this nonce on another receipt",
        "service.nonce.too-many": "too many unspent nonces alive",
        "service.path.unknown": "no such path",
        "service.policy.unknown": "no policy of this id is held here",
        "service.request.malformed": "a parameter or body outside its grammar",
        "service.schema.newer": "the database was made by a later release",
        "service.schema.unknown": "tables of our names that are not ours",
        "service.settings.malformed": "a setting that cannot be",
        "service.settings.unreadable": "a file named in the settings cannot be read",
        "service.storage.full": "no room is left for blobs",
        "service.storage.unavailable": "the blob folder cannot be used",
        "service.tls.unusable": "certificate or key cannot be used",
        "service.timeout": "the verification was not finished in time; nothing was recorded",
        "service.unauthorized": "the token is missing or wrong",
        "service.verification.unknown": "no such verification is held here",
    }
)
