# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which packing and preset a network runs in, and why: every pair that fits, its cost, the cheapest first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from circuits import Circuit
from circuits.canonical_cbor import encode
from circuits.circuit import IntArray
from fhe.errors import MalformedError, UnsupportedError
from fhe.interface import Interface, check_limits
from fhe.network import Network, read_network
from fhe.noise import check_noise, check_precision
from fhe.packing import coefficient, columns, slots
from fhe.presets import PRESETS, Preset, preset_of

__all__ = ["EncryptedPlan", "candidates", "plan", "remake"]

_DESIGNS = {"coefficient": coefficient.design, "columns": columns.design, "diagonals": slots.design}

SMALLER = "`affidavit fhe plan` says which part of it runs; fewer bits, fewer squares or bare replies take less room"
"""What to do where no preset fits."""


@dataclass(frozen=True, eq=False, slots=True)
class EncryptedPlan:
    """A network, how it is packed, and what it costs.

    Attributes:
        circuit: what the network was read from.
        private: replies are re-randomised and flooded.
        magnitudes: CKKS: what each layer's values are expected to stay within; empty: the circuit's bounds.
    """

    circuit: Circuit
    network: Network
    interface: Interface
    packing: str
    private: bool = False
    magnitudes: tuple[int, ...] = ()

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
            "magnitudes": list(self.magnitudes),
        }

    @property
    def digest(self) -> bytes:
        """SHA-256 of label, circuit and `spec`: 32 bytes. The interface names it, so no other part of the circuit,
        scaling of its layers or treatment of its replies can stand behind an interface that somebody agreed to."""
        return hashlib.sha256(b"affidavit/fhe-plan@v1\0" + self.circuit_digest + encode(self.spec)).digest()

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
    exact: bool = False,
    start: int | None = None,
    stop: int | None = None,
    calibration: IntArray | None = None,
) -> EncryptedPlan:
    """The cheapest way to run a circuit, or the part between two of its tensors, encrypted.

    Args:
        circuit: what is to run.
        samples: samples per request.
        preset: only this preset.
        private: the model must not leak: only presets with room to flood the replies.
        exact: BFV alone: the circuit's own integers.
        start, stop: see :func:`fhe.read_network`.
        calibration: typical inputs of that part, integers [samples, ...]. CKKS then makes room for four times the
            values seen instead of the circuit's bounds: far more precise, and wrong where values go beyond.

    Raises UnsupportedError: ``fhe.network.*``, ``fhe.plan.none`` with the reason of each preset.
    """
    network = read_network(circuit, start=start, stop=stop)
    chosen = presets_for(preset, exact=exact)
    magnitudes = () if calibration is None else tuple(network.measured(calibration))
    found, refused = candidates(
        circuit, network, samples=samples, presets=chosen, private=private, magnitudes=magnitudes
    )
    if not found:
        if len(refused) == 1:
            raise refused[0]
        reasons = "; ".join(dict.fromkeys(e.message for e in refused))
        raise UnsupportedError("fhe.plan.none", f"no preset fits: {reasons}", SMALLER)
    return found[0]


def presets_for(name: str | None, *, exact: bool = False) -> list[Preset]:
    """The preset of that name, or all of them; with `exact` those of BFV.

    Raises UnsupportedError: ``fhe.preset.unknown``, ``fhe.plan.inexact``.
    """
    found = [preset_of(name)] if name is not None else list(PRESETS.values())
    found = [preset for preset in found if not exact or preset.scheme == "bfv"]
    if not found:
        raise UnsupportedError("fhe.plan.inexact", f"{name} is approximate", "choose a BFV preset")
    return found


def candidates(
    circuit: Circuit,
    network: Network,
    *,
    samples: int,
    presets: Iterable[Preset],
    private: bool = False,
    magnitudes: Sequence[int] = (),
) -> tuple[list[EncryptedPlan], list[UnsupportedError]]:
    """Every plan that fits, cheapest first, and why the others do not."""
    from fhe.cost import estimate

    found, refused = [], []
    for preset in presets:
        for packing in preset.packings:
            try:
                made = _made(circuit, network, preset, packing, samples, private, magnitudes)
            except UnsupportedError as error:
                said = error.message if preset.name in error.message else f"{preset.name}: {error.message}"
                refused.append(UnsupportedError(error.code, said, error.remedy))
            else:
                found.append(made)
    found.sort(key=lambda p: (estimate(p).cpu_ms, estimate(p).bytes_sent + estimate(p).bytes_returned))
    return found, refused


def _made(
    circuit: Circuit,
    network: Network,
    preset: Preset,
    packing: str,
    samples: int,
    private: bool,
    magnitudes: Sequence[int],
) -> EncryptedPlan:
    from fhe.privacy import check_room

    expected = tuple(magnitudes) if preset.scheme == "ckks" else ()  # BFV is exact, for every input
    if expected:
        network = network.limited(expected)

    if samples < 1:
        raise UnsupportedError("fhe.plan.packing", f"{samples} samples; required at least one")
    interface = design(network, packing, preset, samples)
    try:
        check_limits(interface)
    except MalformedError as error:
        raise UnsupportedError("fhe.plan.packing", f"{samples} samples in {preset.name}: {error.message}") from None
    if private:
        interface = replace(interface, keys=replace(interface.keys, public=True))
    made = EncryptedPlan(circuit, network, interface, packing, private, expected)
    made = replace(made, interface=replace(interface, plan=made.digest))
    check_noise(made)
    check_precision(made)
    if private:
        check_room(made)
    return made


def remake(circuit: Circuit, spec: Mapping[str, Any]) -> EncryptedPlan:
    """The plan whose `spec` that is: what a worker and an auditor do.

    Raises as `plan`, and MalformedError (``fhe.plan.spec``).
    """
    types: dict[str, type] = {"preset": str, "packing": str, "samples": int, "private": bool, "start": int, "stop": int}
    types["magnitudes"] = list
    if set(spec) != set(types) or any(type(spec[name]) is not kind for name, kind in types.items()):
        raise MalformedError("fhe.plan.spec", f"required {', '.join(types)}, each of its type")
    network = read_network(circuit, start=spec["start"], stop=spec["stop"])
    magnitudes: list[int] = spec["magnitudes"]
    if len(magnitudes) not in (0, len(network.layers)) or any(type(m) is not int or m < 1 for m in magnitudes):
        raise MalformedError("fhe.plan.spec", "magnitudes: none, or a positive integer for each layer")
    preset = preset_of(spec["preset"])
    return _made(circuit, network, preset, spec["packing"], spec["samples"], spec["private"], magnitudes)
