# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sections of docs/benchmarks.md: appraisals and hostile evidence, encrypted execution, mutated proofs, cheats."""

from __future__ import annotations

from typing import Any

APPRAISALS_GOAL = 500


def appraisals(found: dict[str, Any]) -> list[str]:
    """Processor time on one core, warm; the goal of 500 a second is for SNP and TDX."""
    lines = [
        "## Appraisals of evidence\n",
        (
            "Processor time on one core, warm, ten in a row before the next has its turn; goal: "
            f"{APPRAISALS_GOAL} a second for SNP and TDX.\n"
        ),
        "| evidence | a second | median | 99 % | goal |",
        "|---|---|---|---|---|",
    ]
    for name, entry in found.items():
        promised = name.startswith(("snp", "azure-snp", "tdx"))
        goal = "" if not promised else "met" if entry["per_second"] >= APPRAISALS_GOAL else "missed"
        lines.append(
            f"| {name} | {entry['per_second']:.0f} | {entry['median_ms']:.2f} ms | {entry['p99_ms']:.2f} ms | {goal} |"
        )
    return lines


def encrypted(found: dict[str, Any]) -> list[str]:
    """Against TenSEAL's own `mm` and im2col, interleaved, processor time, one thread."""
    lines = [
        "## Encrypted execution\n",
        (
            "Processor time of the node against TenSEAL's own `mm` and im2col, interleaved, one "
            "thread, the same security "
            "level; errors are relative, pairs are ours / TenSEAL. In `lin8` ciphertexts travel "
            "transformed, so that the "
            "node needs no transform for one layer and the client does them.\n"
        ),
        "| work | preset, packing | ours | TenSEAL | ratio (least to most) | goal | errors | Galois keys | floor |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in found.items():
        if "ratio" not in entry:
            continue
        ratio, ours, theirs = entry["ratio"], entry["ours"], entry["tenseal"]
        verdict = "met" if ratio["median"] >= entry["goal"] else "missed"
        lines.append(
            f"| {name} | {ours['preset']}, {ours['packing']} "
            f"| {entry['ours_s'] * 1e3:.3g} ms | {entry['tenseal_s'] * 1e3:,.0f} ms "
            f"| {ratio['median']:,.0f} ({ratio['least']:,.0f} to {ratio['most']:,.0f}) | {entry['goal']:,} {verdict} "
            f"| {entry['ours_relative_error']:.1e} / {entry['tenseal_relative_error']:.1e} "
            f"| {ours.get('galois_key_bytes', 0) / 1e6:.1f} / {theirs.get('galois_key_bytes', 0) / 1e6:.1f} MB "
            f"| {_floor(entry)} |"
        )
    if any("floor" in entry for entry in found.values()):
        lines.append(
            "\nFloor: the largest of what the run's transforms, the bytes that it must touch (request, answer, keys, "
            "encoded weights, at the rate of a copy) and its matrix products take on the same machine by themselves; "
            "in brackets how many times longer the run takes."
        )
    return lines


def _floor(entry: dict[str, Any]) -> str:
    """What bounds a row, and its distance."""
    floor = entry.get("floor")
    if floor is None:
        return "not measured"
    return f"{floor['bound']}, {floor['seconds'][floor['bound']] * 1e3:.3g} ms ({floor['distance']:.1f}x)"


def hostile(found: dict[str, Any]) -> list[str]:
    """Mutated requests and keys against the sandboxed workers."""
    share = "half" if found["tenseal"] else "none"
    lines = [
        "## Hostile ciphertexts and keys\n",
        (
            f"{found['mutants']:,} mutants (seed {found['seed']}) of requests and keys, {share} of them "
            f"TenSEAL's, against a pool of sandboxed workers: {found['crashes']} crashes or errors without a code, "
            f"{found['worker_deaths']} workers that died or were stopped; the node's process grew by "
            f"{found['memory_growth_mib']} MiB, the largest worker had {found['largest_worker_mib']} MiB.\n"
        ),
        "| outcome | times |",
        "|---|---|",
    ]
    return lines + [f"| `{code}` | {times:,} |" for code, times in found["outcomes"].items()]


def mutations(found: dict[str, Any]) -> list[str]:
    """Mutated proofs against the verifier."""
    cpu, memory = found["cpu_s"], found["memory"]
    return [
        "## Mutated proofs\n",
        (
            f"{found['mutants']:,} mutated proofs over circuits with every kind of gate, held and committed: "
            f"{found['accepted']} accepted, {len(found['failures'])} outcomes that were not typed. "
            f"Processor time of one: "
            f"99 % below {cpu['p99'] * 1e3:.1f} ms, longest {cpu['max'] * 1e3:.0f} ms (bound "
            f"{cpu['bound'] * 1e3:.0f} ms); "
            f"largest allocation {memory['largest_call_bytes'] / 1e3:.0f} kB."
        ),
    ]


def evidence(found: dict[str, Any]) -> list[str]:
    """Hostile inputs to parsers of evidence."""
    parsers, bounds = found["parsers"], found["bounds"]
    total = sum(entry["inputs"] for entry in parsers.values())
    faults = sum(bool(entry["faults"]) for entry in parsers.values())
    left = f"{', '.join(found['to_do'])} have fewer so far" if found["to_do"] else "all have them"
    goal = f" Goal: {found['inputs_each']:,} each; {left}."
    lines = [
        "## Hostile evidence\n",
        (
            f"{total:,} mutants of real evidence, and of evidence on paper, over {len(parsers)} parsers and whole "
            f"appraisals: {sum(entry['accepted'] for entry in parsers.values())} accepted, "
            f"{sum(entry['untyped'] for entry in parsers.values())} outcomes that were not typed; {faults} parsers "
            "beyond a bound. *The same*: inputs in which the mutation changed nothing, and mutants that say what the "
            "original says, bound to the same bytes: a change of armour, of what no register holds a hash of, of "
            "collateral that is not relied upon. Processor time; "
            f"bound of the 99 %: {bounds['p99_ms']:.0f} ms; of the process's growth: {bounds['rss_growth_mb']:.0f} MB; "
            f"of one call's allocations: {bounds['call_bytes'] / 1e6:.0f} MB.{goal}\n"
        ),
        "| parser | inputs | accepted | untyped | the same | codes | 50 % | 99 % | longest | growth | largest call |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in parsers.items():
        cpu, memory = entry["cpu_ms"], entry["memory"]
        lines.append(
            f"| {name} | {entry['inputs']:,} | {entry['accepted']} | {entry['untyped']} "
            f"| {entry['unchanged'] + entry['equivalent']:,} | {entry['codes_seen']} | {cpu['p50']:.3f} ms "
            f"| {cpu['p99']:.2f} ms | {cpu['max']:.0f} ms | {memory['rss_growth_mb']:.0f} MB "
            f"| {memory['largest_call_bytes'] / 1e3:,.0f} kB |"
        )
    return lines


def cheating(found: dict[str, Any]) -> list[str]:
    """Cheating provers at reduced parameters."""
    lines = [
        "## Cheating provers\n",
        (
            "The same code with challenges from sets of 64 to 256 elements, and with one or two "
            "queries: how often a lie "
            "passes, and the terms of the accounting that allow it.\n"
        ),
        "| lie | accepted | expected | bound of its terms |",
        "|---|---|---|---|",
    ]
    for name, entry in found.items():
        lines.append(
            f"| {name} | {entry['accepted']} of {entry['tries']} ({entry['rate']:.4f}) | {entry['rate_expected']:.4f} "
            f"| {entry['bound_of_its_terms']:.4f} |"
        )
    return lines
