# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.snp]``: reference values and tolerances for ``snp-report@v1``; keys are the fields of ``SnpTrust``.

::

    [evidence.snp]
    measurements = ["<96 hex>"]           # likewise id_key_digests, author_key_digests (96 hex), host_data, report_ids
    minimum_tcb = { Milan = { snp = 24, microcode = 219 } }     # (64 hex), family_ids, image_ids (32 hex)
    denied_chip_ids = ["<128 hex>"]       # or 16 hex for a Turin; likewise chip_ids
    required_policy = ["single_socket"]   # likewise forbidden_policy, required_platform, forbidden_platform
    require_crl = true
    bulletin_statuses = ["UpToDate", "OutOfDate"]   # the latter passes as a warning
    denied_advisories = ["AMD-SB-3019"]   # must be fulfilled all the same
    [[evidence.snp.bulletins]]            # newer than the release: verifier.trust.bulletins

An absent key has the default of ``SnpTrust``: AMD's pinned roots, no debugging, no migration agent, a CRL of the ARK.
"""

from __future__ import annotations

from typing import Any

from attestation.errors import OperationalError
from attestation.snp import SnpTrust
from attestation.snp.trust import DIGEST_SETS
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.trust.bulletins import bulletins
from verifier.trust.certificates import certificates
from verifier.trust.values import numbers, octets, texts

_CERTIFICATES = ("roots", "intermediates")
_TEXTS = (
    "products",
    "signing_keys",
    "csp_ids",
    "required_policy",
    "forbidden_policy",
    "required_platform",
    "forbidden_platform",
    "bulletin_statuses",
    "denied_advisories",
)
_CHIPS = ("chip_ids", "denied_chip_ids")
_FLAGS = ("require_crl", "allow_debug", "require_committed")
_LEVELS = ("minimum_tcb", "minimum_launch_tcb")
_NUMBERS = {"minimum_firmware": 3, "minimum_abi": 2, "vmpls": 0}
KEYS = frozenset(
    {
        *_CERTIFICATES,
        *_TEXTS,
        *_CHIPS,
        *_FLAGS,
        *_LEVELS,
        *_NUMBERS,
        *DIGEST_SETS,
        "minimum_guest_svn",
        "required_mitigations",
        "bulletins",
    }
)


def read(fields: Fields) -> SnpTrust:
    """The trust of one table."""
    fields.exactly((), optional=KEYS)
    return trust(fields)


def trust(fields: Fields) -> SnpTrust:
    """The trust of the keys in ``KEYS``, whatever other keys there are."""
    settings: dict[str, Any] = {}
    for key in KEYS & fields.value.keys():
        if key in _CERTIFICATES:
            settings[key] = certificates(fields, key)
        elif key in _TEXTS:
            settings[key] = texts(fields, key)
        elif key in _CHIPS:
            settings[key] = octets(fields, key, 8, 64)
        elif key in DIGEST_SETS:
            settings[key] = octets(fields, key, DIGEST_SETS[key])
        elif key == "bulletins":
            settings[key] = bulletins(fields, key)
        elif key in _FLAGS:
            settings[key] = fields.boolean(key)
        elif key in _LEVELS:
            settings[key] = _levels(fields.object(key))
        elif key in _NUMBERS:
            found = numbers(fields, key, _NUMBERS[key], 255)
            settings[key] = frozenset(found) if key == "vmpls" else found
        else:
            settings[key] = fields.integer(key, 0, (1 << 63) - 1)
    try:
        return SnpTrust(**settings)
    except OperationalError as error:
        raise MalformedError(fields.code, f"{fields.path}: {error.message}") from None


def _levels(fields: Fields) -> dict[str, dict[str, int]]:
    products = {product: fields.object(product) for product in fields.value}
    return {
        product: {component: levels.integer(component, 0, 255) for component in levels.value}
        for product, levels in products.items()
    }
