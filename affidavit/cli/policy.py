# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit policy``: write a policy to start from, and check one."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from affidavit.cli import files
from affidavit.cli.terminal import Console, escape
from affidavit.cli.where import cache_folder
from affidavit.policy_file import write_policy
from attestation.tpm2 import Tpm2Trust
from circuits import Circuit
from verifier import MalformedError, OperationalError, parse_policy
from verifier.policy import profile_policy
from verifier.profiles import BULLETIN_STATUSES, PROFILES, TCB_STATUSES

app = typer.Typer(help="What a verifier demands (policy@v1).", no_args_is_help=True)


ProfileChoice = Enum("ProfileChoice", {name: name for name in sorted(PROFILES)})  # type: ignore[misc]
"""The names of the profiles."""


def _word(demanded: bool) -> str:
    return "demanded" if demanded else "open"


def _age(days: int | None) -> str:
    return "of any age" if days is None else f"of at most {days} days"


def _certificates(paths: list[Path] | None) -> list[bytes]:
    found = []
    for path in paths or ():
        try:
            loaded = x509.load_pem_x509_certificates(files.read_bytes(path, limit=1 << 20))
        except ValueError as error:
            raise MalformedError(
                "option.malformed",
                f"{path}: not PEM certificates ({str(error)[:80]})",
                remedy="give certificates in PEM (openssl x509 -inform DER -in FILE turns others into it)",
            ) from None
        found += [certificate.public_bytes(Encoding.DER) for certificate in loaded]
    return found


def _commitments(circuits: list[Circuit]) -> dict[bytes, bytes]:
    from prover import WeightsCache

    cache = WeightsCache(cache_folder())
    return {circuit.digest: cache.set_up(circuit).weights.root for circuit in circuits}


@app.command("new")
def new_command(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the policy goes.")],
    node: Annotated[
        list[str] | None, typer.Option("--node", metavar="HEX", help="Signing key of a node to trust (repeatable).")
    ] = None,
    rechecker: Annotated[
        list[str] | None, typer.Option("--rechecker", metavar="HEX", help="Key whose rechecks count (repeatable).")
    ] = None,
    circuit: Annotated[
        list[Path] | None, typer.Option("--circuit", help="A circuit file that may answer (repeatable).")
    ] = None,
    committed: Annotated[
        bool,
        typer.Option("--committed", help="Demand a proof, and list commitments to the circuits' weights, made here."),
    ] = False,
    ek_root: Annotated[
        list[Path] | None, typer.Option("--ek-root", help="PEM certificates of TPM makers (repeatable).")
    ] = None,
    ak_issuer: Annotated[
        list[Path] | None, typer.Option("--ak-issuer", help="PEM certificates of attestation CAs (repeatable).")
    ] = None,
    recheck: Annotated[
        bool | None, typer.Option("--recheck/--no-recheck", help="Demand a recomputation. Default: unless --profile.")
    ] = None,
    profile: Annotated[
        ProfileChoice | None,
        typer.Option("--profile", help="Demands on evidence to start from, written out to be edited."),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--unsafe-accept-simulated", help="For development: evidence that proves nothing counts.")
    ] = False,
) -> None:
    """Write a policy from what you trust. Edit it afterwards: docs/spec/policy-v1.md has everything it can say."""
    if output.exists():
        raise OperationalError("file.exists", f"{output} is already there", remedy="choose another name")
    roots, issuers = _certificates(ek_root), _certificates(ak_issuer)
    accepted: tuple[str, ...] = ("tpm2-quote@v1",) if issuers else ()
    if profile is not None:
        accepted = profile_policy(profile.value).evidence
    layers = {
        "signed": True,
        "attested": simulated or bool(accepted),
        "rechecked": recheck if recheck is not None else profile is None,
        "proved": committed,
    }
    assurance = [name for name, demanded in layers.items() if demanded]
    circuits = [files.read_circuit(path) for path in circuit or ()]
    text = write_policy(
        name=output.stem if output.stem.replace("-", "").replace("_", "").isalnum() else "policy",
        assurance=assurance,
        accept=accepted,
        simulated=simulated,
        circuits=[loaded.digest for loaded in circuits],
        commitments=_commitments(circuits) if committed else None,
        nodes=[files.parse_hex32(key, "--node") for key in node or ()],
        recheckers=[files.parse_hex32(key, "--rechecker") for key in rechecker or ()],
        ek_roots=roots,
        ak_issuers=issuers,
        profile=None if profile is None else profile.value,
    )
    policy = parse_policy(text)
    files.write_bytes(output, text)
    console = Console(soft_wrap=True)
    console.print(f"policy {policy.id.hex()}: demands {', '.join(assurance)}", highlight=False)
    if not (policy.nodes or layers["attested"]):
        console.print(
            "[yellow]note[/] it trusts no node yet: list keys with --node, or attestation CAs with --ak-issuer",
            highlight=False,
        )


@app.command("check")
def check_command(file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]) -> None:
    """Read a policy and say what it demands and whom it trusts."""
    policy = files.read_policy(file)
    tpm = policy.trust.get("tpm2") or Tpm2Trust()
    console = Console(soft_wrap=True)
    console.print(f"policy {escape(policy.name)} ({policy.profile}), id {policy.id.hex()}", highlight=False)
    console.print(f"  demands: {', '.join(policy.assurance)}", highlight=False)
    console.print(
        f"  trusts: {len(policy.nodes)} node keys, {len(policy.recheckers)} recheckers, {len(policy.models)} circuits, "
        f"{len(tpm.ek_roots)} TPM makers, {len(tpm.ak_issuers)} attestation CAs",
        highlight=False,
    )
    accepted = ", ".join(policy.evidence) or "none"
    tables = f"; with tables for {', '.join(sorted(policy.tables))}" if policy.tables else ""
    console.print(f"  takes evidence of: {escape(accepted + tables)}", highlight=False)
    demands = policy.demands
    console.print(
        f"  of evidence: freshness {_word(demands.freshness)}, revocation lists {_word(demands.revocation)}, "
        f"TCB {', '.join(name for name in TCB_STATUSES if name in demands.tcb_statuses) or 'none'}, by bulletins "
        f"{', '.join(name for name in BULLETIN_STATUSES if name in demands.bulletin_statuses) or 'none'}, "
        f"collateral {_age(demands.max_collateral_age_days)}, score at least {demands.minimum_score / 1000:.3f}",
        highlight=False,
    )
    if demands.debug:
        console.print("  [bold red]unsafe[/]: machines under debug are tolerated", highlight=False)
    if policy.unsafe_accept_simulated:
        console.print("  [bold red]unsafe[/]: simulated evidence counts", highlight=False)
