# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appraisals as people read them in a terminal, and as JSON."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from rich.console import Console
from rich.table import Table

from affidavit.cli.collateral import Folder
from affidavit.cli.render import COLOURS, VERDICT_COLOURS
from affidavit.cli.terminal import escape
from attestation.contract import Check
from attestation.ear.claims import DRAFT, Dialect, Ear, to_json
from attestation.ear.tiers import Tier
from verifier.appraisal.ear import policy_name, to_ear
from verifier.appraisal.judgement import Judgement
from verifier.appraisal.report import judgement_json
from verifier.codes import explain
from verifier.policy import Policy
from verifier.verdict import Verdict

_TIER_COLOURS = {
    Tier.AFFIRMING: "bold green",
    Tier.WARNING: "bold yellow",
    Tier.CONTRAINDICATED: "bold red",
    Tier.NONE: "yellow",
}


def build_name() -> str:
    """Name and version of this verifier, for ``ear_verifier_id``."""
    try:
        return f"affidavit {metadata.version('affidavit')}"
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "affidavit"


def ear_of(found: Judgement, policy: Policy, challenge: bytes | None) -> Ear | None:
    """The result to sign or show; ``None`` where the evidence was not understood: nothing can be said of it."""
    if found.verdict in (Verdict.MALFORMED, Verdict.ERROR):
        return None
    return to_ear({found.type: found}, build=build_name(), policy=policy, challenge=challenge)


def document(
    found: Judgement, policy: Policy, challenge: bytes | None, folder: Folder | None, dialect: Dialect = DRAFT
) -> dict[str, Any]:
    """The JSON of one appraisal; ``collateral`` says what was found in the folder."""
    ear = ear_of(found, policy, challenge)
    report = judgement_json(found, policy=policy_name(policy), ear=None if ear is None else to_json(ear, dialect))
    listed = [] if folder is None else [{"file": name, "code": code} for name, code in folder.ignored]
    as_of = None if folder is None or folder.as_of is None else folder.as_of.isoformat()
    found_in = {"items": {} if folder is None else folder.kinds, "ignored": listed, "as_of": as_of}
    return {**report, "collateral": found_in}


def print_judgement(
    console: Console,
    found: Judgement,
    policy: Policy,
    folder: Folder | None,
    *,
    explained: bool = False,
) -> None:
    """Every line, status and score, the verdict; with ``explained`` also the codes' meanings and the score's parts."""
    for check in found.checks:
        _print_check(console, check, explained)
    if folder is not None:
        if folder.as_of is not None:
            console.print(f"  [dim]collateral as of {folder.as_of.isoformat()}[/]", highlight=False)
        for name, code in folder.ignored:
            console.print(f"  [dim]left out of the collateral: {escape(name)} ({code})[/]", highlight=False)
    if found.checks:
        vector = ", ".join(f"{name} {tier.word}" for name, tier in found.vector.items())
        colour = _TIER_COLOURS[found.status]
        console.print(f"  status: [{colour}]{found.status.word}[/] ({vector or 'no category'})", highlight=False)
        why = f" ({found.score.reason})" if found.score.reason else ""
        console.print(
            f"  integrity score {found.score.permille / 1000:.3f}{why}; policy {escape(policy_name(policy))}",
            highlight=False,
        )
    if explained and found.score.components:
        table = Table("component", "weight", "points", "why", title="integrity score", title_justify="left")
        for part in found.score.components:
            table.add_row(part.name, f"{part.weight / 1000:.3f}", f"{part.points / 1000:.3f}", escape(part.reason))
        console.print(table)
    colour, code = VERDICT_COLOURS[found.verdict], f"({found.code})" if found.code else ""
    console.print(f"[{colour}]{found.verdict.value}[/]{escape(code)} {escape(found.message)}", highlight=False)
    if found.remedy and found.verdict is not Verdict.ACCEPT:
        console.print(f"  [dim]what to do:[/] {escape(found.remedy)}", highlight=False)


def _print_check(console: Console, check: Check, explained: bool) -> None:
    colour = COLOURS["SKIP" if check.warning else check.outcome]
    said = " [dim]tolerated[/]" if check.warning else " [dim]open[/]" if _is_open(check) else ""
    line = f"  [{colour}]{check.outcome}[/] {escape(check.id)}: {escape(check.observed)}"
    line += f" [dim](required: {escape(check.required)})[/]{said}"
    console.print(line + (f" [{colour}]{check.code}[/]" if check.code else ""), highlight=False)
    if explained and check.code:
        console.print(f"       [dim]{escape(explain(check.code))}[/]", highlight=False)


def _is_open(check: Check) -> bool:
    return check.outcome == "SKIP" and not check.demanded
