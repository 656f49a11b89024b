# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes docs/benchmarks.md from the benchmarks' result files: ``python scripts/figures.py > docs/benchmarks.md``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

REST = (
    "Both in onnxruntime, interleaved, each call after a rest of 20 ms (one runtime's waiting threads spin for a "
    "while); medians."
)
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _where(result: dict[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    flags = ", ".join(machine["flags"]) or "no vector flags"
    packages = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return (
        f"`{result['command']}`, {result['measured_at']}, {machine['processor']} ({machine['cores']} cores; {flags}), "
        f"load average {machine['load_average']:.1f}, {machine['system']}, Python {machine['python']}; {packages}.\n"
    )


def _inference(result: dict[str, Any]) -> str:
    lines = [
        "## Integer circuits against their float models\n",
        _where(result),
        f"{REST} Goal: a ratio of at most {result['results']['goal_ratio']}.\n",
        "| model | threads | batch | float | integer | ratio | with checks | with the whole trace |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in result["results"]["models"].items():
        lines += [
            f"| {name} | {run['threads']} | {run['batch']} | {_milliseconds(run['float']['median_s'])} "
            f"| {_milliseconds(run['integer']['median_s'])} | {run['ratio']:.2f} "
            f"| {_milliseconds(run['checked']['median_s'])} | {_milliseconds(run['trace']['median_s'])} |"
            for run in entry["runs"]
        ]
    return "\n".join(lines) + "\n"


def _proofs(result: dict[str, Any]) -> str:
    lines = [
        "## Proofs\n",
        _where(result),
        "Warm; the execution itself is not counted. Single samples and batches of 64; medians.\n",
        "| work, weights | prove | verify | bytes | bits |",
        "|---|---|---|---|---|",
    ]
    for name, case in sorted(result["results"].items()):
        lines.append(
            f"| {name} | {_milliseconds(case['prove_s']['median'])} | {_milliseconds(case['verify_s']['median'])} "
            f"| {case['proof_bytes']} | {case['soundness_bits']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _verification(result: dict[str, Any]) -> str:
    found = result["results"]
    names = {
        "make": "run, quote, commit, sign",
        "verify_rechecked": "verify, recomputing everything",
        "verify_without_recomputing": "verify signature and evidence alone",
    }
    lines = [
        "## An affidavit of LeNet-5\n",
        _where(result),
        f"Evidence {found['evidence']}, {found['affidavit_bytes']} bytes, no proof; medians.\n",
        "| step | time |",
        "|---|---|",
        *(f"| {label} | {_milliseconds(found[key]['median_s'])} |" for key, label in names.items()),
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page."""
    head = (
        "# Figures\n\nWritten by `scripts/figures.py` from `benchmarks/results/`, which `make bench` writes. "
        "Each table says where and when; the files hold spreads and phases.\n"
    )
    parts = [_inference(_load("inference")), _proofs(_load("proofs")), _verification(_load("verification"))]
    return "\n".join([head, *parts])


if __name__ == "__main__":
    sys.stdout.write(page())
