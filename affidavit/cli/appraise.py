# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit appraise``: evidence in the raw form in which its source gives it, judged offline."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from affidavit.cli import files
from affidavit.cli.collateral import Folder, read_collateral
from affidavit.cli.ear import DialectChoice, TokenChoice, shown, signed
from affidavit.cli.render_appraisal import document, ear_of, print_judgement
from affidavit.cli.terminal import Console
from affidavit.cli.verify import JsonOption
from attestation.collateral import EMPTY
from attestation.contract import MAX_CHALLENGE, Format
from attestation.ear.claims import DIALECTS
from attestation.errors import UnsupportedError
from attestation.formats import FORMATS, find_format
from attestation.raw import MAX_RAW
from verifier.appraisal import Judgement, judge_file
from verifier.appraisal.ear import policy_name
from verifier.appraisal.trust import MAX_REFERENCE, read_reference
from verifier.errors import MalformedError
from verifier.policy import Policy, profile_policy

DEFAULT_PROFILE = "home"
_NAMES = ", ".join(sorted(scheme.name for scheme in FORMATS.values()))
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
        str, typer.Option("--type", metavar="TYPE", help=f"One of {_NAMES}; or a type id, as tpm2-quote@v1.")
    ],
    evidence: Annotated[
        Path, typer.Option("--evidence", metavar="FILE", help="The evidence: binary, hex, base64, JSON.")
    ],
    collateral: Annotated[
        Path | None,
        typer.Option("--collateral", metavar="PATH", help="Folder or pack: certificates, CRLs, logs, ..."),
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
    rego: Annotated[
        list[Path] | None,
        typer.Option("--rego", metavar="FILE", help="A Rego policy that may worsen the verdict (repeatable)."),
    ] = None,
    sign_key: Annotated[
        Path | None, typer.Option("--sign-key", metavar="FILE", help="PEM private key: sign the result (EAR).")
    ] = None,
    ear_format: Annotated[TokenChoice, typer.Option("--ear-format", help="Of the signed result.")] = TokenChoice.jwt,
    ear_dialect: Annotated[
        DialectChoice, typer.Option("--ear-dialect", help="draft-ietf-rats-ear-03, or Veraison and Trustee.")
    ] = DialectChoice.draft,
    ear_out: Annotated[
        Path | None, typer.Option("--ear-out", metavar="FILE", help="Where the signed result goes.")
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
    if ear_out is not None and sign_key is None:
        raise MalformedError(
            "option.malformed",
            "--ear-out: only a signed result is written",
            remedy="give --sign-key as well, or take the unsigned one from --json",
        )
    question = Question(
        parse_nonce(nonce),
        files.parse_time(at),
        profile_policy(DEFAULT_PROFILE) if policy is None else files.read_policy(policy),
        read_collateral(collateral) if collateral else None,
        read_reference(files.read_bytes(reference, limit=MAX_REFERENCE)) if reference else None,
    )
    data = files.read_bytes(evidence, limit=MAX_RAW)
    found = appraise_file(scheme, data, question)
    if not found.checks or found.code.endswith("-unsupported"):
        found = replace(found, remedy=_other_type(scheme, data, question) or found.remedy)
    if rego:
        found = with_rego(found, rego, question.policy)
    dialect = DIALECTS[ear_dialect.value]
    token = None
    if sign_key is not None:
        ear = ear_of(found, question.policy, question.challenge)
        token = None if ear is None else signed(ear, sign_key, ear_format, dialect)
    if ear_out is not None and token is not None:
        files.write_bytes(ear_out, token)
    console = Console(soft_wrap=True)
    if as_json:
        report = document(found, question.policy, question.challenge, question.folder, dialect)
        console.print_json(data={**report, "ear_token": None if token is None else shown(token, ear_format)})
    else:
        print_judgement(console, found, question.policy, question.folder, explained=explain)
        if token is not None and ear_out is None:
            console.print(shown(token, ear_format), highlight=False)
    raise typer.Exit(found.verdict.exit_code)


def with_rego(found: Judgement, paths: list[Path], policy: Policy) -> Judgement:
    """The judgement, worsened where a Rego policy says so; raises ``policy.rego.*``."""
    from verifier.service.rego import MAX_SOURCE, apply_rego, load_rego

    loaded = [load_rego(files.read_bytes(path, limit=MAX_SOURCE), path.name) for path in paths]
    for rego in loaded:
        found = apply_rego(found, rego, policy_name(policy))
    return found


def resolve(name: str) -> Format:
    """A format by its short name or its type id.

    Raises:
        attestation.errors.UnsupportedError: ``evidence.type-unknown``.
    """
    if name == "ear":
        raise UnsupportedError(
            "evidence.type-unknown",
            "an attestation result is somebody's verdict, not evidence",
            remedy="affidavit ear verify FILE --key KEY",
        )
    scheme = next((scheme for scheme in FORMATS.values() if scheme.name == name), None)
    if scheme is None and "@" not in name:
        raise UnsupportedError(
            "evidence.type-unknown", f"no evidence is called {name[:64]!r}", remedy=f"give one of {_NAMES}"
        )
    return scheme or find_format(name)


def parse_nonce(text: str | None) -> bytes | None:
    """A challenge of 1 to 64 bytes from hex; raises MalformedError ``option.malformed``."""
    if text is None:
        return None
    if not _HEX.match(text) or len(text.removeprefix("0x")) > 2 * MAX_CHALLENGE:
        raise MalformedError(
            "option.malformed",
            f"--nonce: expected 1 to {MAX_CHALLENGE} bytes in hex, found {text[:80]!r}",
            remedy="give the challenge that the machine was asked with, as hex digits without spaces",
        )
    return bytes.fromhex(text.removeprefix("0x"))


def _other_type(scheme: Format, data: bytes, question: Question) -> str:
    """What to do about evidence that is of another type than was said; empty where it is of none."""
    anything = replace(question, policy=profile_policy("development"), reference=None)
    others = (other for other in FORMATS.values() if other.type != scheme.type and not other.simulated)
    names = [
        other.name
        for other in others
        if any(check.outcome == "PASS" for check in appraise_file(other, data, anything).checks)
    ]
    return f"it reads as {' and '.join(names)}: ask with --type {names[0]}" if names else ""


def appraise_file(scheme: Format, data: bytes, question: Question) -> Judgement:
    """Read the raw file and judge what is in it."""
    found, _ = judge_file(
        scheme,
        data,
        challenge=question.challenge,
        at=question.at,
        policy=question.policy,
        collateral=question.folder.collateral if question.folder else EMPTY,
        reference=question.reference,
    )
    return found
