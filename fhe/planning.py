# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which packing and preset a network runs in, and why: every pair that fits, its cost, the cheapest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from circuits import Circuit
from fhe.errors import UnsupportedError
from fhe.interface import Interface
from fhe.network import Network, read_network
from fhe.noise import check_noise
from fhe.packing import coefficient, columns, slots
from fhe.presets import PRESETS, Preset, preset_of

__all__ = ["EncryptedPlan", "candidates", "plan", "remake"]

_DESIGNS = {"coefficient": coefficient.design, "columns": columns.design, "diagonals": slots.design}


@dataclass(frozen=True, eq=False, slots=True)
class EncryptedPlan:
    """A network, how it is packed, and what it costs.

    Attributes:
        circuit: what the network was read from.
        private: replies are re-randomised and flooded.
    """

    circuit: Circuit
    network: Network
    interface: Interface
    packing: str
    private: bool = False

    @property
    def circuit_digest(self) -> bytes:
        """The circuit's."""
        return self.circuit.digest

    @property
    def spec(self) -> dict[str, object]:
        """What `remake` needs besides the circuit; JSON."""
        return {
            "preset": self.preset.name,
            "packing": self.packing,
            "samples": self.interface.samples,
            "private": self.private,
            "start": self.network.start,
            "stop": self.network.stop,
        }

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
    found, refused = candidates(circuit, network, samples=samples, presets=chosen, private=private)
    if not found:
        if len(refused) == 1:
            raise refused[0]
        reasons = "; ".join(e.message for e in refused)
        raise UnsupportedError("fhe.plan.none", f"no preset fits: {reasons}")
    return found[0]


def candidates(
    circuit: Circuit, network: Network, *, samples: int, presets: Iterable[Preset], private: bool = False
) -> tuple[list[EncryptedPlan], list[UnsupportedError]]:
    """Every plan that fits, cheapest first, and why the others do not."""
    from fhe.cost import estimate

    found, refused = [], []
    for preset in presets:
        for packing in preset.packings:
            try:
                made = _made(circuit, network, preset, packing, samples, private)
            except UnsupportedError as error:
                refused.append(error)
            else:
                found.append(made)
    found.sort(key=lambda p: (estimate(p).cpu_ms, estimate(p).bytes_sent + estimate(p).bytes_returned))
    return found, refused


def _made(
    circuit: Circuit, network: Network, preset: Preset, packing: str, samples: int, private: bool
) -> EncryptedPlan:
    from fhe.privacy import check_room

    interface = design(network, packing, preset, samples)
    if private:
        interface = replace(interface, keys=replace(interface.keys, public=True))
    made = EncryptedPlan(circuit, network, interface, packing, private)
    check_noise(made)
    if private:
        check_room(made)
    return made


def remake(circuit: Circuit, spec: Mapping[str, Any]) -> EncryptedPlan:
    """The plan whose `spec` that is: what a worker and an auditor do. Raises as `plan`."""
    network = read_network(circuit, start=int(spec["start"]), stop=int(spec["stop"]))
    preset = preset_of(str(spec["preset"]))
    return _made(circuit, network, preset, str(spec["packing"]), int(spec["samples"]), bool(spec["private"]))
