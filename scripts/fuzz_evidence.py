# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile inputs against every parser of evidence: `make fuzz-evidence`, or `python scripts/fuzz_evidence.py`.

Each case is a function of parser, seed and number, and of the evidence on paper that is made at the first run and kept
beside the state, under `fuzz-output/evidence/`. A run that was cut off goes on where it was; parsers take turns from
the quickest to the slowest, then whole appraisals, each in a process of its own, `--jobs` of them at once (times are of
the processor). The result goes to `benchmarks/results/evidence_fuzz.json` after each parser. Exit code 1 if a mutant
was accepted, an exception had no type, or time or memory passed their bounds; such mutants are kept beside the state.
Parsers that failed begin anew with `--again`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import record  # noqa: E402 - the repository's root is not on the path of a script
from scripts.fuzzed import MAX_GROWTH_MB, MAX_P99_S, MAX_TRACED_BYTES, Tally, summary  # noqa: E402
from tests.attestation.fuzzing import corpus as corpora  # noqa: E402
from tests.attestation.fuzzing.catalogue import catalogue  # noqa: E402
from tests.attestation.fuzzing.target import Target  # noqa: E402

OUTPUT = ROOT / "fuzz-output" / "evidence"
PREVIEW = 300
"""Cases of each parser that are run first, for an estimate of what it takes."""
SAVE_SECONDS = 10.0


def fuzz(target: Target, tally: Tally, count: int) -> Tally:
    """Run the cases that are left of one parser, in this process."""
    state = _state(target.name)
    tally.warm(target)
    saved = began = time.monotonic()
    first = tally.done
    while tally.done < count:
        tally.case(target, state.with_suffix(""))
        if time.monotonic() - saved > SAVE_SECONDS:
            tally.save(state)
            saved = time.monotonic()
            rate = (tally.done - first) / (saved - began)
            print(f"  {target.name}: {tally.done} of {count}, {rate:.0f} a second", flush=True)
    tally.save(state)
    return tally


def _state(name: str) -> Path:
    return OUTPUT / f"{name.replace(' ', '-').replace(',', '')}.json"


def _write(tallies: dict[str, Tally], machine: dict[str, Any], identity: dict[str, Any], count: int) -> Path:
    begun = {name: summary(tally) for name, tally in sorted(tallies.items()) if tally.done}
    result = {
        **identity,
        "inputs_each": count,
        "parsers": begun,
        "to_do": sorted(name for name, tally in tallies.items() if tally.done < count),
        "bounds": {
            "p99_ms": MAX_P99_S * 1e3,
            "rss_growth_mb": MAX_GROWTH_MB,
            "call_bytes": MAX_TRACED_BYTES,
        },
    }
    command = f"python scripts/fuzz_evidence.py --count {count} --seed {identity['seed']}"
    return record.write("evidence_fuzz", machine, result, command=command)


def main() -> int:
    """Run what is left; return the exit code."""
    parser = argparse.ArgumentParser(description="Hostile inputs against every parser of evidence.")
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs for each parser, all runs together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-k", dest="expression", default="", help="only parsers whose name contains this")
    parser.add_argument("--jobs", type=int, default=1, help="parsers at once, each on a core of its own")
    parser.add_argument("--again", action="store_true", help="begin parsers that failed anew")
    parser.add_argument("--report", action="store_true", help="run nothing; write the result of what is done")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    corpus = corpora.kept(OUTPUT / "corpus.json")
    targets = {name: found for name, found in catalogue(corpus).items() if options.expression in name}
    identity = {"seed": options.seed, "corpus": corpora.digest(corpus)}
    warnings.simplefilter("error")
    if options.one:
        fuzz(targets[options.one], Tally.load(_state(options.one), identity), options.count)
        return 0
    machine = record.machine()
    if options.again:
        for name in targets:
            if Tally.load(_state(name), identity).failures:
                _state(name).unlink()

    def tallies() -> dict[str, Tally]:
        return {name: Tally.load(_state(name), identity) for name in targets}

    def run(name: str, count: int) -> tuple[str, int]:
        print(f"{name}: up to {count}", flush=True)
        command = [sys.executable, __file__, "--one", name, "--count", str(count), "--seed", str(options.seed)]
        return name, subprocess.run(command, cwd=ROOT, check=False).returncode

    for count in () if options.report else (min(PREVIEW, options.count), options.count):
        order = sorted(tallies().items(), key=lambda item: (item[0].startswith("appraise "), item[1].seconds_each))
        left = [name for name, tally in order if tally.done < count]
        with ThreadPoolExecutor(options.jobs) as pool:
            runs = [pool.submit(run, name, count) for name in left]
            for number, finished in enumerate(as_completed(runs), len(order) - len(left) + 1):
                name, code = finished.result()
                if code != 0:
                    pool.shutdown(wait=False, cancel_futures=True)
                    print(f"{name}: the process of this parser failed")
                    return 1
                line = Tally.load(_state(name), identity).line()
                print(f"[{number}/{len(order)}] {name}: {json.dumps(line)}", flush=True)
                if count == options.count and not options.expression:
                    _write(tallies(), machine, identity, count)
    found = tallies()
    if options.expression:
        return 1 if any(tally.faults() for tally in found.values()) else 0
    path = _write(found, machine, identity, options.count)
    failed = {name: tally.faults() for name, tally in found.items() if tally.faults()}
    print(f"{len(found)} parsers, {len(failed)} failed: {path.relative_to(ROOT)}")
    for name, faults in failed.items():
        print(f"  {name}: {'; '.join(faults[:5])}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
