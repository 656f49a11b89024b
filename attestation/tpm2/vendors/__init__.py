# SPDX-License-Identifier: AGPL-3.0-or-later
"""CAs under which makers certify the endorsement keys of their TPMs, and platforms the keys of theirs, pinned.

Nothing trusts them until a policy says `ek_roots = "pinned"` or `platform_ak_issuers = "pinned"`. CAs of endorsement
keys make no evidence pass alone, since an attestation CA must vouch for the attestation key, too. Roots and
intermediates are anchors alike; an expired one no longer counts.

Source of the makers' CAs: keylime/keylime, `tpm_cert_store/` at commit 9b1f6e6a91 (certificates that the makers
publish), duplicates once.
"""

from attestation.tpm2.vendors.google import PINNED_PLATFORM_AK_ISSUERS
from attestation.tpm2.vendors.infineon import CERTIFICATES as _INFINEON
from attestation.tpm2.vendors.nuvoton import CERTIFICATES as _NUVOTON
from attestation.tpm2.vendors.optiga import CERTIFICATES as _OPTIGA
from attestation.tpm2.vendors.others import CERTIFICATES as _OTHERS
from attestation.tpm2.vendors.stmicro import CERTIFICATES as _STMICRO

PINNED_EK_ROOTS: tuple[bytes, ...] = (*_INFINEON, *_OPTIGA, *_NUVOTON, *_STMICRO, *_OTHERS)
"""DER certificates."""

__all__ = ["PINNED_EK_ROOTS", "PINNED_PLATFORM_AK_ISSUERS"]
