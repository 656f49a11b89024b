# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzz every parser: `make fuzz`, or `python scripts/fuzz.py --seconds 60 -k circuit`.

A target is any hypothesis test marked `fuzz` that takes no fixture. `make test` runs each on a few examples.
Here each gets a process of its own for the given time: guided by coverage through atheris where that is
installed (`pip install --require-hashes -r requirements/fuzz.txt`), by hypothesis's own search elsewhere.
A target stops at its first failure, which hypothesis prints shrunk; inputs found by atheris stay under
`fuzz-output/`. Exit code 1 if any target failed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "fuzz-output"
ROOMS = ("affidavit", "attestation", "circuits", "fhe", "node", "prover", "verifier")


def targets(expression: str) -> list[str]:
    """Return the node ids of the fuzz tests, e.g. tests/circuits/test_container.py::test_hostile_bytes."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-m", "fuzz", "-k", expression]
    # The project's own options ask for less output than the list of names.
    command += ["-o", "addopts=--import-mode=importlib", "-q"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 5):  # 5: nothing collected
        raise SystemExit(result.stdout + result.stderr)
    return sorted({line.partition("[")[0] for line in result.stdout.splitlines() if "::" in line})


def run_hypothesis(target: str, seconds: int) -> bool:
    """Let hypothesis search until the time is over; return whether nothing failed."""
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "fuzz"}
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", target]
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, timeout=seconds, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return True


def run_atheris(target: str, seconds: int) -> bool:
    """Let atheris search for the given time; return whether nothing failed."""
    folder = OUTPUT / target.replace("/", ".").replace("::", ".")
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--atheris", target, f"-max_total_time={seconds}", "-verbosity=0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command += [f"-artifact_prefix={folder}/", str(folder)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def atheris_process(target: str, options: list[str]) -> None:
    """Become the fuzzing process of one target; never returns."""
    import atheris

    path, _, name = target.partition("::")
    module = path.removesuffix(".py").replace("/", ".")
    with atheris.instrument_imports(include=list(ROOMS)):
        test = getattr(importlib.import_module(module), name)
    atheris.Setup([__file__, *options], test.hypothesis.fuzz_one_input)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the chosen targets one after another; return the exit code."""
    if sys.argv[1:2] == ["--atheris"]:
        atheris_process(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description="Fuzz every parser.")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("-k", dest="expression", default="", help="only the targets that match, as in pytest")
    options = parser.parse_args()

    guided = importlib.util.find_spec("atheris") is not None
    chosen = targets(options.expression)
    if not chosen:
        print("no test is marked `fuzz`")
        return 1
    how = "atheris" if guided else "hypothesis (atheris is not installed)"
    print(f"{len(chosen)} targets, {options.seconds} s each, {how}", flush=True)
    run = run_atheris if guided else run_hypothesis
    failed = []
    for number, target in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {target}", flush=True)
        if not run(target, options.seconds):
            failed.append(target)
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    for target in failed:
        print(f"  {target}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
