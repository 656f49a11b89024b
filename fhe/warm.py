# SPDX-License-Identifier: AGPL-3.0-or-later
"""Load the compiled kernels before a worker shuts its door: ``python -m fhe.warm`` compiles them once.

Every packing runs once in a small ring with made-up keys; what it computes is not looked at.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from importlib import import_module

import numpy as np

from circuits import Circuit, CircuitBuilder
from fhe.errors import UnsupportedError
from fhe.evaluation import Evaluation
from fhe.interface import KeyDemand
from fhe.network import read_network
from fhe.planning import EncryptedPlan, design
from fhe.presets import PRESETS, Preset, largest_primes
from fhe.seal_bridge import check_presets
from fhe.wire import Ciphertexts, EvaluationKeys, Limbs

_N = 1024


def small_circuit(squares: int) -> Circuit:
    """Linear layers with squares between them."""
    builder = CircuitBuilder()
    tensor = builder.input("x", (8,), 0, 3)
    for i in range(squares + 1):
        if i:
            tensor = builder.gate("mul", f"square.{i}", [tensor, tensor])
        size = 8 if i == 0 else 4
        constants = [
            builder.constant(f"w.{i}", np.ones((size, 4), np.int64)),
            builder.constant(f"b.{i}", np.ones(4, np.int64)),
        ]
        tensor = builder.gate("dense", f"dense.{i}", [tensor], constants)
    builder.output("y", tensor)
    return builder.build()


def _preset(scheme: str, packing: str, ntt: bool) -> Preset:
    moduli = largest_primes(_N, [40, 30, 30, 30, 31])
    bfv = scheme == "bfv"
    return Preset(
        "warm", "bfv" if bfv else "ckks", _N, moduli, 65537 * bfv, 0 if bfv else 20, ntt, 3, (packing,), bfv, ""
    )


def _random(preset: Preset, rows: int, moduli: list[int]) -> Limbs:
    rng = np.random.default_rng(1)
    return np.stack([rng.integers(0, q, (rows, 2, preset.n), np.uint64) for q in moduli], axis=2)


def _keys(preset: Preset, demand: KeyDemand) -> EvaluationKeys:
    def switching(digits: int) -> Limbs:
        return _random(preset, digits, [*preset.moduli[:digits], preset.moduli[-1]])

    galois = {element: switching(digits) for element, digits in demand.galois.items()}
    public = _random(preset, 1, list(preset.moduli))[0] if demand.public else None
    return EvaluationKeys(preset, public, switching(demand.relin) if demand.relin else None, galois)


def warm() -> None:
    """Run every kernel, load the native libraries that are installed, and have SEAL check every preset."""
    with suppress(UnsupportedError):
        check_presets(PRESETS)
    with suppress(ImportError):
        import_module("zstandard")
    for scheme, packing, ntt, squares in (
        ("bfv", "coefficient", True, 0),
        ("bfv", "columns", False, 0),
        ("ckks", "columns", True, 1),
        ("ckks", "diagonals", True, 1),
    ):
        circuit, preset = small_circuit(squares), _preset(scheme, packing, ntt)
        network = read_network(circuit)
        interface = design(network, packing, preset, 1)
        private = scheme == "bfv"
        if private:
            interface = replace(interface, keys=KeyDemand(public=True))
        plan = EncryptedPlan(circuit, network, interface, packing, private)
        request = Ciphertexts(preset, _random(preset, interface.sent, list(preset.moduli[:4])), interface.input_scale)
        Evaluation(plan, _keys(preset, interface.keys)).run(request, bytes(32) if private else None)


if __name__ == "__main__":
    warm()
