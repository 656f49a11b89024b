# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy supplies for TDX quotes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from attestation.intel.trust import IntelTrust
from attestation.tdx.report import MEASUREMENT_SIZE, REGISTERS


@dataclass(frozen=True, kw_only=True)
class TdxTrust(IntelTrust):
    """`IntelTrust`, and what is expected of the TD.

    `reference`: allowed values (48 bytes each) of registers by their names in `REGISTERS`. `require_event_log`: a
    log must be there and explain the RTMRs. `runtime_rtmrs`: RTMRs that the guest goes on extending after the
    firmware's log ends, where a log that falls short is no contradiction. `require_sept_ve_disable`: the TD must not
    take a #VE on pages that the host took away (without it a guest kernel can be made to misbehave). `service_tds`:
    MRSERVICETD values (48 bytes) of service TDs, such as a migration TD, that may be bound; empty for none at all.
    """

    reference: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    require_event_log: bool = False
    runtime_rtmrs: frozenset[int] = frozenset({3})
    require_sept_ve_disable: bool = True
    service_tds: frozenset[bytes] = frozenset()

    prefix = "evidence.tdx"

    def __post_init__(self) -> None:
        """Refuse trust that could never mean anything. Raises `OperationalError`."""
        IntelTrust.__post_init__(self)
        for name, values in self.reference.items():
            if name not in REGISTERS:
                self.refuse(f"reference values for {name!r}; known: {', '.join(REGISTERS)}")
            self.check_values(name, values, MEASUREMENT_SIZE)
        if self.service_tds:
            self.check_values("service_tds", self.service_tds, MEASUREMENT_SIZE)
        if not self.runtime_rtmrs <= frozenset(range(4)):
            self.refuse(f"runtime_rtmrs is {sorted(self.runtime_rtmrs)}; some of 0 to 3")
