# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit commitment``: what the owner of a model gives to those who verify without it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from affidavit.cli import files
from affidavit.cli.terminal import Console
from affidavit.cli.verify import JsonOption
from affidavit.cli.where import cache_folder


def commitment_command(
    circuit: Annotated[Path, typer.Argument(metavar="CIRCUIT", help="A circuit file.")],
    as_json: JsonOption = False,
) -> None:
    """Commit to a circuit's weights: what a verifier of --committed proofs trusts, beside the circuit's digest."""
    from prover import WeightsCache
    from prover.warm import warm

    loaded = files.read_circuit(circuit)
    warm()
    started = time.perf_counter()
    found = WeightsCache(cache_folder()).set_up(loaded)
    setup_s = time.perf_counter() - started
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(
            data={
                "circuit": loaded.digest.hex(),
                "weights_commitment": found.weights.root.hex(),
                "setup_s": round(setup_s, 4),
                "setup_from": found.source,
            }
        )
        return
    console.print(f"circuit {loaded.digest.hex()}", highlight=False)
    console.print(f"weights commitment {found.weights.root.hex()}", highlight=False)
