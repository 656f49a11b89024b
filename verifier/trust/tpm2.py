# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.tpm2]``: roots and reference values for ``tpm2-quote@v1``."""

from __future__ import annotations

from attestation.tpm2 import Tpm2Trust
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.trust.certificates import MAX_LIST, certificates


def read(fields: Fields) -> Tpm2Trust:
    """The trust of one table; an absent key trusts nothing."""
    fields.exactly((), optional={"ek_roots", "ak_issuers", "platform_ak_issuers", "pcrs"})
    return Tpm2Trust(
        ek_roots=certificates(fields, "ek_roots"),
        ak_issuers=certificates(fields, "ak_issuers"),
        platform_ak_issuers=certificates(fields, "platform_ak_issuers"),
        reference_pcrs=pcrs(fields.object("pcrs")) if "pcrs" in fields.value else {},
    )


def pcrs(fields: Fields) -> dict[tuple[str, int], frozenset[bytes]]:
    """Allowed SHA-256 values by PCR, from a table whose keys are indices."""
    out: dict[tuple[str, int], frozenset[bytes]] = {}
    for key in fields.value:
        if not (key.isascii() and key.isdigit() and len(key) <= 2 and int(key) < 24 and str(int(key)) == key):
            raise MalformedError(fields.code, f"{fields.path}.{key[:20]}: PCR index 0 to 23 expected")
        values = frozenset(fields.digests(key, limit=MAX_LIST))
        if not values:
            raise MalformedError(fields.code, f"{fields.path}.{key}: at least one allowed value expected")
        out["sha256", int(key)] = values
    return out
