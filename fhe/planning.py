# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which packing and preset a network runs in, and why: every pair that fits, its cost, the cheapest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from circuits import Circuit
from fhe.errors import UnsupportedError
from fhe.interface import Interface
from fhe.network import Network, read_network
from fhe.noise import check_noise
from fhe.packing import coefficient, columns, slots
from fhe.presets import PRESETS, Preset, preset_of

__all__ = ["EncryptedPlan", "candidates", "plan"]

_DESIGNS = {"coefficient": coefficient.design, "columns": columns.design, "diagonals": slots.design}


@dataclass(frozen=True, eq=False, slots=True)
class EncryptedPlan:
    """A network, how it is packed, and what it costs.

    Attributes:
        circuit_digest: of the circuit that the network was read from.
        private: replies are re-randomised and flooded.
    """

    network: Network
    interface: Interface
    packing: str
    circuit_digest: bytes
    private: bool

    @property
    def preset(self) -> Preset:
        """The preset."""
        return self.interface.preset


def design(network: Network, packing: str, preset: Preset, samples: int) -> Interface:
    """The interface of one packing in one preset. Raises UnsupportedError (``fhe.plan.*``) where it does not fit."""
    if packing not in preset.packings:
        raise UnsupportedError(
            "fhe.plan.packing", f"{preset.name} is made for {', '.join(preset.packings)}, not {packing}"
        )
    return _DESIGNS[packing](network, preset, samples)


def plan(
    circuit: Circuit,
    *,
    samples: int = 1,
    preset: str | None = None,
    private: bool = False,
    start: int | None = None,
    stop: int | None = None,
) -> EncryptedPlan:
    """The cheapest way to run a circuit, or the part between two of its tensors, encrypted.

    Args:
        circuit: what is to run.
        samples: samples per request.
        preset: only this preset.
        private: the model must not leak: only presets with room to flood the replies.
        start, stop: see :func:`fhe.read_network`.

    Raises UnsupportedError: ``fhe.network.*``, ``fhe.plan.none`` with the reason of each preset.
    """
    network = read_network(circuit, start=start, stop=stop)
    chosen = [preset_of(preset)] if preset is not None else list(PRESETS.values())
    found, refused = candidates(network, circuit.digest, samples=samples, presets=chosen, private=private)
    if not found:
        if len(refused) == 1:
            raise refused[0]
        reasons = "; ".join(e.message for e in refused)
        raise UnsupportedError("fhe.plan.none", f"no preset fits: {reasons}")
    return found[0]


def candidates(
    network: Network, circuit_digest: bytes, *, samples: int, presets: Iterable[Preset], private: bool = False
) -> tuple[list[EncryptedPlan], list[UnsupportedError]]:
    """Every plan that fits, cheapest first, and why the others do not."""
    from fhe.cost import estimate
    from fhe.privacy import check_room

    found, refused = [], []
    for preset in presets:
        for packing in preset.packings:
            try:
                interface = design(network, packing, preset, samples)
                if private:
                    interface = replace(interface, keys=replace(interface.keys, public=True))
                made = EncryptedPlan(network, interface, packing, circuit_digest, private)
                check_noise(made)
                if private:
                    check_room(made)
            except UnsupportedError as error:
                refused.append(error)
            else:
                found.append(made)
    found.sort(key=lambda p: (estimate(p).cpu_ms, estimate(p).bytes_sent + estimate(p).bytes_returned))
    return found, refused
