# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit fhe``: what can run on ciphertexts, in which parameters, and what it will take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from affidavit.cli import files
from affidavit.cli.terminal import Console, escape
from affidavit.cli.verify import JsonOption
from circuits import Circuit, encode_inputs

if TYPE_CHECKING:
    from affidavit.private.advice import Advice

app = typer.Typer(help="Encrypted execution: presets and plans.", no_args_is_help=True)

SamplesOption = Annotated[int, typer.Option("--samples", min=1, max=65536, help="Samples in each request.")]
PresetOption = Annotated[str | None, typer.Option("--preset", help="Only this preset; see `affidavit fhe presets`.")]
ProtectedOption = Annotated[
    bool, typer.Option("--protected", help="Replies must show nothing of the model but its answers.")
]
ExactOption = Annotated[bool, typer.Option("--exact", help="BFV alone: the circuit's own integers, bit for bit.")]
Scheme = Literal["bfv", "ckks"]
PARTS = {
    "whole": "the whole circuit runs on ciphertexts",
    "prefix": "its beginning runs on ciphertexts, and the client finishes in clear",
    "suffix": "its end runs on ciphertexts, and the client begins in clear",
    "none": "nothing of it runs on ciphertexts",
}


@app.command("presets")
def presets_command(as_json: JsonOption = False) -> None:
    """Encryption parameters by name: scheme, security, depth, sizes."""
    from fhe import PRESETS
    from fhe.presets import MAX_MODULUS_BITS, SECURITY_BITS
    from fhe.privacy import TARGET_BITS, TOTAL_BITS

    rows: list[dict[str, str | int | bool | list[str]]] = [
        {
            "name": preset.name,
            "scheme": preset.scheme,
            "security_bits": SECURITY_BITS,
            "degree": preset.n,
            "modulus_bits": preset.total_bits,
            "modulus_bits_allowed": MAX_MODULUS_BITS[preset.n],
            "depth": preset.depth,
            "ciphertext_bytes": preset.ciphertext_bytes(),
            "switching_key_bytes": preset.switching_key_bytes,
            "packings": list(preset.packings),
            "floods": preset.floods,
            "distance_bits_per_reply": TARGET_BITS if preset.floods else 0,
            "replies_until_2_20": 1 << (TARGET_BITS - TOTAL_BITS) if preset.floods else 0,
            "purpose": preset.purpose,
            "parameters": preset.digest.hex(),
        }
        for preset in PRESETS.values()
    ]
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(data={"presets": rows})
        return
    for row, preset in zip(rows, PRESETS.values(), strict=True):
        console.print(f"[bold]{row['name']}[/]: {escape(str(row['purpose']))}", highlight=False)
        console.print(
            f"  {row['scheme']}, {row['security_bits']} bits of security: n = {row['degree']}, log2 q = "
            f"{row['modulus_bits']} (at most {row['modulus_bits_allowed']}), depth {row['depth']}, "
            f"{_protection(preset.floods)}",
            highlight=False,
        )
        console.print(
            f"  a ciphertext {row['ciphertext_bytes']:,} bytes, a switching key {row['switching_key_bytes']:,} bytes",
            highlight=False,
        )


def _protection(floods: bool) -> str:
    """What a preset does for a model, with what it adds up to."""
    from fhe.privacy import TARGET_BITS, TOTAL_BITS

    if not floods:
        return "cannot protect a model"
    replies = 1 << (TARGET_BITS - TOTAL_BITS)
    return (
        f"can protect a model: at most 2^-{TARGET_BITS} a reply, so at least {replies:,} replies to one client until "
        f"2^-{TOTAL_BITS}"
    )


@app.command("plan")
def plan_command(
    circuit: Annotated[Path, typer.Argument(metavar="CIRCUIT", help="A circuit file.")],
    samples: SamplesOption = 1,
    preset: PresetOption = None,
    protected: ProtectedOption = False,
    exact: ExactOption = False,
    calibrate: Annotated[
        Path | None, typer.Option("--calibrate", help="Typical inputs (.npz): more precise where CKKS is used.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which part of a circuit runs on ciphertexts, why the rest does not, and what it will take.

    Nothing is sent, and no key is made. Exit codes: 0 something runs encrypted, 20 nothing does.
    """
    loaded = files.read_circuit(circuit)
    console = Console(soft_wrap=True)
    raise typer.Exit(
        show_plan(
            console, loaded, samples=samples, preset=preset, protected=protected, exact=exact,
            calibrate=files.read_arrays(calibrate) if calibrate else None, as_json=as_json,
        )
    )  # fmt: skip


@app.command("tenseal")
def tenseal_command(
    circuit: Annotated[Path, typer.Argument(metavar="CIRCUIT", help="A circuit file.")],
    samples: SamplesOption = 1,
    scheme: Annotated[
        Scheme | None, typer.Option("--scheme", help="bfv (exact) or ckks; by default whichever is cheaper.")
    ] = None,
    preset: PresetOption = None,
    protected: ProtectedOption = False,
    first: Annotated[int | None, typer.Option("--first", help="The tensor that comes encrypted.")] = None,
    last: Annotated[int | None, typer.Option("--last", help="The tensor that goes back encrypted.")] = None,
) -> None:
    """Print how a client that only has TenSEAL asks a circuit: what honest nodes say at /v1/models/DIGEST/tenseal."""
    from node.tenseal import Wish, choose, describe

    plan = choose(files.read_circuit(circuit), Wish(samples, scheme or "", preset or "", protected, first, last))
    Console(soft_wrap=True).print_json(data=describe(plan))


def show_plan(
    console: Console,
    circuit: Circuit,
    *,
    samples: int,
    preset: str | None,
    protected: bool,
    exact: bool,
    calibrate: files.Arrays | None,
    more: Mapping[str, Any] | None = None,
    as_json: bool,
) -> int:
    """Decide, print (as JSON with `more`), and give the exit code."""
    from affidavit.private.advice import advise

    typical = None
    if calibrate is not None and len(circuit.inputs) == 1:
        (typical,) = encode_inputs(circuit, calibrate).values()
    advice = advise(circuit, samples=samples, preset=preset, protected=protected, exact=exact, calibration=typical)
    if as_json:
        console.print_json(data={"circuit": circuit.digest.hex(), **advice.as_json(), **(more or {})})
    else:
        _print(console, advice)
    return 20 if advice.plan is None else 0


def _print(console: Console, advice: Advice) -> None:
    def say(text: str) -> None:
        console.print(f"  {escape(text)}", highlight=False)

    console.print(f"[bold]{PARTS[advice.part]}[/]", highlight=False)
    plan, cost = advice.plan, advice.cost
    if plan is not None and cost is not None:
        say(f"preset {plan.preset.name} ({plan.preset.scheme}, 128 bits), packing {plan.packing}, depth {cost.depth}")
        for layer in cost.layers:
            left = "" if layer.budget_bits is None else f", noise budget left at least {layer.budget_bits} bits"
            say(f"  {' + '.join(layer.gates)}: about {layer.cpu_ms:.2f} ms of the node{left}")
        if advice.part != "whole":
            cut = f"last={plan.network.stop}" if advice.part == "prefix" else f"first={plan.network.start}"
            say(f"in Python: PrivateSession(model, {cut})")
        scale = plan.circuit.outputs[0].scale
        exact = "exact" if not cost.error else f"error about {cost.error * scale:.3g} in an output"
        say(f"{exact}; about {cost.cpu_ms:.2f} ms of one core for {plan.interface.samples} samples")
        say(
            f"sent {cost.bytes_sent:,} bytes a request, back {cost.bytes_returned:,}; keys {cost.key_bytes:,} bytes "
            f"a session (Galois keys {cost.galois_bytes:,})"
        )
        shown = advice.as_json()
        if plan.private:
            until = shown["replies_until"]
            say(
                f"protected: {shown['flood_bits']} bits of noise, distance 2^-{shown['statistical_distance_bits']} a "
                f"reply; distances add up: {until['replies']:,} replies to one client until 2^-{until['distance_bits']}"
            )
        else:
            say("bare replies: whoever sends requests can compute the weights of what runs")
    for other, told in advice.others:
        answers = "exact" if not told.error else f"error about {told.error * other.circuit.outputs[0].scale:.3g}"
        say(
            f"or preset {other.preset.name} ({other.preset.scheme}), packing {other.packing}: {answers}; about "
            f"{told.cpu_ms:.2f} ms, sent {told.bytes_sent:,} bytes, back {told.bytes_returned:,}, "
            f"keys {told.key_bytes:,}"
        )
    for name, reason in list(advice.reasons.items())[:16]:
        say(f"not {name}: {reason}")
