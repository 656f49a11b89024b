# SPDX-License-Identifier: AGPL-3.0-or-later
"""transpose: a permutation of the per-sample axes.

Attributes  perm: output axis i is input axis perm[i].
Shape       permuted.
Bounds      those of x.
Proof       a permutation of the variables of the claim's point: free.
Encrypted   yes: rotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from circuits.circuit import IntArray, Shape
from circuits.gates.attributes import Field, Ints
from circuits.gates.layout import LayoutRule
from circuits.gates.rule import Site
from circuits.limits import MAX_RANK

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Value


class Transpose(LayoutRule):
    kind = "transpose"
    schema: ClassVar[Mapping[str, Field]] = {"perm": Ints(0, MAX_RANK - 1, MAX_RANK)}

    def shape(self, site: Site) -> Shape:
        x, perm = site.inputs[0].shape, site.integers("perm")
        if sorted(perm) != list(range(len(x))):
            raise site.refuse("attribute", f"perm {list(perm)} is not a permutation of the {len(x)} axes")
        return tuple(x[a] for a in perm)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        return arrays[0].transpose(0, *(a + 1 for a in site.integers("perm")))

    def emit(self, job: Job) -> Value:
        value = job.uniform(job.operand(0))
        perm = (0, *(a + 1 for a in job.site.integers("perm")))
        name = job.writer.node("Transpose", [value.name], perm=perm)
        return job.value(name, value.wide, value.exponent, value.reach)
