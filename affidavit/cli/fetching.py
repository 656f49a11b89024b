# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit collateral``: what appraising needs from AMD, Intel and NVIDIA, fetched while there is a network."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affidavit.cli import files
from affidavit.cli.appraise import resolve
from affidavit.cli.collateral import read_files
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption
from affidavit.cli.where import collateral_cache
from affidavit.collateral.folder import fetched_at, write_folder
from affidavit.collateral.pack import make_pack
from attestation.raw import MAX_RAW
from verifier.appraisal.carried import split_members
from verifier.errors import UnsupportedError

if TYPE_CHECKING:
    from affidavit.collateral.services import Services
    from affidavit.collateral.source import Source

app = typer.Typer(help="Certificates, CRLs, TCB information and RIMs for appraising evidence.", no_args_is_help=True)

ServicesOption = Annotated[
    Path | None,
    typer.Option("--services", metavar="FILE", help="TOML: mirrors of AMD's, Intel's and NVIDIA's services."),
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="What was fetched before. Default: the user's cache.")
]


def load_services(path: Path | None) -> Services:
    """The vendors' own, or those of a file; raises MalformedError ``collateral.services-malformed``."""
    from affidavit.collateral.services import MAX_SERVICES, Services, read_services

    if path is None:
        return Services()
    return read_services(files.read_bytes(path, limit=MAX_SERVICES), path.parent)


@contextlib.contextmanager
def open_source(
    services: Services, cache: Path | None, *, renew: bool = False, patient: bool = True
) -> Iterator[Source]:
    """A source over the network and the cache; ``renew`` asks again whatever is kept, ``patient`` waits for services.

    Somebody who waits for an answer meanwhile wants no patience: two attempts of ten seconds.
    """
    from affidavit.collateral.cache import Cache
    from affidavit.collateral.source import FRESH, Source
    from affidavit.collateral.transfer import Transfer

    patience = Transfer(ca=services.ca) if patient else Transfer(ca=services.ca, timeout=10, attempts=2, max_pause=2)
    with patience as transfer:
        yield Source(transfer, Cache(cache or collateral_cache()), fresh=timedelta(0) if renew else FRESH)


@app.command("fetch")
def fetch_command(
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="Short name or type id, as snp or tdx.")],
    evidence: Annotated[Path, typer.Option("--evidence", metavar="FILE", help="As appraise takes it.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where the files go.")],
    services: ServicesOption = None,
    cache: CacheOption = None,
    renew: Annotated[bool, typer.Option("--renew", help="Ask the services again, whatever is in the cache.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch what appraising this evidence needs. Uses the network."""
    from affidavit.collateral.fetching import fetch

    scheme = resolve(type_)
    members, _ = split_members(scheme.read(files.read_bytes(evidence, limit=MAX_RAW)))
    chosen = load_services(services)
    with open_source(chosen, cache, renew=renew) as source:
        pieces = fetch(scheme.type, members, source, chosen)
    written = write_folder(output, pieces)
    console, notes = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
    for note in source.notes:
        notes.print(f"[yellow]note[/] {escape(note)}", highlight=False)
    if as_json:
        console.print_json(data={"type": scheme.type, "items": written, "notes": source.notes})
        return
    for item in written.values():
        until = f", until {item['expires']}" if item["expires"] else ""
        console.print(f"{escape(item['name'])}: {escape(item['url'].partition('?')[0])}{until}", highlight=False)


@app.command("bundle")
def bundle_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of collateral.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PACK", help="Where the pack goes.")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="When files that `fetch` did not write were fetched.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make one file of collateral for machines without network, and say as of when it is and how long it serves."""
    now = files.parse_time(None)
    given = None if as_of is None else files.parse_time(as_of, "--as-of")
    found: dict[bytes, datetime] = {}
    left_out = []
    for folder in folders:
        known = fetched_at(folder)
        for name, data in read_files(folder):
            if isinstance(data, str):
                left_out.append({"file": str(folder / name), "code": data})
                continue
            when = known.get(hashlib.sha256(data).hexdigest(), given)
            if when is None or when > now:
                said = "nobody says when it was fetched" if when is None else f"fetched {when.isoformat()}, to come"
                raise UnsupportedError(
                    "collateral.pack.no-date",
                    f"{folder / name}: {said}",
                    remedy="fetch it with: affidavit collateral fetch; or say when it was, with --as-of",
                )
            found[data] = min(when, found.get(data, when))
    if not found:
        raise UnsupportedError("collateral.pack.empty", "no collateral to pack", remedy="name folders that have some")
    data, pack = make_pack(found, min(found.values()))
    files.write_bytes(output, data)
    date = pack.as_of.isoformat()
    until = None if pack.expires is None else pack.expires.isoformat()
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(
            data={
                "pack": str(output),
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
                "as_of": date,
                "expires": until,
                "items": len(pack.files),
                "ignored": left_out,
            }
        )
        return
    for entry in left_out:
        console.print(f"  [dim]left out: {escape(entry['file'])} ({entry['code']})[/]", highlight=False)
    console.print(f"{escape(str(output))}: {len(pack.files)} files, {len(data)} bytes", highlight=False)
    console.print(f"as of {date}, first expiry {until or 'unknown'}", highlight=False)
