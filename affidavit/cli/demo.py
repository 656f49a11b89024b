# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affidavit.cli.terminal import Console
from verifier.verdict import Verdict


def demo_command(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what the demo leaves.")] = Path(
        "demo-output"
    ),
    digit: Annotated[
        int | None, typer.Option("--digit", help="Which of the 100 test images; random by default.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Encrypt the question: the node computes on ciphertexts.")
    ] = False,
) -> None:
    """See the whole of it on this machine: question, answer, affidavit, verdict, and four lies refused."""
    if private:
        from affidavit.demo.private_story import tell_private as tell
    else:
        from affidavit.demo.story import tell

    ending = tell(Console(soft_wrap=True), output, digit)
    raise typer.Exit(0 if ending.as_it_should_be else Verdict.ERROR.exit_code)
