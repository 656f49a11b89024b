# SPDX-License-Identifier: AGPL-3.0-or-later
"""The TCB ladder: which level a platform, its TDX module and its quoting enclave are on, and what that adds up to.

Source: Intel PCS API version 4, "Get TDX TCB Info", comparison of TCBs, and Intel's quote verification library
(TcbLevelCheck, TdxModuleCheck). Levels are tried from the highest down; the first that is reached counts.

::

    reached:   sgx_i <= component SVN_i of the PCK certificate (16), pcesvn <= PCESVN,
               tdx_i <= TEE_TCB_SVN_i (16; from the third where TEE_TCB_SVN_1, the module's version, is not 0)
    module:    TDX_<version>, its ISVSVN is TEE_TCB_SVN_0
    status:    the platform's; OutOfDate where QE or module are, keeping "ConfigurationNeeded"; Revoked if any is
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from attestation.intel.documents import Level, Module, QeIdentity, TcbInfo
from attestation.intel.pck import Pck


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a quote stands: the status that the levels in use add up to, their earliest date, all their advisories."""

    status: str
    date: datetime
    advisories: tuple[str, ...]


def find_platform_level(info: TcbInfo, pck: Pck, tee_tcb_svn: bytes | None) -> Level | None:
    """The highest level that the platform reaches; `tee_tcb_svn` is 16 bytes for a TD, None for an enclave."""
    for level in sorted(info.levels, key=lambda level: (level.sgx, level.svn, level.tdx), reverse=True):
        if pck.pce_svn < level.svn or not _reaches(pck.components, level.sgx):
            continue
        if tee_tcb_svn is not None:
            start = 2 if tee_tcb_svn[1] else 0
            if not _reaches(tee_tcb_svn[start:], level.tdx[start:]):
                continue
        return level
    return None


def find_module(info: TcbInfo, tee_tcb_svn: bytes) -> Module | None:
    """The identity that the TD's SEAM module must have: by its version, `TEE_TCB_SVN[1]`; version 0 has no levels."""
    version = tee_tcb_svn[1]
    if version == 0:
        return info.module
    found = [module for module in info.modules if module.id == f"TDX_{version:02X}"]
    return found[0] if len(found) == 1 else None


def find_svn_level(levels: Iterable[Level], svn: int) -> Level | None:
    """The highest level of a QE or TDX module that `svn` reaches."""
    for level in sorted(levels, key=lambda level: level.svn, reverse=True):
        if svn >= level.svn:
            return level
    return None


def find_qe_level(identity: QeIdentity, svn: int) -> Level | None:
    """The highest level that the quoting enclave reaches."""
    return find_svn_level(identity.levels, svn)


def converge(platform: Level, *others: Level) -> Standing:
    """The platform's level with those of the TDX module and the quoting enclave."""
    status = platform.status
    for other in others:
        if other.status == "OutOfDate":
            status = _outdated(status)
        elif other.status == "Revoked":
            status = "Revoked"
    levels = (platform, *others)
    return Standing(
        status,
        min(level.date for level in levels),
        tuple(dict.fromkeys(name for level in levels for name in level.advisories)),
    )


def _outdated(status: str) -> str:
    if status in ("UpToDate", "SWHardeningNeeded"):
        return "OutOfDate"
    if status in ("ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"):
        return "OutOfDateConfigurationNeeded"
    return status


def _reaches(has: Iterable[int], needed: Iterable[int]) -> bool:
    return all(have >= need for have, need in zip(has, needed, strict=True))
