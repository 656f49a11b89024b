# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small fixed circuits that tests and vectors share."""

from __future__ import annotations

import numpy as np

from circuits import Circuit, CircuitBuilder


def tiny() -> Circuit:
    """y = clamp((x @ W + b) >> 4, -128, 127) on three inputs: the smallest circuit with weights."""
    b = CircuitBuilder(source={"onnx-sha256": bytes(32), "compiler": "by hand"})
    x = b.input("x", [3], -128, 127, scale=0.5)
    weights = b.constant("fc.weight", np.array([[1, -2], [300, 4], [-5, 6]]))
    fc = b.gate("dense", "fc", [x], [weights, b.constant("fc.bias", np.array([8, -70000]))])
    y = b.gate("requant", "y", [fc], [b.constant("y.shift", [4])], lo=-128, hi=127)
    b.output("y", y, scale=0.125)
    return b.build(quality={"top-1 agreement": 1.0})


def small_net() -> Circuit:
    """A residual convolutional network in miniature, with arg_max and softmax: the shapes of real circuits."""
    rng = np.random.default_rng(1)
    b = CircuitBuilder()
    x = b.input("image", [3, 9, 9], 0, 255, dtype="uint8")
    w1 = b.constant("w1", rng.integers(-127, 128, (4, 3, 3, 3)))
    stem = b.gate("conv", "stem", [x], [w1, b.constant("b1", rng.integers(-500, 500, 4))], pads=[1, 1, 1, 1])
    act = b.gate("requant", "act", [stem], [b.constant("s1", [7, 8, 9, 7])], lo=0, hi=255)
    pool = b.gate("max_pool", "pool", [act], kernel=[3, 3], strides=[2, 2])
    w2 = b.constant("w2", rng.integers(-127, 128, (4, 4, 3, 3)))
    body = b.gate("conv", "body", [pool], [w2, b.constant("b2", rng.integers(-500, 500, 4))], pads=[1, 1, 1, 1])
    skip = [b.constant("one", [1]), b.constant("lift", [256]), b.constant("half", [128])]
    added = b.gate("affine", "add", [body, pool], skip)
    out = b.gate("requant", "out", [added], [b.constant("s2", [8])], lo=0, hi=255)
    total = b.gate("reduce_sum", "total", [out], axes=[1, 2])
    w3 = b.constant("w3", rng.integers(-127, 128, (4, 5)))
    logits = b.gate("dense", "logits", [total], [w3, b.constant("b3", rng.integers(-500, 500, 5))])
    small = b.gate("requant", "small", [logits], [b.constant("s3", [9])], lo=-512, hi=511)
    table = np.floor(np.exp(-np.arange(200) / 16) * (1 << 15) + 0.5).astype(np.int64)
    probability = b.gate("softmax", "probability", [small], [b.constant("exp", table)], axis=0)
    best = b.gate("arg_max", "best", [logits], axis=0)
    b.output("probability", probability, scale=2.0**-15)
    b.output("class", best, dtype="int64")
    return b.build()


def every_gate() -> Circuit:
    """Each kind of gate at least once, with every attribute away from its default."""
    b = CircuitBuilder()
    x = b.input("x", [2, 6, 5], -50, 60, scale=0.25, real_lo=-20.0, real_hi=20.0)
    weights = b.constant("conv.w", np.arange(-9, 9).reshape(2, 1, 3, 3))
    conv = b.gate(
        "conv",
        "conv",
        [x],
        [weights, b.constant("conv.b", [5, -5])],
        strides=[2, 1],
        pads=[1, 0, 1, 2],
        dilations=[1, 2],
        groups=2,
    )
    cut = b.gate("requant", "cut", [conv], [b.constant("cut.s", [3, 5])], lo=-40, hi=50)
    looked = b.gate("table", "looked", [cut], [b.constant("looked.t", np.arange(91) * 7 % 91 - 45)])
    pool = b.gate("max_pool", "pool", [looked], kernel=[2, 2], strides=[1, 2], pads=[1, 0, 0, 1], dilations=[1, 1])
    padded = b.gate("pad", "padded", [pool], pads=[0, 1, 0, 0, 0, 1], value=-7)
    swapped = b.gate("transpose", "swapped", [padded], perm=[0, 2, 1])
    product = b.gate("matmul", "product", [padded, swapped])
    square = b.gate("mul", "square", [product, product])
    joined = b.gate("concat", "joined", [padded, padded], axis=2)
    summed = b.gate("reduce_sum", "summed", [joined], axes=[0, 2], keepdims=True)
    flat = b.gate("reshape", "flat", [square], shape=[square_elements(b, square)])
    fc = b.constant("fc.w", np.arange(-3, -3 + 2 * square_elements(b, square)).reshape(-1, 2))
    dense = b.gate("dense", "fc", [flat], [fc, b.constant("fc.b", [1 << 40, 0])])
    mixed = b.gate(
        "affine", "mixed", [dense, dense], [b.constant("m1", [3, -4]), b.constant("m2", [1]), b.constant("c", [9, 0])]
    )
    best = b.gate("arg_max", "best", [summed], axis=1, keepdims=True, select_last_index=True)
    soft = b.gate("softmax", "soft", [cut], [b.constant("soft.t", [1000, 500, 100, 0, 1])], axis=2, P=20)
    b.output("mixed", mixed, dtype="float64", scale=2.0**-20)
    b.output("best", best, dtype="int64")
    b.output("soft", soft, scale=2.0**-20)
    return b.build(quality={"note": "by hand", "errors": [0.0, 1e-9]})


def square_elements(b: CircuitBuilder, index: int) -> int:
    """Elements per sample of a tensor under construction."""
    return b.tensor(index).elements
