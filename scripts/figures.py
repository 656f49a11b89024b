# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes docs/benchmarks.md from the benchmarks' result files: ``python scripts/figures.py > docs/benchmarks.md``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import figures_of_rooms

REST = (
    "Both in onnxruntime, interleaved, each call after a rest of 20 ms (one runtime's waiting threads spin for a "
    "while); medians."
)
PROOFS = (
    "Each work is compiled from its ONNX file, and proved and verified in a process of its own, warm; medians. The "
    "execution is not counted: it has its own column (onnxruntime, all tensors). Set-up is the commitment to the "
    "weights, made cold, once per model.\n"
)
PEERS = (
    "The same ONNX file and the same input, in turn, in one run. *Prove* and *verify*: what EZKL logs for the work "
    "without reading files, and ours warm. *From files*: EZKL's whole call, which reads its keys; ours in a fresh "
    "process, which reads circuit and input, executes, plans and commits to the weights. EZKL is calibrated by itself "
    "for the smallest use of resources, with public input and output and parameters fixed in its key. The statements "
    "are close, not equal: EZKL's proof is a few kB and hides the activations, under a reference string whose maker "
    "can forge proofs (here made on the spot, for a test); ours needs none, is larger, and hides nothing. EZKL's "
    "package states no licence: it runs as an outside program, and nothing of it is in this project.\n"
)
BUSY = 0.75
"""Load average per core from which a run is marked as disturbed."""
PHASES = ("witness", "commit", "lookups", "products", "layers", "claims", "inner product", "open", "weights")
TIMES = ("prove_s", "verify_s", "prove_files_s", "verify_files_s")
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _times(factor: float) -> str:
    return f"{factor:.3g}" if factor < 100 else f"{factor:,.0f}"


def _where(result: dict[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    flags = ", ".join(machine["flags"]) or "no vector flags"
    packages = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    busy = machine["load_average"] > BUSY * machine["cores"]
    return (
        f"`{result['command']}`, {result['measured_at']}, {machine['processor']} ({machine['cores']} cores; {flags}), "
        f"load average {machine['load_average']:.1f}, {machine['system']}, Python {machine['python']}; {packages}.\n"
        + ("\n**The machine was busy with other work during this run: times are too long.**\n" if busy else "")
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


def proof_section(result: dict[str, Any]) -> str:
    """Works, batches, profile, goals."""
    found = result["results"]
    works, cases = found["works"], found["cases"]
    order = sorted(cases, key=lambda of: (_size(works[cases[of]["work"]]), cases[of]["mode"] == "committed"))
    goals = {(goal["of"], goal["figure"]): goal["goal"] for goal in found["goals"]}
    lines = [
        "## Proofs\n",
        _where(result),
        PROOFS,
        "| work, weights | prove | goal | verify | goal | proof bytes | bits | peak MiB | set-up | execution |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for of in order:
        case = cases[of]
        if "failed" in case:
            lines.append(f"| {of} | none: {case['failed']} | | | | | | | | |")
            continue
        lines.append(
            f"| {of} | {_milliseconds(case['prove_s']['median_s'])} | {_limit(goals.get((of, 'prove_s')))} "
            f"| {_milliseconds(case['verify_s']['median_s'])} | {_limit(goals.get((of, 'verify_s')))} "
            f"| {case['proof_bytes']} | {case['soundness_bits']:.1f} | {case['peak_mb']} "
            f"| {_milliseconds(case['set_up_s']) if case['set_up_s'] is not None else ''} "
            f"| {_milliseconds(works[case['work']]['execute_s']['median_s'])} |"
        )
    fresh = found["fresh_process"]
    wall = _milliseconds(fresh["wall_s"]["median_s"])
    lines += [
        f"\n`affidavit prove`, {fresh['work']}, from a process's start to its exit, proving twice: {wall}.\n",
        "### Batches against the float model\n",
        "One proof of the batch, and onnxruntime on the float model and the same batch, in turn.\n",
        "| work, weights | prove | float model | ratio | goal |",
        "|---|---|---|---|---|",
        *(
            f"| {of} | {_milliseconds(cases[of]['prove_s']['median_s'])} "
            f"| {_milliseconds(cases[of]['float_s']['median_s'])} | {_times(cases[of]['float_ratio'])} "
            f"| {goals[of, 'float_ratio']} |"
            for of in order
            if "float_ratio" in cases[of]
        ),
        "\n### Where the time goes\n",
        *_phases({of: cases[of] for of in order if "failed" not in cases[of]}),
        "\n### Goals\n",
        *_goals(found["goals"]),
    ]
    return "\n".join(lines) + "\n"


def _size(work: dict[str, Any]) -> tuple[int, int]:
    return work["batch"], work["multiplications"]


def _limit(goal: str | None) -> str:
    """A goal in seconds, "< 0.04", as it is read."""
    return "" if goal is None else f"< {_milliseconds(float(goal.removeprefix('< ')))}"


def _phases(cases: dict[str, Any]) -> list[str]:
    seen_anywhere = {phase for case in cases.values() for phase in case["phases_median_s"]}
    names = [*PHASES, *sorted(seen_anywhere - {*PHASES, "execute", "plan"})]
    lines = [f"| milliseconds | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for of, case in cases.items():
        seen = case["phases_median_s"]
        lines.append(f"| {of} | " + " | ".join(f"{1000 * seen[p]:.3g}" if p in seen else "" for p in names) + " |")
    return lines


def _goals(goals: list[dict[str, Any]]) -> list[str]:
    """How many are met, and each that is not, with by how much."""
    missed = [goal for goal in goals if not goal["met"]]
    lines = [f"{len(goals) - len(missed)} of {len(goals)} are met{'. Missed:' if missed else '.'}\n"]
    for goal in missed:
        measured = "not measured" if goal["measured"] is None else f"measured {goal['measured']:.4g}"
        factor = f", by a factor of {_times(goal['missed_by'])}" if goal["missed_by"] else ""
        lines.append(f"- {goal['of']}: `{goal['figure']}` {goal['goal']}, {measured}{factor}")
    return lines


def peer_section(result: dict[str, Any]) -> str:
    """EZKL and this project; a peer that is missing or failed, with the reason."""
    found = result["results"]
    peer = found["peer"]
    lines = ["## Against EZKL\n", _where(result), PEERS]
    if "missing" in peer:
        return "\n".join([*lines, f"EZKL could not be installed: {peer['missing']}\n"])
    lines += [
        f"EZKL {peer.get('version', '')}; times are medians.\n",
        "| work | | prove | verify | prove, from files | verify, from files | proof bytes | peak MiB | set-up |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, work in sorted(found["works"].items(), key=lambda item: _size(item[1]["work"])):
        sides = {"EZKL": work["ezkl"], "held": work["held"], "committed": work["committed"]}
        for side, case in sides.items():
            if "failed" in case:
                lines.append(f"| {name} | {side} | none: {case['failed']} | | | | | | |")
                continue
            times = " | ".join(_milliseconds(case[key]["median_s"]) if case[key] else "" for key in TIMES)
            set_up = "" if case["set_up_s"] is None else _milliseconds(case["set_up_s"])
            lines.append(f"| {name} | {side} | {times} | {case['proof_bytes']} | {case['peak_mb']} | {set_up} |")
    lines += [
        "\nHow many times longer EZKL takes:\n",
        "| work, weights | prove | verify | prove, from files | verify, from files |",
        "|---|---|---|---|---|",
    ]
    for name, work in sorted(found["works"].items(), key=lambda item: _size(item[1]["work"])):
        for mode, ratios in sorted(work["ratios"].items(), reverse=True):  # held before committed
            shown = (ratios[key.removesuffix("_s") + "_ratio"] for key in TIMES)
            lines.append(f"| {name}, {mode} | " + " | ".join("" if r is None else _times(r) for r in shown) + " |")
    lines += [""]
    for name, work in found["works"].items():
        differences = work["agreement"]["largest_difference"].items()
        told = ", ".join(f"{who} by at most {difference:.2g}" for who, difference in sorted(differences))
        lines.append(
            f"- {name}: outputs differ from the float model's, which span "
            f"{max(work['agreement']['float']) - min(work['agreement']['float']):.3g}: {told}"
        )
    return "\n".join([*lines, "\n### Goals against EZKL\n", *_goals(found["goals"])]) + "\n"


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
        "# Figures\n\nWritten by `scripts/figures.py` from `benchmarks/results/`, which `make bench` and "
        "`make bench-peers` write. Each table says where and when; the files hold the spreads. A goal that is "
        "missed is listed as missed.\n"
    )
    parts = [
        _inference(_load("inference")),
        proof_section(_load("proofs")),
        peer_section(_load("peers")),
        _verification(_load("verification")),
    ]
    parts += [_section(name, make) for name, make in ROOMS.items()]
    return "\n".join([head, *parts])


ROOMS = {
    "appraisals": figures_of_rooms.appraisals,
    "fhe": figures_of_rooms.encrypted,
    "fhe_hostile": figures_of_rooms.hostile,
    "mutations": figures_of_rooms.mutations,
    "evidence_fuzz": figures_of_rooms.evidence,
    "cheating": figures_of_rooms.cheating,
}
"""Result file to the lines of its section; the first of them is its heading."""


def _section(name: str, make: Callable[[dict[str, Any]], list[str]]) -> str:
    result = _load(name)
    heading, *rest = make(result["results"])
    return "\n".join([heading, _where(result), *rest]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
