# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral that travels with evidence, as members of its own."""

from __future__ import annotations

from collections.abc import Mapping

from attestation.collateral import Collateral, sort_collateral

COLLATERAL_MEMBER = "collateral."
"""Members of this name hold what others say about the evidence (CRLs, TCB information), so that an audit needs no
network."""


def split_members(members: Mapping[str, bytes]) -> tuple[dict[str, bytes], Collateral]:
    """Native members, and the collateral that travels with them.

    Raises:
        attestation.errors.MalformedError: ``evidence.collateral.*``.
    """
    native = {name: data for name, data in members.items() if not name.startswith(COLLATERAL_MEMBER)}
    return native, sort_collateral(data for name, data in members.items() if name not in native)
