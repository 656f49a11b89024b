# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral: what others say about evidence (certificates, CRLs, TCB information, RIMs, OCSP), given as loose files.

Collateral comes from a folder, from an affidavit or from a fetcher's cache, and is untrusted like evidence: it is
recognised by content, never by name, and each format takes what it knows, checks it against its anchors and leaves
the rest.

==============  ==========================================================================
`bag`           `Collateral`: recognised items by kind
`recognition`   what kind a file is: X.509, CRL, OCSP, JSON, XML, logs; hex, base64 and PEM armour removed
`texts`         certificates in the texts of JSON files
==============  ==========================================================================
"""

from attestation.collateral.bag import EMPTY, Collateral, Item
from attestation.collateral.recognition import recognise, sort_collateral
from attestation.collateral.texts import certificates_in_texts

__all__ = ["EMPTY", "Collateral", "Item", "certificates_in_texts", "recognise", "sort_collateral"]
