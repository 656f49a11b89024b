# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which assurance was reached, per layer and per gate, recomputed from the checks alone.

=========  ==================================================================================
layer      reached when
=========  ==================================================================================
signed     signature and context pass, and the key is trusted by the policy or by evidence
attested   at least one accepted piece of evidence passes every check it needs
rechecked  the verifier, or a rechecker whom the policy lists, recomputed the same trace; of an
           encrypted execution: executed again on the ciphertexts and got the same answer
proved     a succinct proof of the whole circuit passes, bound to this request and its evidence
private    the node had ciphertexts alone: the section's parameters, layers and digests pass, and
           the request is one that somebody outside the file knows to have sent
=========  ==================================================================================

Of an encrypted execution only the gates that ran on ciphertexts are covered, as ``rechecked (encrypted)`` or
``signed``; the others are the client's own work, in clear, and no affidavit speaks of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verifier.policy import ASSURANCES
from verifier.verdict import Check


@dataclass(frozen=True)
class Layer:
    """One layer of assurance.

    Attributes:
        name, reached: which, and whether.
        rests_on: ids of the checks that pass for it.
        method, bits: the weakest mechanism among them; ``""`` and ``None`` where none is cryptographic.
    """

    name: str
    reached: bool
    rests_on: tuple[str, ...]
    method: str
    bits: int | None


@dataclass(frozen=True)
class GateAssurance:
    """One operation of the circuit and the strongest layer that covers it."""

    name: str
    kind: str
    assurance: str


@dataclass(frozen=True)
class Ledger:
    """All layers in :data:`verifier.policy.ASSURANCES` order, and the gates (empty without the circuit)."""

    layers: tuple[Layer, ...]
    gates: tuple[GateAssurance, ...]

    def reached(self, name: str) -> bool:
        return any(layer.name == name and layer.reached for layer in self.layers)

    @property
    def weakest(self) -> Layer | None:
        """The reached layer with the fewest bits; ``None`` when nothing was reached."""
        reached = [layer for layer in self.layers if layer.reached]
        return min(reached, key=lambda layer: -1 if layer.bits is None else layer.bits, default=None)


def build_ledger(
    layers: Mapping[str, tuple[bool, Iterable[Check]]],
    gates: Iterable[tuple[str, str]],
    *,
    encrypted: frozenset[str] | None = None,
) -> Ledger:
    """Assemble the ledger.

    Args:
        layers: for each layer whether it was reached, and the checks it rests on.
        gates: (name, kind) of each gate of the circuit, where the verifier has it.
        encrypted: of an encrypted execution, the names of the gates that ran on ciphertexts.
    """
    built = []
    for name in ASSURANCES:
        reached, checks = layers.get(name, (False, ()))
        passing = [check for check in checks if check.passed] if reached else []
        strengths = [(check.bits, check.method) for check in passing if check.bits is not None]
        bits, method = min(strengths, default=(None, ""))
        built.append(Layer(name, reached, tuple(check.id for check in passing), method, bits))
    strongest = "none"
    for layer in built:
        # Evidence speaks of the machine, the signature of the node; only these speak of single operations.
        if layer.reached and layer.name in ("signed", "rechecked", "proved"):
            strongest = layer.name
    if encrypted is not None and strongest == "rechecked":
        strongest = "rechecked (encrypted)"

    def covered(name: str) -> str:
        return strongest if encrypted is None or name in encrypted else "none"

    return Ledger(tuple(built), tuple(GateAssurance(name, kind, covered(name)) for name, kind in gates))
