# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit attest``: who is this node, and what is it running on? Asked with a fresh nonce, now."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from affidavit.cli import files
from affidavit.cli.appraise import DEFAULT_PROFILE
from affidavit.cli.collateral import read_collateral
from affidavit.cli.render_appraisal import document, print_judgement
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption
from affidavit.cli.where import known_tpms_file
from attestation.collateral import EMPTY
from verifier.appraisal.trust import MAX_REFERENCE, read_reference
from verifier.errors import OperationalError
from verifier.keys import key_id
from verifier.policy import profile_policy
from verifier.verdict import Verdict


class ChannelBinding(StrEnum):
    """The choices of ``--channel-binding``: those of :class:`affidavit.attest.Binding`, without what that loads."""

    REQUIRE = "require"
    PREFER = "prefer"
    OFF = "off"


def attest_command(
    url: Annotated[str, typer.Argument(metavar="NODE_URL", help="The node, as http://127.0.0.1:8420.")],
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help=f"policy@v1. Default: profile {DEFAULT_PROFILE}.")
    ] = None,
    collateral: Annotated[
        Path | None,
        typer.Option("--collateral", metavar="PATH", help="Folder or pack: certificates, CRLs, logs, ..."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="Reference values (TOML or JSON).")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="DIR", help="Keep nonce, keys and evidence, for appraise.")
    ] = None,
    known_tpms: Annotated[
        Path | None,
        typer.Option("--known-tpms", metavar="FILE", help="Clocks of nodes' TPMs. Default: in the user's data folder."),
    ] = None,
    keep_clocks: Annotated[
        bool, typer.Option("--keep-clocks/--no-keep-clocks", help="Notice TPMs whose clock goes backwards.")
    ] = True,
    token_file: Annotated[Path | None, typer.Option("--token-file", help="Bearer token, where it wants one.")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="PEM: the CA of its TLS certificate.")] = None,
    channel_binding: Annotated[
        ChannelBinding,
        typer.Option(
            "--channel-binding",
            help="Bind the answer to this TLS connection (RFC 9266): always, where the node offers it, or never.",
        ),
    ] = ChannelBinding.PREFER,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds.")] = 30.0,
    as_json: JsonOption = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each code means.")] = False,
) -> None:
    """Challenge a running node and appraise what its machine says.

    Exit codes: 0 ACCEPT, 10 REJECT, 20 UNVERIFIABLE, 30 MALFORMED, 1 no answer, or our own fault.
    """
    from affidavit.attest import Binding, attest, channel_json, session_files
    from affidavit.known_tpms import KnownTpms
    from affidavit.transport import Transport

    folder = read_collateral(collateral) if collateral else None
    demanded = profile_policy(DEFAULT_PROFILE) if policy is None else files.read_policy(policy)
    values = read_reference(files.read_bytes(reference, limit=MAX_REFERENCE)) if reference else None
    token = None if token_file is None else files.read_bytes(token_file, limit=4096).decode("utf-8", "replace").strip()
    if save is not None and save.exists():
        raise OperationalError("file.exists", f"{save} is already there", remedy="choose another name")
    binding = Binding(channel_binding.value)
    tpms = KnownTpms(known_tpms or known_tpms_file()) if keep_clocks else None
    seen = tpms.read() if tpms else {}
    with Transport(url, token=token, timeout=timeout, ca=ca, channel=binding is not Binding.OFF) as transport:
        found = attest(
            transport,
            policy=demanded,
            at=datetime.now(UTC).replace(microsecond=0),
            collateral=folder.collateral if folder else EMPTY,
            reference=values,
            seen=seen,
            binding=binding,
        )
    if tpms is not None:
        for judged in found.judgements:
            tpms.update(judged.clocks, accepted=judged.verdict is Verdict.ACCEPT)
    if save is not None:
        _save(save, session_files(found, url))
    console, keys, decisive = Console(soft_wrap=True), found.identity.keys, found.worst
    if as_json:
        said = [document(piece, demanded, found.challenge, folder) for piece in found.judgements]
        node = {"signing": keys.signing.hex(), "sealing": keys.sealing.hex(), "key_id": key_id(keys.signing)}
        chosen = said[found.judgements.index(decisive)]
        bound = {"nonce": found.nonce.hex(), "challenge": found.challenge.hex()}
        console.print_json(
            data={**chosen, "node": node, **bound, "channel_binding": channel_json(found), "pieces": said}
        )
    else:
        console.print(f"node {key_id(keys.signing)}", highlight=False)
        console.print(f"  nonce {found.nonce.hex()}, bound with its keys in {found.challenge.hex()}", highlight=False)
        over = f"bound to this {found.channel.version} connection" if found.channel else f"not bound: {found.unbound}"
        console.print(f"  channel {over}", highlight=False)
        for piece in found.judgements:
            console.print(f"[bold]{escape(piece.type)}[/]", highlight=False)
            print_judgement(console, piece, demanded, folder, explained=explain)
    raise typer.Exit(decisive.verdict.exit_code)


def _save(folder: Path, content: dict[str, bytes]) -> None:
    for name, data in content.items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperationalError("file.unwritable", f"{folder}: {error.strerror or error}") from None
        files.write_bytes(folder / name, data)
