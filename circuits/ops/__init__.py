# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ONNX operators that the compiler understands, one per file.

An operator states its shape rule, which attributes and opsets it covers, and its real-valued meaning as one of the
few forms of `forms.py`. The forms are lowered to exact integer gates by `circuits/compiler/lowering`; each operator's
docstring says what it becomes in integers. Operators know nothing of the ONNX library.

==================  ==========================================================================================
module              what is there
==================  ==========================================================================================
forms               Linear, Table, Product, Pool, Layout, Softmax, ArgMax
operator            the base class `Operator`, and `Call`: a node with the shapes and constants of its inputs
batch               the batch size as a symbol
elementwise         base class of scalar functions
window              pads, strides, auto_pad and ceil_mode of convolutions and pools
registry            (domain, name) -> operator, and the refusal of everything else
template            the file to copy
==================  ==========================================================================================
"""

from circuits.ops.operator import Call, Node, Operator
from circuits.ops.registry import OPERATORS, operator

__all__ = ["OPERATORS", "Call", "Node", "Operator", "operator"]
