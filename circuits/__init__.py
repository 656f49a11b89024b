# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is computed: exact integer circuits, their meaning, their file, and their execution in floating point.

A circuit is an ordered graph of integer gates in the profile `int-shift-floor@v1`::

    accumulate      acc = sum w*x + b                         exact, every partial sum below 2^53
    requantise      y   = clamp(acc >> s, lo, hi)             >> is floor division by 2^s
    real value      r   = integer * scale                     at the ports only

Every tensor has a per-sample shape and integer bounds; both are derived by the gate rules, never trusted.

==================  ========================================================================================
module              what is in it
==================  ========================================================================================
circuit             the records: Circuit, Tensor, Constant, Gate, Port
builder             CircuitBuilder: gate by gate, shapes and bounds filled in
gates/              one file per gate: shape, bounds, evaluate, emit, cost
derivation, graph   the checks that builder and loader share
constants           storage types of constants
canonical_cbor      RFC 8949 4.2.1, strict both ways
header, container   the `circuit@v1` file (docs/spec/circuit-v1.md)
signature           real arrays <-> integers at the ports
reference           `evaluate`, the meaning
limits, errors      caps and exceptions
emission/           circuit -> ONNX graph, bit-exact in onnxruntime (imports onnx)
ops/, compiler/     ONNX model -> circuit (imports onnx)
==================  ========================================================================================

It does not check that a circuit approximates any float model well (the compiler measures that), nor who made
it. Everything but emission/, ops/ and compiler/ needs numpy alone, so the verifying core may import it. This
room imports no other.
"""

from circuits.builder import CircuitBuilder
from circuits.circuit import Circuit, Constant, Gate, Port, Tensor
from circuits.container import dump_circuit, load_circuit, stated_digest
from circuits.errors import CircuitError, MalformedError, OperationalError, RejectedError, UnsupportedError
from circuits.reference import evaluate
from circuits.signature import decode_outputs, encode_inputs

__all__ = [
    "Circuit",
    "CircuitBuilder",
    "CircuitError",
    "Constant",
    "Gate",
    "MalformedError",
    "OperationalError",
    "Port",
    "RejectedError",
    "Tensor",
    "UnsupportedError",
    "decode_outputs",
    "dump_circuit",
    "encode_inputs",
    "evaluate",
    "load_circuit",
    "stated_digest",
]
