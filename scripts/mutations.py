# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutated proofs against the verifier: `make mutations`, or `python scripts/mutations.py --count 1000000`.

Each case is a function of seed and number. What is done is kept under `fuzz-output/`, so that a run that was cut off
goes on where it was; other proofs (another protocol, other circuits) begin anew. The result goes to
`benchmarks/results/mutations.json`. Exit code 1 if a mutant was accepted, an exception had no type, or time or
memory passed their bounds; such mutants are kept beside the state.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import record  # noqa: E402 - the repository's root is not on the path of a script
from scripts import histogram  # noqa: E402
from tests.proof import mutations  # noqa: E402

OUTPUT = ROOT / "fuzz-output" / "mutations"
SAVE_EVERY = 5000
TRACE_EVERY = 500
MAX_GROWTH_MB = 64.0


def _resident_mb() -> float:
    """The largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Run:
    """Counts, and a histogram of times in steps of two per cent of a microsecond."""

    def __init__(self, seed: int, corpus: str) -> None:
        self.identity: dict[str, Any] = {"seed": seed, "corpus": corpus}
        self.done = 0
        self.cpu_s = self.worst_s = 0.0
        self.worst_bytes = 0
        self.outcomes: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.times: Counter[str] = Counter()
        self.failures: list[str] = []

    def load(self, path: Path) -> None:
        """Go on where a run with the same seed and proofs stopped."""
        try:
            kept = json.loads(path.read_text())
        except (OSError, ValueError):
            return
        if kept.get("identity") == self.identity:
            for name, value in kept.items():
                setattr(self, name, Counter(value) if isinstance(value, dict) and name != "identity" else value)

    def save(self, path: Path) -> None:
        """Keep what is done."""
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(vars(self)))
        beside.replace(path)

    def percentile(self, share: float) -> float:
        """Seconds that so many of the calls did not exceed, to two per cent."""
        return histogram.percentile(self.times, share, self.worst_s)

    def case(self, number: int, pool: list[mutations.Subject]) -> None:
        """One mutant."""
        subject, kind, data = mutations.mutant(self.identity["seed"], number, pool)
        if number % TRACE_EVERY == 0:
            _, most = mutations.traced(subject, data)
            self.worst_bytes = max(self.worst_bytes, most)
            if most > mutations.MAX_BYTES:
                self.fail(number, f"{most} bytes", data)
        code, seconds = mutations.timed(subject, data)
        self.done += 1
        self.outcomes[code if mutations.is_refusal(code) else "other"] += 1
        self.kinds[kind] += 1
        self.times[histogram.step(seconds)] += 1
        self.cpu_s += seconds
        self.worst_s = max(self.worst_s, seconds)
        if not mutations.is_refusal(code) or seconds > mutations.MAX_SECONDS:
            self.fail(number, f"{code}, {seconds:.3f} s", data)

    def fail(self, number: int, what: str, data: bytes) -> None:
        """Keep a mutant that should not be."""
        self.failures.append(f"{number}: {what[:200]}")
        (OUTPUT / f"{number}.proof").write_bytes(data)
        print(f"FAILED {self.failures[-1]}", flush=True)


def report(run: Run, pool: list[mutations.Subject], peak_mb: float, growth_mb: float) -> dict[str, Any]:
    """What the result file says."""
    return {
        "mutants": run.done,
        "accepted": run.outcomes["ACCEPTED"] + run.outcomes["other"],
        "failures": run.failures[:20],
        "outcomes": dict(sorted(run.outcomes.items())),
        "mutations": dict(sorted(run.kinds.items())),
        "subjects": {s.name: len(s.proof) for s in pool},
        "gate_kinds": sorted({g.kind for s in pool for g in s.circuit.gates}),
        "cpu_s": {
            "total": run.cpu_s,
            "mean": run.cpu_s / max(1, run.done),
            "p50": run.percentile(0.5),
            "p99": run.percentile(0.99),
            "max": run.worst_s,
            "bound": mutations.MAX_SECONDS,
        },
        "memory": {
            "peak_rss_mb": round(peak_mb, 1),
            "rss_growth_mb": round(growth_mb, 1),
            "rss_growth_bound_mb": MAX_GROWTH_MB,
            "largest_call_bytes": run.worst_bytes,
            "call_bound_bytes": mutations.MAX_BYTES,
            "calls_traced": run.done // TRACE_EVERY,
        },
        **run.identity,
    }


def main() -> int:
    """Run the cases that are left; return the exit code."""
    parser = argparse.ArgumentParser(description="Mutated proofs against the verifier.")
    parser.add_argument("--count", type=int, default=1_000_000, help="of mutants, all runs together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("error")
    machine = record.machine()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    pool = mutations.subjects()
    corpus = hashlib.sha256(b"".join(s.proof + s.twin for s in pool)).hexdigest()
    run, state = Run(options.seed, corpus), OUTPUT / "state.json"
    run.load(state)
    for number in range(500):  # loads what is loaded on first use
        subject, _, data = mutations.mutant(options.seed + 1, number, pool)
        mutations.timed(subject, data)
    before, since = _resident_mb(), time.monotonic()
    first = run.done
    for number in range(first, options.count):
        run.case(number, pool)
        if run.done % SAVE_EVERY == 0:
            run.save(state)
            rate = (run.done - first) / (time.monotonic() - since)
            print(f"{run.done} of {options.count}, {rate:.0f} a second, {len(run.failures)} failures", flush=True)
    growth = _resident_mb() - before
    run.save(state)
    result = report(run, pool, _resident_mb(), growth)
    command = f"python scripts/mutations.py --count {options.count} --seed {options.seed}"
    path = record.write("mutations", machine, result, command=command)
    print(f"{run.done} mutants, {len(run.failures)} failures: {path.relative_to(ROOT)}")
    return 1 if run.failures or growth > MAX_GROWTH_MB else 0


if __name__ == "__main__":
    sys.exit(main())
