# SPDX-License-Identifier: AGPL-3.0-or-later
"""AMD's security bulletins against a report: which of them its firmware fulfils.

::

    level      = min(reported, committed)                              part by part
    a fix f    : minimum_f <= level,  platform_f <= platform bits,  mitigations_f <= launch and current vectors
    a bulletin : every fix of it that speaks of the chip holds; it counts from its date on
    status     = OutOfDate where a bulletin that counts is not fulfilled, else UpToDate
    date       = of the newest bulletin before which (and with which) all are fulfilled, counting or not

The committed TCB is what the chip cannot be rolled back below, the reported one what the signing key was derived for:
the current one may be provisional and proves neither (AMD 56860, SNP_COMMIT and SNP_SET_CONFIG).

A bulletin is data (`published`, or an operator's own in a policy); nothing here knows one by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from attestation.snp.policy import PLATFORM_NAMES
from attestation.snp.products import PRODUCTS, Product
from attestation.snp.report import Report

UP_TO_DATE, OUT_OF_DATE = "UpToDate", "OutOfDate"
STATUSES = frozenset({UP_TO_DATE, OUT_OF_DATE})
MIDNIGHT = time(tzinfo=UTC)
MAX_BULLETINS = 256
MAX_FIXES = 64
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")

Chip = tuple[int, int, int]
"""Family, model and stepping as CPUID gives them: microcode is numbered per stepping."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a report bulletins ask about: levels by component, names of platform bits, bits of both vectors."""

    levels: Mapping[str, int]
    platform: frozenset[str]
    mitigations: int

    @classmethod
    def of(cls, report: Report, product: Product) -> Shown:
        """Of a report of that product."""
        lower = map(min, report.reported_tcb, report.committed_tcb)
        launch, current = report.mitigations or (0, 0)
        return cls(dict(zip(product.components, lower, strict=True)), report.platform_names, launch & current)


@dataclass(frozen=True, kw_only=True)
class Fix:
    """What a report shows where a bulletin's fix is in: for a product line, or some of its `chips` alone.

    `minimum`: patch levels by component. `platform`: bits of PLATFORM_INFO that are set. `mitigations`: bits that both
    vectors have; a report without vectors has none. `source`: where the values were found published.
    """

    product: str
    minimum: Mapping[str, int] = field(default_factory=dict)
    chips: frozenset[Chip] = frozenset()
    platform: frozenset[str] = frozenset()
    mitigations: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse what no report could show. Raises `ValueError`."""
        product = PRODUCTS.get(self.product)
        if product is None or not self.minimum.keys() <= frozenset(product.components):
            raise ValueError(f"a fix for {self.product!r} of {sorted(self.minimum)}")
        if not all(0 <= least <= 0xFF for least in self.minimum.values()) or not 0 <= self.mitigations < 1 << 64:
            raise ValueError(f"a fix for {self.product} with a level that no report can have")
        if not self.platform <= PLATFORM_NAMES:
            raise ValueError(f"a fix with unknown platform bits {sorted(self.platform - PLATFORM_NAMES)}")
        if not (self.minimum or self.platform or self.mitigations):
            raise ValueError(f"a fix for {self.product} that asks for nothing")

    def speaks_of(self, product: Product, chip: Chip | None) -> bool:
        """Is it about this chip? A report that does not name its stepping must fulfil those of every stepping."""
        return self.product == product.name and (not self.chips or chip is None or chip in self.chips)

    def holds(self, shown: Shown) -> bool:
        """Does a report that shows this have all that it asks for?"""
        return (
            all(shown.levels[name] >= least for name, least in self.minimum.items())
            and self.platform <= shown.platform
            and shown.mitigations & self.mitigations == self.mitigations
        )


@dataclass(frozen=True, kw_only=True)
class Bulletin:
    """A security bulletin: `id` as its vendor names it, `date` of its publication; `title`: what it is about."""

    id: str
    date: date
    fixes: tuple[Fix, ...]
    title: str = ""
    cves: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name that is none, and bulletins about nothing. Raises `ValueError`."""
        if not _ID.match(self.id) or not 1 <= len(self.fixes) <= MAX_FIXES:
            raise ValueError(f"bulletin {self.id[:64]!r} with {len(self.fixes)} fixes")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the bulletins say of a report: `missing` are those that count and are not fulfilled, oldest first."""

    status: str
    date: date
    missing: tuple[str, ...]


def merge(published: Iterable[Bulletin], own: Iterable[Bulletin]) -> tuple[Bulletin, ...]:
    """Both, oldest first; of the same id the operator's own."""
    found = {bulletin.id: bulletin for bulletin in (*published, *own)}
    return tuple(sorted(found.values(), key=lambda bulletin: (bulletin.date, bulletin.id)))


def stand(report: Report, product: Product, bulletins: Iterable[Bulletin], launched: date, at: datetime) -> Standing:
    """Hold a report against bulletins (oldest first); `launched`: its firmware is no older; `at` is aware."""
    shown, missing = Shown.of(report, product), []
    reached, unbroken = launched, True
    for bulletin in bulletins:
        fixes = [fix for fix in bulletin.fixes if fix.speaks_of(product, report.cpuid)]
        if not fixes:
            continue
        if all(fix.holds(shown) for fix in fixes):
            reached = max(reached, bulletin.date) if unbroken else reached
            continue
        unbroken = False
        if datetime.combine(bulletin.date, MIDNIGHT) <= at:
            missing.append(bulletin.id)
    return Standing(OUT_OF_DATE if missing else UP_TO_DATE, reached, tuple(missing))
