# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.tpm2]``: roots, enrolled keys and reference values for ``tpm2-quote@v1``; an absent key trusts nothing.

=======================  ====================================================================================
``ek_roots``             PEM certificates of TPM makers' CAs, or ``"pinned"``: those that come with this project
``ak_issuers``           PEM certificates of attestation CAs, which certify an AK after credential activation
``platform_ak_issuers``  PEM certificates of platforms that certify the AKs of their own virtual TPMs, or
                         ``"pinned"``: Google Compute Engine's
``ak_names``             TPM Names of enrolled AKs, in lower-case hex (34, 50 or 66 bytes)
``ak_keys``              SHA-256 of enrolled AKs' SubjectPublicKeyInfo, in lower-case hex
``pcrs``                 table of PCR index to a list of allowed SHA-256 values
``require_event_log``    whether an event log must explain the quoted PCRs (default false)
``require_crl``          whether certificates that name a CRL need a current one (default: the profile's)
``ima_digests``          allowed digests of what IMA measured: SHA-256, SHA-384 or SHA-512, lower-case hex
``require_ima``          whether an IMA list must explain PCR 10 (default: where ``ima_digests`` are given)
``last_seen``            table of ``ak_keys`` digest to ``clock_ms``, ``reset_count``, ``restart_count``
=======================  ====================================================================================
"""

from __future__ import annotations

import re
from typing import Any

from attestation.tpm2 import Tpm2Trust
from attestation.tpm2.counters import Counters
from attestation.tpm2.vendors import PINNED_EK_ROOTS, PINNED_PLATFORM_AK_ISSUERS
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.trust.certificates import MAX_LIST, certificates
from verifier.trust.values import octets

PINNED = "pinned"
MAX_DIGESTS = 65536
"""IMA digests: some distributions list as many files."""
_KEYS = {
    "ek_roots",
    "ak_issuers",
    "platform_ak_issuers",
    "ak_names",
    "ak_keys",
    "pcrs",
    "require_event_log",
    "require_crl",
    "ima_digests",
    "require_ima",
    "last_seen",
}
_FLAGS = ("require_event_log", "require_crl", "require_ima")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def read(fields: Fields) -> Tpm2Trust:
    """The trust of one table. Raises `MalformedError`."""
    fields.exactly((), optional=_KEYS)
    settings: dict[str, Any] = {key: fields.boolean(key) for key in _FLAGS if key in fields.value}
    return Tpm2Trust(
        ek_roots=_anchors(fields, "ek_roots", PINNED_EK_ROOTS),
        ak_issuers=certificates(fields, "ak_issuers"),
        platform_ak_issuers=_anchors(fields, "platform_ak_issuers", PINNED_PLATFORM_AK_ISSUERS),
        ak_names=octets(fields, "ak_names", 34, 50, 66),
        ak_keys=octets(fields, "ak_keys", 32),
        reference_pcrs=pcrs(fields.object("pcrs")) if "pcrs" in fields.value else {},
        ima_digests=octets(fields, "ima_digests", 32, 48, 64, limit=MAX_DIGESTS),
        last_seen=_last_seen(fields.object("last_seen")) if "last_seen" in fields.value else {},
        **settings,
    )


def _anchors(fields: Fields, key: str, pinned: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return pinned if fields.value.get(key) == PINNED else certificates(fields, key)


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


def _last_seen(fields: Fields) -> dict[bytes, Counters]:
    out = {}
    for key in fields.value:
        if not _SHA256.match(key):
            raise MalformedError(fields.code, f"{fields.path}.{key[:20]}: SHA-256 of a key in lower-case hex expected")
        seen = fields.object(key)
        seen.exactly(("clock_ms", "reset_count", "restart_count"))
        out[bytes.fromhex(key)] = Counters(
            seen.integer("clock_ms", 0, (1 << 64) - 1),
            seen.integer("reset_count", 0, (1 << 32) - 1),
            seen.integer("restart_count", 0, (1 << 32) - 1),
        )
    return out
