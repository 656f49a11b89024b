# SPDX-License-Identifier: AGPL-3.0-or-later
"""From typed errors to one line, a remedy and an exit code. No traceback ever reaches a user for a known fault."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from affidavit.cli.terminal import Console, escape
from verifier.verdict import Verdict

_VERDICTS = {
    "MalformedError": Verdict.MALFORMED,
    "RejectedError": Verdict.REJECT,
    "UnsupportedError": Verdict.UNVERIFIABLE,
    "OperationalError": Verdict.ERROR,
}

_NOTHING: Mapping[str, Any] = MappingProxyType({"status": "none", "checks": [], "claims": {}, "score": 0, "ear": None})
UNDECIDED: Mapping[str, Mapping[str, Any]] = MappingProxyType({"appraise": _NOTHING, "attest": _NOTHING})
"""Per command, what its JSON has beside the verdict: who reads it finds the same keys where nothing was decided."""


def verdict_of(error: BaseException) -> Verdict | None:
    """The verdict that an error of any room stands for; ``None`` for one that is not ours.

    Every room names its errors alike (architecture: MalformedError, RejectedError, UnsupportedError,
    OperationalError) and gives them a code, so the front door needs no list of rooms.
    """
    if not isinstance(getattr(error, "code", None), str):
        return None
    for base in type(error).__mro__:
        if base.__name__ in _VERDICTS:
            return _VERDICTS[base.__name__]
    return None


def print_error(console: Console, error: Any, *, as_json: bool, command: str = "") -> None:
    """One line with the code, one with the remedy where there is one; or the same as JSON on standard output.

    The JSON has the keys of the command's own JSON, as `UNDECIDED` has them.
    """
    verdict = verdict_of(error) or Verdict.ERROR
    remedy = error.remedy or _remedy(error.code, verdict)
    if as_json:
        console.print_json(
            data={
                "verdict": verdict.value,
                "exit_code": verdict.exit_code,
                "code": error.code,
                "message": error.message,
                "remedy": remedy,
                **UNDECIDED.get(command, {}),
            }
        )
        return
    console.print(f"[bold red]error[/] [bold]{escape(error.code)}[/]: {escape(error.message)}", highlight=False)
    if remedy:
        console.print(f"  [dim]what to do:[/] {escape(remedy)}", highlight=False)


def _remedy(code: str, verdict: Verdict) -> str:
    """What helps where whoever raised it did not say: as for a verdict of the same code."""
    from verifier.appraisal.remedies import UNREADABLE, remedy_for

    unreadable = code.startswith("evidence.") and verdict is Verdict.MALFORMED
    return remedy_for(code) or (UNREADABLE if unreadable else "")
