# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit appraise``: evidence in the raw form in which its source gives it, judged offline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from affidavit.cli import files
from affidavit.cli.collateral import Folder, read_folder
from affidavit.cli.render_appraisal import document, print_judgement
from affidavit.cli.verify import JsonOption
from attestation.collateral import EMPTY
from attestation.contract import MAX_CHALLENGE, Format
from attestation.errors import MalformedError as MalformedEvidence
from attestation.formats import FORMATS, find_format
from attestation.raw import MAX_RAW
from verifier.appraisal import Judgement, judge
from verifier.appraisal.trust import MAX_REFERENCE, read_reference
from verifier.errors import MalformedError
from verifier.policy import Policy, profile_policy
from verifier.verdict import Verdict

DEFAULT_PROFILE = "home"
_HEX = re.compile(r"(0x)?(?:[0-9a-fA-F]{2})+\Z")


@dataclass(frozen=True)
class Question:
    """What is asked about a piece of evidence, as the options say it."""

    challenge: bytes | None
    at: datetime
    policy: Policy
    folder: Folder | None
    reference: dict[str, Any] | None


def appraise_command(
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Short name or type id, as snp or tpm2-quote@v1.")
    ],
    evidence: Annotated[
        Path, typer.Option("--evidence", metavar="FILE", help="The evidence: binary, hex, base64, JSON.")
    ],
    collateral: Annotated[
        Path | None, typer.Option("--collateral", metavar="DIR", help="Certificates, CRLs, logs, TCB information.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="Reference values (TOML or JSON).")
    ] = None,
    nonce: Annotated[str | None, typer.Option("--nonce", metavar="HEX", help="The challenge, 1 to 64 bytes.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Time of the question, RFC 3339. Default: now.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help=f"policy@v1. Default: profile {DEFAULT_PROFILE}.")
    ] = None,
    as_json: JsonOption = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each code means, and the score's parts.")
    ] = False,
) -> None:
    """Appraise a machine's evidence. Offline.

    Exit codes: 0 ACCEPT, 10 REJECT, 20 UNVERIFIABLE, 30 MALFORMED, 1 our own fault.
    """
    scheme = resolve(type_)
    question = Question(
        parse_nonce(nonce),
        files.parse_time(at),
        profile_policy(DEFAULT_PROFILE) if policy is None else files.read_policy(policy),
        read_folder(collateral) if collateral else None,
        read_reference(files.read_bytes(reference, limit=MAX_REFERENCE)) if reference else None,
    )
    found = appraise_file(scheme, files.read_bytes(evidence, limit=MAX_RAW), question)
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(data=document(found, question.policy, question.challenge, question.folder))
    else:
        print_judgement(console, found, question.policy, question.folder, explained=explain)
    raise typer.Exit(found.verdict.exit_code)


def resolve(name: str) -> Format:
    """A format by its short name or its type id.

    Raises:
        attestation.errors.UnsupportedError: ``evidence.type-unknown``.
    """
    return next((scheme for scheme in FORMATS.values() if scheme.name == name), None) or find_format(name)


def parse_nonce(text: str | None) -> bytes | None:
    """A challenge of 1 to 64 bytes from hex; raises MalformedError ``option.malformed``."""
    if text is None:
        return None
    if not _HEX.match(text) or len(text.removeprefix("0x")) > 2 * MAX_CHALLENGE:
        raise MalformedError(
            "option.malformed", f"--nonce: expected 1 to {MAX_CHALLENGE} bytes in hex, found {text[:80]!r}"
        )
    return bytes.fromhex(text.removeprefix("0x"))


def appraise_file(scheme: Format, data: bytes, question: Question) -> Judgement:
    """Read the raw file and judge what is in it."""
    try:
        members = scheme.read(data)
    except MalformedEvidence as error:
        return Judgement(scheme.type, Verdict.MALFORMED, error.code, error.message, question.at, error.remedy)
    return judge(
        scheme.type,
        members,
        challenge=question.challenge,
        at=question.at,
        policy=question.policy,
        collateral=question.folder.collateral if question.folder else EMPTY,
        reference=question.reference,
    )
