# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy supplies for every kind of Intel evidence."""

from __future__ import annotations

from dataclasses import dataclass

from attestation.errors import OperationalError
from attestation.intel.documents import STATUSES
from attestation.intel.roots import INTEL_ROOTS


@dataclass(frozen=True, kw_only=True)
class IntelTrust:
    """Anchors and tolerances; the defaults are the strictest.

    `roots`: DER. `tcb_statuses`: TCB statuses that pass; all but `UpToDate` pass as a warning, `Revoked` cannot be
    listed. `require_crl`: without current revocation lists of root and PCK CA the evidence stays unproved (Intel
    publishes both for everyone). `allow_debug`: debuggable enclaves and TDs pass as a warning.
    `min_tcb_evaluation`: the lowest `tcbEvaluationDataNumber` of TCB information and QE identity.
    """

    roots: tuple[bytes, ...] = INTEL_ROOTS
    tcb_statuses: frozenset[str] = frozenset({"UpToDate"})
    require_crl: bool = True
    allow_debug: bool = False
    min_tcb_evaluation: int = 0

    prefix = "evidence.intel"
    """Of the codes; each format has its own."""

    def __post_init__(self) -> None:
        """Refuse trust that could never mean anything. Raises `OperationalError` (`<prefix>.trust-invalid`)."""
        unknown = self.tcb_statuses - STATUSES.keys()
        if unknown or "Revoked" in self.tcb_statuses:
            self.refuse(f"tcb_statuses has {sorted(unknown) or 'Revoked'}; some of {sorted(STATUSES)} but Revoked")
        if not 0 <= self.min_tcb_evaluation <= 0xFFFFFFFF:
            self.refuse(f"min_tcb_evaluation is {self.min_tcb_evaluation}; 0 to {0xFFFFFFFF}")

    def refuse(self, message: str) -> None:
        """Raise `OperationalError`."""
        raise OperationalError(f"{self.prefix}.trust-invalid", message, remedy="correct the policy")

    def check_values(self, name: str, values: frozenset[bytes], size: int) -> None:
        """Refuse an empty set of reference values, and values of another length."""
        if not values or any(len(value) != size for value in values):
            self.refuse(f"{name} has {len(values)} values; at least one, each of {size} bytes")
