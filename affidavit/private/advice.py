# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which part of a circuit can run on ciphertexts, why the rest cannot, and what it will take, before anything is sent.

The whole of it if that fits a preset; else the run of gates that does most of the work among those that begin at the
input (the client finishes in clear) and those that end at the output (the client begins in clear). Work is counted in
entries of the folded linear layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import fhe
from circuits import Circuit
from circuits.circuit import IntArray
from fhe import EncryptedPlan, Estimate
from fhe.planning import presets_for
from fhe.privacy import TOTAL_BITS, flood_bits, replies_until, statistical_distance_bits
from verifier.encrypted import encrypted_gates

MAX_TRIED = 64
"""Cuts that are looked at, prefixes first, the shortest ones first."""

Estimated: TypeAlias = tuple[EncryptedPlan, Estimate]


@dataclass(frozen=True)
class Advice:
    """What to run encrypted.

    Attributes:
        part: ``whole``, ``prefix`` (encrypted from the input on), ``suffix`` (up to the output), or ``none``.
        plan, cost: how, and what it takes; ``None`` for ``none``.
        gates: names of those that run encrypted.
        reasons: gate or ``circuit`` -> why it cannot.
        others: of a whole circuit: other plans that fit, with their cost.
    """

    part: str
    plan: EncryptedPlan | None
    cost: Estimate | None
    gates: tuple[str, ...]
    reasons: dict[str, str]
    others: tuple[Estimated, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """A plain object."""
        found: dict[str, Any] = {"part": self.part, "gates": list(self.gates), "reasons": self.reasons}
        if self.plan is None or self.cost is None:
            return found
        plan, cost = self.plan, self.cost
        return found | {
            "preset": plan.preset.name,
            "scheme": plan.preset.scheme,
            "packing": plan.packing,
            "exact": plan.preset.scheme == "bfv",
            "samples": plan.interface.samples,
            "first": plan.network.start,
            "last": plan.network.stop,
            "depth": cost.depth,
            "error": cost.error,
            "output_error": cost.error * plan.circuit.outputs[0].scale,
            "node_cpu_ms": round(cost.cpu_ms, 3),
            "bytes_sent": cost.bytes_sent,
            "bytes_returned": cost.bytes_returned,
            "bytes_keys": cost.key_bytes,
            "bytes_galois_keys": cost.galois_bytes,
            "layers": [
                {
                    "gates": list(layer.gates),
                    "node_cpu_ms": round(layer.cpu_ms, 3),
                    "noise_budget_bits": layer.budget_bits,
                }
                for layer in cost.layers
            ],
            "protected": plan.private,
            "flood_bits": flood_bits(plan) if plan.private else None,
            "statistical_distance_bits": round(statistical_distance_bits(plan), 1) if plan.private else None,
            "replies_until": {"distance_bits": TOTAL_BITS, "replies": replies_until(plan)} if plan.private else None,
            "others": [
                {
                    "preset": other.preset.name,
                    "packing": other.packing,
                    "exact": other.preset.scheme == "bfv",
                    "error": told.error,
                    "output_error": told.error * other.circuit.outputs[0].scale,
                    "node_cpu_ms": round(told.cpu_ms, 3),
                    "bytes_sent": told.bytes_sent,
                    "bytes_returned": told.bytes_returned,
                    "bytes_keys": told.key_bytes,
                    "noise_budget_bits": told.layers[-1].budget_bits,
                }
                for other, told in self.others
            ],
        }


def advise(
    circuit: Circuit,
    *,
    samples: int = 1,
    preset: str | None = None,
    protected: bool = False,
    exact: bool = False,
    calibration: IntArray | None = None,
) -> Advice:
    """Decide for a circuit.

    Args:
        circuit: what is to run.
        samples: in each request.
        preset: only this one.
        protected: replies must show nothing of the model but its answers.
        exact: BFV alone.
        calibration: typical inputs, integers, for CKKS on the whole circuit.

    Raises:
        fhe.UnsupportedError: ``fhe.preset.unknown``.
    """
    if preset is not None:
        fhe.preset_of(preset)

    def planned(first: int, last: int) -> EncryptedPlan | fhe.UnsupportedError:
        whole = first == 0 and last == circuit.outputs[0].tensor
        # In the middle of a circuit approximate integers are of no use to the gates that follow.
        try:
            return fhe.plan(
                circuit,
                samples=samples,
                preset=preset,
                private=protected,
                exact=exact or not whole,
                start=first,
                stop=last,
                calibration=calibration if whole else None,
            )
        except fhe.UnsupportedError as error:
            return error

    reasons = {gate.name: reason for gate in circuit.gates if (reason := fhe.refusal_of(circuit, gate)) is not None}
    if len(circuit.inputs) != 1 or len(circuit.outputs) != 1:
        return Advice("none", None, None, (), {"circuit": "several inputs or outputs"})
    output = circuit.outputs[0].tensor
    found = planned(0, output)
    if isinstance(found, EncryptedPlan):
        others = _others(found, samples, preset, calibration, protected=protected, exact=exact)
        return replace(_advice("whole", found, reasons), others=others)
    reasons.setdefault("circuit", found.message)
    best: tuple[int, str, EncryptedPlan] | None = None
    for part, first, last in _cuts(circuit, output):
        made = planned(first, last)
        if isinstance(made, EncryptedPlan):
            work = sum(layer.matrix.size for layer in made.network.layers)
            if best is None or work > best[0]:
                best = (work, part, made)
    return _advice(best[1], best[2], reasons) if best else Advice("none", None, None, (), reasons)


def _others(
    chosen: EncryptedPlan,
    samples: int,
    preset: str | None,
    calibration: IntArray | None,
    *,
    protected: bool,
    exact: bool,
) -> tuple[Estimated, ...]:
    """What else would run the whole circuit, the cheapest first: an exact answer has its price."""
    circuit, network = chosen.circuit, fhe.read_network(chosen.circuit)
    magnitudes = () if calibration is None else tuple(network.measured(calibration))
    presets = presets_for(preset, exact=exact)
    found, _ = fhe.candidates(
        circuit, network, samples=samples, presets=presets, private=protected, magnitudes=magnitudes
    )
    return tuple((plan, fhe.estimate(plan)) for plan in found if plan.digest != chosen.digest)


def _cuts(circuit: Circuit, output: int) -> Iterator[tuple[str, int, int]]:
    """Prefixes and suffixes that pass through one tensor and hold no gate that is refused."""
    refused = {gate.name for gate in circuit.gates if fhe.refusal_of(circuit, gate) is not None}
    middle = [gate.output for gate in circuit.gates if gate.output != output]
    cuts = [("prefix", 0, tensor) for tensor in middle] + [("suffix", tensor, output) for tensor in reversed(middle)]
    for part, first, last in cuts[:MAX_TRIED]:
        if refused.isdisjoint(encrypted_gates(circuit, first, last)):
            yield part, first, last


def _advice(part: str, plan: EncryptedPlan, reasons: dict[str, str]) -> Advice:
    gates = encrypted_gates(plan.circuit, plan.network.start, plan.network.stop)
    left = {name: why for name, why in reasons.items() if name not in gates}
    return Advice(part, plan, fhe.estimate(plan), gates, left)
