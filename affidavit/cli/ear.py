# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit ear``: attestation results, signed by us and by others."""

from __future__ import annotations

import base64
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from affidavit.cli import files
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption
from attestation.ear.claims import Dialect, Ear, to_cbor, to_json
from attestation.ear.keys import MAX_KEY, load_key, load_signer
from attestation.ear.reading import verify_ear
from attestation.ear.tiers import Tier
from attestation.ear.tokens import MAX_TOKEN, encode_cwt, encode_jwt
from verifier.plain import plain
from verifier.verdict import Verdict

app = typer.Typer(help="Attestation results (EAR).", no_args_is_help=True)


class TokenChoice(Enum):
    """How a result is signed."""

    jwt = "jwt"
    cwt = "cwt"


class DialectChoice(Enum):
    """Whose names a result uses."""

    draft = "draft"
    veraison = "veraison"


def signed(ear: Ear, key: Path, choice: TokenChoice, dialect: Dialect) -> bytes:
    """The result signed with a PEM private key.

    Raises:
        attestation.errors.EvidenceError: ``evidence.ear.key-malformed``, ``evidence.ear.key-unsupported``.
    """
    algorithm, sign, _ = load_signer(files.read_bytes(key, limit=MAX_KEY))
    if choice is TokenChoice.cwt:
        return encode_cwt(to_cbor(ear, dialect), algorithm, sign)
    return encode_jwt(to_json(ear, dialect), algorithm, sign)


def shown(token: bytes, choice: TokenChoice) -> str:
    """A token as text: a JWT as it is, a CWT in base64."""
    return token.decode("ascii") if choice is TokenChoice.jwt else base64.b64encode(token).decode("ascii")


@app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed result: JWT or CWT.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The issuer's key: JWK, PEM key or certificate.")],
    nonce: Annotated[str | None, typer.Option("--nonce", metavar="HEX", help="What it must be about.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Time of the question, RFC 3339. Default: now.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check somebody else's attestation result under a key that you trust. Offline.

    Exit codes: 0 genuine, and affirming or warning; 10 false, expired, or contraindicated; 20 it says nothing, or in a
    profile that is not known; 30 malformed; 1 our own fault.
    """
    from affidavit.cli.appraise import parse_nonce

    token = files.read_bytes(file, limit=MAX_TOKEN)
    trusted = load_key(files.read_bytes(key, limit=MAX_KEY))
    ear = verify_ear(token, trusted, at=files.parse_time(at), nonce=parse_nonce(nonce))
    verdict, code = _JUDGED[ear.status]
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(data=_document(ear, verdict, code))
        raise typer.Exit(verdict.exit_code)
    console.print(f"genuine, issued by {escape(ear.developer)} ({escape(ear.build)})", highlight=False)
    for name, submodule in ear.submods.items():
        console.print(f"  {escape(name)}: {submodule.status.word}", highlight=False)
    console.print(f"{verdict.value}{f'({code})' if code else ''}", highlight=False)
    raise typer.Exit(verdict.exit_code)


_JUDGED = {
    Tier.AFFIRMING: (Verdict.ACCEPT, ""),
    Tier.WARNING: (Verdict.ACCEPT, ""),
    Tier.CONTRAINDICATED: (Verdict.REJECT, "ear.contraindicated"),
    Tier.NONE: (Verdict.UNVERIFIABLE, "ear.says-nothing"),
}


def _document(ear: Ear, verdict: Verdict, code: str) -> dict[str, object]:
    return {
        "verdict": verdict.value,
        "exit_code": verdict.exit_code,
        "code": code,
        "status": ear.status.word,
        "profile": ear.profile,
        "iat": ear.iat,
        "exp": ear.exp,
        "verifier": {"developer": ear.developer, "build": ear.build},
        "nonce": None if ear.nonce is None else ear.nonce.hex(),
        "submods": {
            name: {
                "status": submodule.status.word,
                "trustworthiness": dict(submodule.vector),
                "policies": list(submodule.policies),
                "annotated_evidence": plain(submodule.annotated),
                "policy_claims": plain(submodule.policy_claims),
            }
            for name, submodule in ear.submods.items()
        },
    }
