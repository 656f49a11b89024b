# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which gates run encrypted, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from circuits import Circuit, Gate
from circuits.derivation import site_of
from circuits.gates import Site

__all__ = ["SUPPORT", "refusal_of"]

_LINEAR = "bfv, ckks"
SUPPORT: Mapping[str, str] = MappingProxyType(
    {
        "dense": _LINEAR,
        "conv": _LINEAR,
        "affine": _LINEAR,
        "reduce_sum": _LINEAR,
        "reshape": _LINEAR,
        "transpose": _LINEAR,
        "concat": _LINEAR,
        "pad": _LINEAR,
        "mul": "bfv, ckks, of a tensor with itself: a square",
        "requant": "ckks, where its clamp cannot bind: a factor 2^-s without the floor; bfv has no shift",
        "matmul": "no: products of two computed tensors other than squares",
        "table": "no: fit a square or another polynomial in its place",
        "max_pool": "no: use average pooling",
        "arg_max": "no: the client takes it after decryption",
        "softmax": "no: the client applies it after decryption",
    }
)
"""Gate kind -> which schemes run it encrypted, or why none does."""


def refusal_of(circuit: Circuit, gate: Gate) -> str | None:
    """Why a gate cannot run encrypted in any scheme, or None."""
    if SUPPORT.get(gate.kind, "no").startswith("no"):
        return SUPPORT.get(gate.kind, "no: unknown gate").removeprefix("no: ")
    if gate.kind == "mul" and gate.inputs[0] != gate.inputs[1]:
        return "a product of two different tensors; only squares run encrypted"
    if gate.kind == "requant" and not _idle_clamp(site_of(gate, circuit.tensors, circuit.constants)):
        return "its clamp may bind; comparisons do not run encrypted"
    return None


def _idle_clamp(site: Site) -> bool:
    """Whether a requant only shifts: its clamp cannot bind within the circuit's bounds."""
    x, (shifts,) = site.inputs[0], site.constants
    least, most = int((x.lo >> shifts).min()), int((x.hi >> shifts).max())
    return least >= site.integer("lo") and most <= site.integer("hi")
