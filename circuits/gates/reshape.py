# SPDX-License-Identifier: AGPL-3.0-or-later
"""reshape: the same elements in row-major order under another per-sample shape (flatten, squeeze, unsqueeze).

Attributes  shape, fully resolved (no -1, no 0).
Shape       as said; the number of elements must not change.
Bounds      those of x.
Proof       the identity on power-of-two strides; otherwise a re-indexing of the claim.
Encrypted   yes: free, or rotations where the packing changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.attributes import Field, Ints
from circuits.gates.layout import LayoutRule
from circuits.gates.rule import Site
from circuits.limits import MAX_ELEMENTS, MAX_RANK

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Value


class Reshape(LayoutRule):
    kind = "reshape"
    schema: ClassVar[Mapping[str, Field]] = {"shape": Ints(1, MAX_ELEMENTS, MAX_RANK)}

    def shape(self, site: Site) -> Shape:
        x, shape = site.inputs[0], site.integers("shape")
        if int(np.prod(shape, dtype=object)) != x.elements:
            raise site.refuse("shape", f"{list(x.shape)} has {x.elements} elements, {list(shape)} has not")
        return shape

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        return arrays[0].reshape(len(arrays[0]), *site.integers("shape"))

    def emit(self, job: Job) -> Value:
        value = job.uniform(job.operand(0))
        name = value.name
        if job.output.shape != job.site.inputs[0].shape:
            target = job.writer.constant(np.array([0, *job.output.shape], dtype=np.int64))  # 0 keeps the batch
            name = job.writer.node("Reshape", [name, target])
        return job.value(name, value.wide, value.exponent, value.reach)
