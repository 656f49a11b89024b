# SPDX-License-Identifier: AGPL-3.0-or-later
"""What became of the mutants of one parser: counts, times, memory; `fuzz_evidence` runs them."""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from scripts import histogram
from tests.attestation.fuzzing import cases
from tests.attestation.fuzzing.target import Target

MAX_P99_S = 0.02
"""Processor time that 99 of 100 inputs may take."""
MAX_GROWTH_MB = 128.0
"""By how much the process may grow beyond what it is after `WARM` cases. Mutants have up to 8 MB, and what made them
holds copies of them."""
MAX_TRACED_BYTES = 64 << 20
"""What one call may allocate at once."""
WARM = 300
TRACE_EVERY = 1000
KEPT_FAILURES = 20
TOP = 12


class Tally:
    """Counts of one parser, and a histogram of times."""

    def __init__(self, identity: dict[str, Any]) -> None:
        self.identity = identity
        self.done = self.worst_bytes = self.traced = 0
        self.cpu_s = self.worst_s = self.growth_mb = self.peak_mb = 0.0
        self.worst = ""
        self.outcomes: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.times: Counter[str] = Counter()
        self.failures: list[str] = []
        self._genuine: frozenset[Hashable] = frozenset()
        self._before = 0.0

    @classmethod
    def load(cls, path: Path, identity: dict[str, Any]) -> Tally:
        """What a run with the same seed and evidence has kept, or an empty tally."""
        found = cls(identity)
        try:
            kept = json.loads(path.read_text())
        except (OSError, ValueError):
            return found
        if kept.pop("identity", None) == identity:
            for name, value in kept.items():
                setattr(found, name, Counter(value) if isinstance(value, dict) else value)
        return found

    def save(self, path: Path) -> None:
        """Keep what is done."""
        self.peak_mb = max(self.peak_mb, _resident_mb())
        self.growth_mb = max(self.growth_mb, _resident_mb() - self._before)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps({name: value for name, value in vars(self).items() if not name.startswith("_")}))
        beside.replace(path)

    def warm(self, target: Target) -> None:
        """Load what is loaded on first use, with mutants of another seed."""
        self._genuine = cases.statements(target)
        for number in range(WARM):
            cases.run(target, self.identity["seed"] + 1, number, self._genuine)
        self._before = _resident_mb()

    def case(self, target: Target, folder: Path) -> None:
        """The next mutant; one that should not be is kept in `folder`."""
        number, seed = self.done, self.identity["seed"]
        found = cases.run(target, seed, number, self._genuine)
        self.done += 1
        self.outcomes[found.code] += 1
        self.kinds[found.kind] += 1
        self.times[histogram.step(found.seconds)] += 1
        self.cpu_s += found.seconds
        if found.seconds > self.worst_s:
            self.worst_s, self.worst = found.seconds, f"{number}: {found.seed.name}, {found.kind}, {found.code}"
        if found.code in cases.FAULTS:
            self._fail(found, number, folder)
        if number % TRACE_EVERY == 0:
            self.traced += 1
            most = cases.traced(target, seed, number)
            self.worst_bytes = max(self.worst_bytes, most)

    def _fail(self, found: cases.Case, number: int, folder: Path) -> None:
        self.failures.append(f"{number}: {found.seed.name}, {found.kind}: {found.code} {found.detail}")
        print(f"FAILED {self.failures[-1]}", flush=True)
        if len(self.failures) <= KEPT_FAILURES:
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in found.parts.items():
                (folder / f"{number}-{name.replace('/', '-')[-40:]}").write_bytes(data)

    @property
    def seconds_each(self) -> float:
        """Mean processor time of a case."""
        return self.cpu_s / max(1, self.done)

    def percentile(self, share: float) -> float:
        """Seconds that so many of the cases did not exceed, to two per cent."""
        return histogram.percentile(self.times, share, self.worst_s)

    def faults(self) -> list[str]:
        """Why the parser does not pass; empty where it does."""
        found = list(self.failures)
        if self.done and self.percentile(0.99) > MAX_P99_S:
            found.append(f"p99 of {self.percentile(0.99) * 1e3:.1f} ms")
        if self.growth_mb > MAX_GROWTH_MB:
            found.append(f"the process grew by {self.growth_mb:.0f} MB")
        if self.worst_bytes > MAX_TRACED_BYTES:
            found.append(f"a call that allocated {self.worst_bytes} bytes")
        return found

    def line(self) -> dict[str, Any]:
        """A line of progress."""
        return {
            "done": self.done,
            "p99_ms": round(self.percentile(0.99) * 1e3, 3),
            "max_ms": round(self.worst_s * 1e3, 1),
            "growth_mb": round(self.growth_mb, 1),
            "faults": self.faults()[:3],
        }


def summary(tally: Tally) -> dict[str, Any]:
    """What the result file says of one parser."""
    refusals = {code: n for code, n in tally.outcomes.items() if code not in cases.NOT_REFUSED}
    return {
        "inputs": tally.done,
        "accepted": tally.outcomes[cases.ACCEPTED],
        "untyped": tally.outcomes[cases.UNTYPED],
        "unchanged": tally.outcomes[cases.UNCHANGED],
        "equivalent": tally.outcomes[cases.EQUIVALENT],
        "refused": sum(refusals.values()),
        "read": sum(tally.outcomes[word] for word in ("read", "passed", "accepted")),
        "codes": dict(Counter(refusals).most_common(TOP)),
        "codes_seen": len(refusals),
        "mutations": dict(sorted(tally.kinds.items())),
        "faults": tally.faults()[:KEPT_FAILURES],
        "cpu_ms": {
            "mean": round(tally.seconds_each * 1e3, 4),
            "p50": round(tally.percentile(0.5) * 1e3, 4),
            "p99": round(tally.percentile(0.99) * 1e3, 4),
            "max": round(tally.worst_s * 1e3, 2),
            "slowest": tally.worst,
        },
        "memory": {
            "peak_rss_mb": round(tally.peak_mb, 1),
            "rss_growth_mb": round(tally.growth_mb, 1),
            "largest_call_bytes": tally.worst_bytes,
            "calls_traced": tally.traced,
        },
    }


def _resident_mb() -> float:
    """The largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
