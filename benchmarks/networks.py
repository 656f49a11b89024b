# SPDX-License-Identifier: AGPL-3.0-or-later
"""Float networks as ONNX: of given weights, or of random ones where what counts is the architecture alone.

Every one has opset 17, an input ``image`` of float32 [N, *shape] and an output ``logits`` of float32 [N, classes].
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Floats = npt.NDArray[np.float32]


class _Layers:
    """Nodes and initializers, in order; ``last`` is the tensor that the next layer reads."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: list[onnx.TensorProto] = []
        self.last = "image"

    def add(self, kind: str, name: str, arrays: Sequence[Floats] = (), **attributes: Any) -> None:
        """One node, and its weight and bias where it has them."""
        names = [f"{name}.{part}" for part in ("weight", "bias")[: len(arrays)]]
        self.arrays += [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
        self.nodes.append(helper.make_node(kind, [self.last, *names], [name], name, **attributes))
        self.last = name

    def dense(self, weights: Sequence[Floats], biases: Sequence[Floats]) -> None:
        """Gemm with ReLU behind it, and a last Gemm without."""
        for i, pair in enumerate(zip(weights, biases, strict=True), 1):
            last = i == len(weights)
            self.add("Gemm", "logits" if last else f"fc{i}", pair)
            if not last:
                self.add("Relu", f"fc{i}.relu")

    def model(self, name: str, shape: Sequence[int], classes: int) -> bytes:
        """The file's bytes, checked."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *shape])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])],
            self.arrays,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="affidavit/benchmarks"
        )
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def mlp(weights: Sequence[Floats], biases: Sequence[Floats]) -> bytes:
    """A multi-layer perceptron: weights [in, out], biases [out]."""
    layers = _Layers()
    layers.dense(weights, biases)
    return layers.model("mlp", weights[0].shape[:1], len(biases[-1]))


def _drawn(rng: np.random.Generator, shape: Sequence[int], fan_in: int) -> Floats:
    return rng.normal(0, np.sqrt(2 / fan_in), tuple(shape)).astype(np.float32)


def _dense_weights(rng: np.random.Generator, sizes: Sequence[int]) -> tuple[list[Floats], list[Floats]]:
    weights = [_drawn(rng, (a, b), a) for a, b in pairwise(sizes)]
    return weights, [rng.normal(0, 0.1, b).astype(np.float32) for b in sizes[1:]]


def random_mlp(sizes: Sequence[int]) -> bytes:
    """A multi-layer perceptron of these sizes, input first."""
    return mlp(*_dense_weights(np.random.default_rng(1), sizes))


def random_cnn(shape: Sequence[int], channels: Sequence[int], sizes: Sequence[int]) -> bytes:
    """Convolutions 5x5 without padding, each with ReLU and max-pooling 2x2, then dense layers.

    Args:
        shape: channels, height, width of the input.
        channels: of each convolution.
        sizes: of the dense layers behind them.
    """
    rng, layers = np.random.default_rng(2), _Layers()
    depth, height, width = shape
    for i, out in enumerate(channels, 1):
        filters = _drawn(rng, (out, depth, 5, 5), 25 * depth)
        layers.add("Conv", f"conv{i}", (filters, rng.normal(0, 0.1, out).astype(np.float32)))
        layers.add("Relu", f"conv{i}.relu")
        layers.add("MaxPool", f"pool{i}", kernel_shape=[2, 2], strides=[2, 2])
        depth, height, width = out, (height - 4) // 2, (width - 4) // 2
    layers.add("Flatten", "flatten")
    layers.dense(*_dense_weights(rng, (depth * height * width, *sizes)))
    return layers.model("cnn", shape, sizes[-1])
