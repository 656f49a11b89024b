# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tree of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from affidavit.cli import ear as ear_commands
from affidavit.cli import fetching as collateral_commands
from affidavit.cli import fhe as fhe_commands
from affidavit.cli import node as node_commands
from affidavit.cli import policy as policy_commands
from affidavit.cli import service as service_commands
from affidavit.cli.appraise import appraise_command
from affidavit.cli.attest import attest_command
from affidavit.cli.commitment import commitment_command
from affidavit.cli.compile import compile_command
from affidavit.cli.demo import demo_command
from affidavit.cli.prove import prove_command, verify_proof_command
from affidavit.cli.recheck import recheck_command
from affidavit.cli.run import run_command
from affidavit.cli.verify import inspect_command, verify_command

app = typer.Typer(
    help="AI answers as sworn testimony: one file per inference that anyone can check later, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"affidavit {version('affidavit')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """AI answers as sworn testimony: one file per inference that anyone can check later, offline."""


app.command("demo")(demo_command)
app.command("compile")(compile_command)
app.command("run")(run_command)
app.command("verify")(verify_command)
app.command("inspect")(inspect_command)
app.command("recheck")(recheck_command)
app.command("appraise")(appraise_command)
app.command("attest")(attest_command)
app.command("prove")(prove_command)
app.command("verify-proof")(verify_proof_command)
app.command("commitment")(commitment_command)
app.add_typer(collateral_commands.app, name="collateral")
app.add_typer(ear_commands.app, name="ear")
app.add_typer(policy_commands.app, name="policy")
app.add_typer(node_commands.app, name="node")
app.add_typer(fhe_commands.app, name="fhe")
app.add_typer(service_commands.app, name="verifier")
