# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client that only has TenSEAL must know to ask a model: context, tensor, layout, and how to read the answer.

The plan is the node's choice among those whose packing a TenSEAL object has; the client checks of it what it cares
about (security is the preset's, and every preset has 128 bits) and names its layout in the request. Nothing of the
weights is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.models import port_json
from node.plans import Layout

if TYPE_CHECKING:
    from circuits import Circuit
    from fhe import EncryptedPlan


@dataclass(frozen=True)
class Wish:
    """What a client wants of a plan.

    Attributes:
        samples: in one request.
        scheme: ``bfv`` (exact) or ``ckks``; empty for whichever is cheaper.
        preset: only this one; empty for any.
        protected: replies that show nothing of the model but its answers.
        first, last: tensors between which it runs encrypted; by default input and output.
    """

    samples: int = 1
    scheme: str = ""
    preset: str = ""
    protected: bool = False
    first: int | None = None
    last: int | None = None


def choose(circuit: Circuit, wish: Wish) -> EncryptedPlan:
    """The cheapest plan that a TenSEAL object fits.

    Raises:
        fhe.UnsupportedError: ``fhe.network.*``, ``fhe.preset.unknown``; ``fhe.plan.none`` with each preset's reason.
    """
    import fhe
    from fhe.planning import SMALLER
    from fhe.tenseal_clients import kind_of

    presets = [fhe.preset_of(wish.preset)] if wish.preset else list(fhe.PRESETS.values())
    network = fhe.read_network(circuit, start=wish.first, stop=wish.last)
    found, refused = fhe.candidates(
        circuit,
        network,
        samples=wish.samples,
        presets=[preset for preset in presets if wish.scheme in ("", preset.scheme)],
        private=wish.protected,
    )
    for plan in found:
        try:
            kind_of(plan.interface)
        except fhe.UnsupportedError as error:
            refused.append(error)
        else:
            return plan
    reasons = "; ".join(dict.fromkeys(error.message for error in refused))
    reasons = reasons or f"{wish.preset or 'every preset'} is of another scheme than {wish.scheme}"
    raise fhe.UnsupportedError("fhe.plan.none", f"no preset fits a TenSEAL client: {reasons}", SMALLER)


def describe(plan: EncryptedPlan) -> dict[str, Any]:
    """The plan as a client with TenSEAL and numpy needs it: plain values (:class:`node.schemas.TensealPlanBody`)."""
    import fhe
    from fhe.privacy import replies_until, statistical_distance_bits
    from fhe.tenseal_clients import kind_of

    interface, preset, circuit = plan.interface, plan.preset, plan.circuit
    told = fhe.estimate(plan)
    whole = plan.network.start == circuit.inputs[0].tensor
    ends = plan.network.stop == circuit.outputs[0].tensor
    return {
        "model": plan.circuit_digest.hex(),
        "layout": Layout.of_plan(plan).as_json(),
        "interface": interface.digest.hex(),
        "scheme": preset.scheme,
        "poly_modulus_degree": preset.n,
        "coeff_mod_bit_sizes": [q.bit_length() for q in preset.moduli],
        "plain_modulus": preset.plain_modulus,
        "global_scale": interface.input_scale,
        "object": kind_of(interface),
        "samples": interface.samples,
        "inputs": interface.inputs,
        "outputs": interface.outputs,
        "range": [interface.lo, interface.hi],
        "unit": interface.unit,
        "places": interface.gather.reshape(-1).tolist(),
        "slots": interface.width,
        "answer_unit": interface.output_unit,
        "answer_places": interface.scatter.tolist(),
        "error": told.error,
        "keys": {
            "public": interface.keys.public,
            "relin": bool(interface.keys.relin),
            "galois": sorted(interface.keys.galois),
        },
        "input": port_json(circuit, circuit.inputs[0]) if whole else None,
        "output": port_json(circuit, circuit.outputs[0]) if ends else None,
        "node_cpu_ms": told.cpu_ms,
        "statistical_distance_bits": statistical_distance_bits(plan) if plan.private else None,
        "replies_until": replies_until(plan) if plan.private else None,
    }
