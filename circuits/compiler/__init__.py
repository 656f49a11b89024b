# SPDX-License-Identifier: AGPL-3.0-or-later
"""ONNX model -> exact integer circuit, by post-training quantisation.

The passes, each a module that reads alone::

    importer      bytes -> Model                    strict; no ONNX types beyond this point
    folding       Model -> Folded                   shapes, constants, identities; the batch is a symbol
    univariate    elementwise subgraphs -> tables
    program       Folded -> Program                 every tensor one of the forms of circuits/ops/forms.py
    simplify      Program -> Program                linear maps merged
    calibration   real ranges, by running the float model
    groups, demands, ports, plan                    the grid of every tensor: real = scale * integer
    weights       real weights -> integers and shifts under the accumulator bound
    lowering/     forms -> gates
    exactness     onnxruntime against the reference interpreter
    quality       the circuit against the float model

Same model bytes, samples and options give the same circuit digest (docs/compiling.md says across which machines).
Imports onnx and onnxruntime; nothing on the verifying side imports this package.
"""

from circuits.compiler.compile import compile_model
from circuits.compiler.options import Options, Progress

__all__ = ["Options", "Progress", "compile_model"]
