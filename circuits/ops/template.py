# SPDX-License-Identifier: AGPL-3.0-or-later
"""Template: y = x * x. Copy this file, rename, and add the class to `registry.py` (it is not there itself).

Say here what the operator becomes in integers. This one: one table over the input's grid.

1. `name`, `domain`, `since`: which operator, from which opset on its meaning below is right.
2. `attributes`: every attribute that you understand or refuse by value. Others are refused for you.
3. `shapes`: full shapes of the outputs; axis 0 of what depends on the input is BATCH.
4. `form`: the real-valued meaning as one of `forms.py`. Elementwise functions give `scalar` instead.
5. `fold`: outputs for constant inputs, if shape computations or weights pass through the operator.
6. Tests in `tests/compiler`: against onnxruntime over attribute combinations, and each refusal.
"""

from __future__ import annotations

from decimal import Decimal

from circuits.ops.elementwise import Elementwise
from circuits.ops.operator import Call


class Square(Elementwise):
    """x * x"""

    name = "Square"
    domain = "org.example"
    since = 1

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        return args[0] * args[0]
