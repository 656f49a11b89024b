# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzz target of the circuit loader: only typed errors, and what loads is canonical.

`python -m tests.fuzz.fuzz_circuit CORPUS` runs it under atheris, where that is installed.
"""

from __future__ import annotations

import sys

from circuits import CircuitError, dump_circuit, load_circuit


def fuzz_circuit(data: bytes) -> None:
    """Load hostile bytes; a circuit that loads must be written back to the same bytes."""
    try:
        circuit = load_circuit(data)
    except CircuitError:
        return
    if dump_circuit(circuit) != data:
        raise RuntimeError("a circuit file has two encodings")


if __name__ == "__main__":
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz_circuit)
    atheris.Fuzz()
