# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bits of the guest policy, which the guest's owner set at launch, and of the platform information.

Source: AMD 56860 (SEV-SNP firmware ABI) 1.58, Guest Policy and PLATFORM_INFO.
"""

from __future__ import annotations

from collections.abc import Mapping

POLICY_BITS: Mapping[int, str] = {
    16: "smt",
    18: "migrate_ma",
    19: "debug",
    20: "single_socket",
    21: "cxl_allowed",
    22: "aes_256_xts",
    23: "rapl_disabled",
    24: "ciphertext_hiding",
    25: "page_swap_disabled",
}
"""`smt`, `migrate_ma`, `debug` and `cxl_allowed` permit something; the others demand it."""

POLICY_ONE = 17
"""Reserved, must be one."""

POLICY_KNOWN = sum(1 << bit for bit in POLICY_BITS) | 1 << POLICY_ONE | 0xFFFF

PLATFORM_BITS: Mapping[int, str] = {
    0: "smt_enabled",
    1: "tsme_enabled",
    2: "ecc_enabled",
    3: "rapl_disabled",
    4: "ciphertext_hiding_enabled",
    5: "alias_check_complete",
    7: "tio_enabled",
}
"""Other bits have been seen set on real machines and mean nothing here."""

POLICY_NAMES = frozenset(POLICY_BITS.values())
PLATFORM_NAMES = frozenset(PLATFORM_BITS.values())


def names(value: int, bits: Mapping[int, str]) -> frozenset[str]:
    """The names of the bits that are set."""
    return frozenset(name for bit, name in bits.items() if value >> bit & 1)
