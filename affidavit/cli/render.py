# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from affidavit.cli.terminal import escape
from verifier.codes import explain
from verifier.verdict import Check, Verdict
from verifier.verify import Result

COLOURS = {"PASS": "green", "FAIL": "bold red", "SKIP": "yellow"}
VERDICT_COLOURS = {
    Verdict.ACCEPT: "bold green",
    Verdict.REJECT: "bold red",
    Verdict.UNVERIFIABLE: "bold yellow",
    Verdict.MALFORMED: "bold magenta",
    Verdict.ERROR: "bold red",
}


def counted(number: int, noun: str) -> str:
    """So many of them: "1 gate", "2 gates"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def quality_lines(quality: Mapping[str, Any]) -> list[str]:
    """What the compiler measured, one line per output, from a circuit's ``quality``."""
    if not quality:
        return ["quality: not measured"]
    if "outputs" not in quality:
        return [f"quality: not measured, all {quality['refused']} samples were outside the accepted range"]
    lines = []
    for name, found in quality["outputs"].items():
        parts = []
        if "top1_of" in found:
            parts.append(f"same class as the float model on {found['top1_agree']} of {found['top1_of']} samples")
        labels = {
            "worst_error": "worst error",
            "worst_logit_error": "worst logit error",
            "worst_probability_error": "worst probability error",
        }
        parts += [f"{label} {found[key]}" for key, label in labels.items() if key in found]
        if "largest_value" in found:
            parts[-1] += f" (largest value {found['largest_value']})"
        lines.append(f"{name}: {', '.join(parts)} ({quality['set']} set)")
    if "labelled" in quality:
        right, of = quality["correct"], quality["labelled"]
        lines.append(f"accuracy {100 * right / of:.2f} %: {right} of {of} labelled samples ({quality['set']} set)")
    if quality.get("refused"):
        lines.append(f"{quality['refused']} samples were outside the accepted range")
    return lines


def print_check(console: Console, check: Check) -> None:
    """One line: result, what was asked, what was seen, what was required."""
    colour = COLOURS[check.outcome.value]
    line = f"  [{colour}]{check.outcome.value}[/] {escape(check.id)}: {escape(check.observed)}"
    line += f" [dim](required: {escape(check.required)})[/]"
    if check.code:
        line += f" [{colour}]{escape(check.code)}[/]"
    console.print(line, highlight=False, soft_wrap=True)


def print_verdict(console: Console, result: Result) -> None:
    """The last line: verdict with its code and one sentence."""
    colour = VERDICT_COLOURS[result.verdict]
    code = f"({result.code})" if result.code else ""
    console.print(
        f"[{colour}]{result.verdict.value}[/]{escape(code)} {escape(result.message)}",
        highlight=False,
        soft_wrap=True,
    )
    if result.remedy and result.verdict is not Verdict.ACCEPT:
        console.print(f"  [dim]what to do:[/] {escape(result.remedy)}", highlight=False, soft_wrap=True)


def print_result(console: Console, result: Result, *, explained: bool = False) -> None:
    """Every check, the ledger, the score, the verdict; with ``explained`` also why and what to do, per line."""
    for check in result.checks:
        print_check(console, check)
        if explained and check.code:
            console.print(f"       [dim]{escape(explain(check.code))}[/]", highlight=False, soft_wrap=True)
            if check.remedy:
                console.print(f"       [dim]what to do: {escape(check.remedy)}[/]", highlight=False, soft_wrap=True)
    if result.checks:
        reached = [layer.name for layer in result.ledger.layers if layer.reached]
        console.print(
            f"  assurance: {', '.join(reached) or 'none'}; integrity score {result.score.permille / 1000:.3f}",
            highlight=False,
        )
    if explained and result.checks:
        print_explanation(console, result)
    print_verdict(console, result)


def print_explanation(console: Console, result: Result) -> None:
    """Components of the score, and the assurance of each gate."""
    table = Table("component", "weight", "passed", "points", title="integrity score", title_justify="left")
    for part in result.score.components:
        table.add_row(part.name, str(part.weight), f"{part.passed}/{part.total}", f"{part.points / 1000:.3f}")
    console.print(table)
    if result.ledger.gates:
        gates = Table("gate", "kind", "assurance", title="ledger", title_justify="left")
        for gate in result.ledger.gates:
            gates.add_row(escape(gate.name), gate.kind, gate.assurance)
        console.print(gates)
