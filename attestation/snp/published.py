# SPDX-License-Identifier: AGPL-3.0-or-later
"""AMD's bulletins that name what a SEV-SNP report shows once their fix is in. Version 1 of the table, as of `AS_OF`.

Only values that were found published are here, each with the place; what was left out and why:
docs/spec/snp-report-v1.md, Bulletins. Newer ones go into a policy until a release has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from attestation.snp.bulletins import Bulletin, Fix

AS_OF = date(2026, 10, 8)
"""The newest of the sources; nothing is claimed about bulletins after it."""

LAUNCHED: Mapping[str, date] = MappingProxyType(
    {"Milan": date(2021, 3, 15), "Genoa": date(2022, 11, 10), "Turin": date(2024, 10, 10)}
)
"""When AMD launched the first processors of each line: no firmware of theirs is older."""

MILAN, MILAN_X = frozenset({(0x19, 0x01, 1)}), frozenset({(0x19, 0x01, 2)})
GENOA, GENOA_X = frozenset({(0x19, 0x11, 1)}), frozenset({(0x19, 0x11, 2)})
BERGAMO_SIENA = frozenset({(0x19, 0xA0, 2)})
TURIN = frozenset({(0x1A, 0x02, 1)})

_WCM = "agentrust-io/weight-custody-manifest, python/src/wcm/snp.py; firmware versions: AMD's record of CVE-2024-21944"
_CCF = "microsoft/CCF issue 6812, from the bulletin"
_FWUPD = "microcode revision: fwupd/fwupd, plugins/cpu/fu-cpu-common.c (EntrySign); its low byte is the level"
_REVIEW = "ariofrio/pi-tee, docs/reviews/pi-tee-multimodel-snp-tls-opus-review.md, from the bulletin on 2026-10-08"
_KERNEL = "Linux, drivers/crypto/ccp/sev-dev.c (T. Andersen, AMD, 2026-04-16), from the bulletin"
_TRACE = "agentrust-io/trace-spec, docs/rfcs/composite-component-appraisal.md, from the bulletin on 2026-09-30"

BULLETINS = (
    Bulletin(
        id="AMD-SB-3015",
        title="Undermining integrity features of SEV-SNP with memory aliasing (BadRAM)",
        date=date(2024, 12, 10),
        cves=("CVE-2024-21944",),
        fixes=(
            Fix(product="Milan", minimum={"snp": 0x17}, platform=frozenset({"alias_check_complete"}), source=_WCM),
            Fix(product="Genoa", minimum={"snp": 0x16}, platform=frozenset({"alias_check_complete"}), source=_WCM),
        ),
    ),
    Bulletin(
        id="AMD-SB-3019",
        title="SEV confidential computing vulnerability: microcode signature verification (EntrySign)",
        date=date(2025, 2, 3),
        cves=("CVE-2024-56161",),
        fixes=(
            Fix(product="Milan", minimum={"snp": 0x18}, source=_CCF),
            Fix(product="Milan", chips=MILAN, minimum={"microcode": 0xDB}, source=_FWUPD),
            Fix(product="Milan", chips=MILAN_X, minimum={"microcode": 0x44}, source=_FWUPD),
            Fix(product="Genoa", minimum={"snp": 0x17}, source=_CCF),
            Fix(product="Genoa", chips=GENOA, minimum={"microcode": 0x54}, source=_FWUPD),
            Fix(product="Genoa", chips=GENOA_X, minimum={"microcode": 0x4F}, source=_FWUPD),
            Fix(product="Genoa", chips=BERGAMO_SIENA, minimum={"microcode": 0x19}, source=_FWUPD),
        ),
    ),
    Bulletin(
        id="AMD-SB-3020",
        title="SEV-SNP RMP initialization vulnerability (RMPocalypse)",
        date=date(2025, 10, 14),
        cves=("CVE-2025-0033",),
        fixes=(
            Fix(product="Genoa", chips=GENOA, minimum={"snp": 0x1B, "microcode": 0x56}, source=_REVIEW),
            Fix(product="Genoa", chips=GENOA_X, minimum={"snp": 0x1B, "microcode": 0x51}, source=_REVIEW),
            Fix(product="Turin", chips=TURIN, minimum={"snp": 0x04, "microcode": 0x50}, source=_REVIEW),
        ),
    ),
    Bulletin(
        id="AMD-SB-3027",
        title="Stack pointer corruption in SEV-SNP guests (StackWarp)",
        date=date(2026, 1, 16),
        cves=("CVE-2025-29943",),
        fixes=(
            Fix(product="Genoa", chips=GENOA, minimum={"microcode": 0x56}, source=_REVIEW),
            Fix(product="Genoa", chips=GENOA_X, minimum={"microcode": 0x51}, source=_REVIEW),
            Fix(product="Turin", chips=TURIN, minimum={"microcode": 0x51}, source=_REVIEW),
        ),
    ),
    Bulletin(
        id="AMD-SB-3023",
        title="SEV firmware: SEV-ES guests against SNP guests",
        date=date(2026, 2, 10),
        cves=("CVE-2025-48514",),
        fixes=(
            Fix(product="Milan", minimum={"snp": 0x1B}, source=_KERNEL),
            Fix(product="Genoa", minimum={"snp": 0x1B}, source=_KERNEL),
            Fix(product="Turin", minimum={"snp": 0x04}, source=_KERNEL),
        ),
    ),
    Bulletin(
        id="AMD-SB-3016",
        title="IOMMU writes past the RMP check",
        date=date(2026, 4, 14),
        cves=("CVE-2023-20585",),
        fixes=(
            Fix(product="Milan", minimum={"snp": 0x1B}, mitigations=1 << 2, source=_TRACE),
            Fix(product="Genoa", minimum={"snp": 0x1B}, mitigations=1 << 2, source=_TRACE),
        ),
    ),
)
"""Oldest first."""
