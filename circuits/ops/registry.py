# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which operators exist. Adding one is adding its file and a line here."""

from __future__ import annotations

from types import MappingProxyType

from circuits.errors import UnsupportedError
from circuits.ops.add import Add
from circuits.ops.arg_max import ArgMax
from circuits.ops.average_pool import AveragePool
from circuits.ops.batch_normalization import BatchNormalization
from circuits.ops.cast import Cast
from circuits.ops.clip import Clip
from circuits.ops.concat import Concat
from circuits.ops.constant import Constant
from circuits.ops.constant_of_shape import ConstantOfShape
from circuits.ops.conv import Conv
from circuits.ops.dequantize_linear import DequantizeLinear
from circuits.ops.div import Div
from circuits.ops.dropout import Dropout
from circuits.ops.flatten import Flatten
from circuits.ops.gather import Gather
from circuits.ops.gemm import Gemm
from circuits.ops.global_average_pool import GlobalAveragePool
from circuits.ops.hard_sigmoid import HardSigmoid
from circuits.ops.hard_swish import HardSwish
from circuits.ops.identity import Identity
from circuits.ops.leaky_relu import LeakyRelu
from circuits.ops.mat_mul import MatMul
from circuits.ops.max_pool import MaxPool
from circuits.ops.mul import Mul
from circuits.ops.operator import Node, Operator
from circuits.ops.pad import Pad
from circuits.ops.q_gemm import QGemm
from circuits.ops.q_linear_conv import QLinearConv
from circuits.ops.q_linear_mat_mul import QLinearMatMul
from circuits.ops.quantize_linear import QuantizeLinear
from circuits.ops.relu import Relu
from circuits.ops.reshape import Reshape
from circuits.ops.shape import Shape
from circuits.ops.sigmoid import Sigmoid
from circuits.ops.slice import Slice
from circuits.ops.softmax import Softmax
from circuits.ops.squeeze import Squeeze
from circuits.ops.sub import Sub
from circuits.ops.tanh import Tanh
from circuits.ops.transpose import Transpose
from circuits.ops.unsqueeze import Unsqueeze

_ALL: tuple[type[Operator], ...] = (
    Add, ArgMax, AveragePool, BatchNormalization, Cast, Clip, Concat, Constant, ConstantOfShape, Conv,
    DequantizeLinear, Div, Dropout, Flatten, Gather, Gemm, GlobalAveragePool, HardSigmoid, HardSwish, Identity,
    LeakyRelu, MatMul, MaxPool, Mul, Pad, QGemm, QLinearConv, QLinearMatMul, QuantizeLinear, Relu, Reshape, Shape,
    Sigmoid, Slice, Softmax, Squeeze, Sub, Tanh, Transpose, Unsqueeze,
)  # fmt: skip

OPERATORS = MappingProxyType({(cls.domain, cls.name): cls() for cls in _ALL})
"""(domain, name) -> operator."""


def operator(node: Node) -> Operator:
    """The operator of a node, or the refusal that names operator, node and remedy."""
    where = f"operator {node.domain + '.' if node.domain else ''}{node.op}, node {node.name!r}"
    found = OPERATORS.get((node.domain, node.op))
    if found is None:
        raise UnsupportedError(
            "compile.operator.unsupported",
            f"{where}: not among the {len(OPERATORS)} supported operators",
            "Rewrite this part of the model with supported operators (docs/compiling.md lists them).",
        )
    if node.opset < found.since:
        raise UnsupportedError(
            "compile.operator.unsupported",
            f"{where}: opset {node.opset} is older than {found.since}",
            "Convert the model to a newer opset (onnx.version_converter).",
        )
    unknown = sorted(set(node.attributes) - found.attributes)
    if unknown:
        raise UnsupportedError(
            "compile.operator.unsupported",
            f"{where}: attribute {unknown[0]!r} is not supported",
            "Export the model without it.",
        )
    return found
