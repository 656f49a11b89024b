# SPDX-License-Identifier: AGPL-3.0-or-later
"""Broadcasting of per-sample shapes under a leading batch axis."""

from __future__ import annotations

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.rule import Site


def joint_shape(site: Site) -> Shape:
    """Broadcast of the inputs' per-sample shapes by numpy's rules."""
    try:
        return np.broadcast_shapes(*(t.shape for t in site.inputs))
    except ValueError:
        shapes = ", ".join(str(list(t.shape)) for t in site.inputs)
        raise site.refuse("shape", f"shapes {shapes} don't broadcast") from None


def align(x: IntArray, rank: int) -> IntArray:
    """[N, *shape] -> [N, 1, ..., *shape] with `rank` axes after the batch."""
    return x.reshape(x.shape[0], *([1] * (rank + 1 - x.ndim)), *x.shape[1:])
