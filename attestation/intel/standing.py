# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the documents say of this quote: the quoting enclave, the TDX module, the TCB status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from attestation.contract import Check
from attestation.intel.authenticity import Endorsement
from attestation.intel.currency import Currency
from attestation.intel.documents import Level, QeIdentity, TcbInfo
from attestation.intel.enclave import EnclaveReport
from attestation.intel.ladder import (
    converge,
    find_module,
    find_platform_level,
    find_qe_level,
    find_svn_level,
)
from attestation.intel.lines import judged, missing
from attestation.intel.trust import IntelTrust

NOT_SUPPORTED = "NotSupported"
"""Claimed as TCB status where a level is below all that Intel lists; no policy can tolerate it."""


@dataclass(frozen=True, slots=True)
class Seam:
    """What a TD report says of the TDX module: TEE_TCB_SVN (16 bytes), MRSIGNERSEAM (48), SEAMATTRIBUTES (8)."""

    tee_tcb_svn: bytes
    mr_signer: bytes
    attributes: bytes


def check_standing(
    currency: Currency, endorsed: Endorsement, seam: Seam | None, trust: IntelTrust, prefix: str
) -> None:
    """Add the lines to `currency`, and its `standing` and claims where a level is reached."""
    info = currency.tcb_info.parsed if currency.tcb_info else None
    identity = currency.qe_identity.parsed if currency.qe_identity else None
    if isinstance(identity, QeIdentity):
        currency.checks.append(_qe(endorsed.qe, identity, prefix))
    if isinstance(info, TcbInfo) and seam is not None:
        currency.checks.append(_module(info, seam, prefix))
    required = f"one of {', '.join(sorted(trust.tcb_statuses)) or 'nothing'}"
    if not isinstance(info, TcbInfo) or not isinstance(identity, QeIdentity):
        currency.checks.append(
            missing(f"{prefix}.tcb", "unknown without collateral", required, f"{prefix}.tcb-unknown")
        )
        return
    levels = {
        "platform": find_platform_level(info, endorsed.pck, seam.tee_tcb_svn if seam else None),
        "qe": find_qe_level(identity, endorsed.qe.isv_svn),
    }
    if seam is not None and seam.tee_tcb_svn[1]:
        module = find_module(info, seam.tee_tcb_svn)
        levels["tdx_module"] = find_svn_level(module.levels, seam.tee_tcb_svn[0]) if module else None
    currency.checks.append(_status(currency, levels, required, trust, prefix))
    currency.claims["tcb_levels"] = {name: level.status if level else None for name, level in levels.items()}
    currency.claims["tcb_evaluation"] = min(info.evaluation, identity.evaluation)


def _codes(prefix: str) -> dict[str, str]:
    """What a status that the policy does not list is called."""
    return {
        "UpToDate": f"{prefix}.tcb-up-to-date",
        "SWHardeningNeeded": f"{prefix}.tcb-sw-hardening-needed",
        "ConfigurationNeeded": f"{prefix}.tcb-configuration-needed",
        "ConfigurationAndSWHardeningNeeded": f"{prefix}.tcb-configuration-and-sw-hardening-needed",
        "OutOfDate": f"{prefix}.tcb-out-of-date",
        "OutOfDateConfigurationNeeded": f"{prefix}.tcb-out-of-date-configuration-needed",
        "Revoked": f"{prefix}.tcb-revoked",
    }


def _status(
    currency: Currency, levels: dict[str, Level | None], required: str, trust: IntelTrust, prefix: str
) -> Check:
    reached = {name: level for name, level in levels.items() if level is not None}
    if len(reached) != len(levels):
        below = ", ".join(name for name in levels if name not in reached)
        currency.claims["tcb_status"] = NOT_SUPPORTED
        return judged(
            f"{prefix}.tcb", False, f"below every level: {below}", required, f"{prefix}.tcb-not-supported",
            category="hardware",
        )  # fmt: skip
    standing = converge(reached.pop("platform"), *reached.values())
    currency.standing = standing
    currency.claims.update(_claims(currency))
    observed = standing.status
    if standing.advisories:
        observed += f"; {', '.join(standing.advisories[:12])}"
    return judged(
        f"{prefix}.tcb",
        standing.status in trust.tcb_statuses,
        observed,
        required,
        _codes(prefix)[standing.status],
        category="hardware",
        warning=standing.status != "UpToDate",
    )


def _claims(currency: Currency) -> dict[str, Any]:
    standing = currency.standing
    if standing is None:
        return {}
    return {
        "tcb_status": standing.status,
        "tcb_date": standing.date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "advisories": list(standing.advisories),
    }


def _qe(report: EnclaveReport, identity: QeIdentity, prefix: str) -> Check:
    """Is the quoting enclave the one that Intel signs for, not debuggable?"""
    problem = report.sound
    if report.debug:
        problem = "the quoting enclave is debuggable"
    elif report.mr_signer != identity.mrsigner:
        problem = f"MRSIGNER {report.mr_signer.hex()}"
    elif report.isv_prod_id != identity.isv_prod_id:
        problem = f"ISVPRODID {report.isv_prod_id}"
    elif (report.misc_select ^ identity.misc_select) & identity.misc_select_mask:
        problem = f"MISCSELECT 0x{report.misc_select:08x}"
    elif not _masked_equal(report.attributes, identity.attributes, identity.attributes_mask):
        problem = f"ATTRIBUTES {report.attributes.hex()}"
    return judged(
        f"{prefix}.qe",
        not problem,
        problem or f"{identity.id}, ISVSVN {report.isv_svn}",
        f"MRSIGNER, ISVPRODID, MISCSELECT and ATTRIBUTES of the identity {identity.id}",
        f"{prefix}.qe-mismatch",
        category="hardware",
    )


def _module(info: TcbInfo, seam: Seam, prefix: str) -> Check:
    """Is the TDX module Intel's, with the attributes that Intel signs for?"""
    module = find_module(info, seam.tee_tcb_svn)
    version = seam.tee_tcb_svn[1]
    if module is None:
        problem = f"no identity TDX_{version:02X}"
    elif seam.mr_signer != module.mrsigner:
        problem = f"MRSIGNERSEAM {seam.mr_signer.hex()}"
    elif not _masked_equal(seam.attributes, module.attributes, module.mask):
        problem = f"SEAMATTRIBUTES {seam.attributes.hex()}"
    elif any(have & ~mask for have, mask in zip(seam.attributes, module.mask, strict=True)):
        problem = f"SEAMATTRIBUTES {seam.attributes.hex()} outside the mask"
    else:
        problem = ""
    return judged(
        f"{prefix}.tdx-module",
        not problem,
        problem or f"version {version}, ISVSVN {seam.tee_tcb_svn[0]}",
        "MRSIGNERSEAM and SEAMATTRIBUTES of the module identity that Intel signs",
        f"{prefix}.tdx-module-mismatch",
        category="hardware",
    )


def _masked_equal(observed: bytes, expected: bytes, mask: bytes) -> bool:
    return all((a ^ b) & m == 0 for a, b, m in zip(observed, expected, mask, strict=True))
