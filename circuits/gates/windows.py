# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sliding windows over the spatial axes of [C, d1 (, d2)]: shapes and views, for conv and max_pool."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from circuits.circuit import Attribute, IntArray, Shape
from circuits.gates.attributes import Ints
from circuits.gates.rule import Site
from circuits.limits import MAX_ELEMENTS

WINDOW_SCHEMA = {
    "strides": Ints(1, length=2),
    "pads": Ints(0, length=4),
    "dilations": Ints(1, length=2),
}


def window_defaults(rank: int) -> Mapping[str, Attribute]:
    """Stride 1, dilation 1, no padding."""
    return {"strides": (1,) * rank, "pads": (0,) * (2 * rank), "dilations": (1,) * rank}


def window_shape(site: Site, kernel: Sequence[int]) -> Shape:
    """Output size per spatial axis: floor((d + begin + end - (dilation * (k - 1) + 1)) / stride) + 1."""
    spatial = site.inputs[0].shape[1:]
    rank = len(spatial)
    strides, pads, dilations = (site.integers(name) for name in ("strides", "pads", "dilations"))
    if not 1 <= rank <= 2:
        raise site.refuse("rank", f"input {list(site.inputs[0].shape)} has {rank} spatial axes; required 1 or 2")
    if len(kernel) != rank or len(strides) != rank or len(dilations) != rank or len(pads) != 2 * rank:
        raise site.refuse("attribute", f"kernel, strides, pads, dilations don't fit {rank} spatial axes")
    padded = [d + pads[i] + pads[rank + i] for i, d in enumerate(spatial)]
    if math.prod(padded) * site.inputs[0].shape[0] > MAX_ELEMENTS:
        raise site.refuse("shape", f"padded input {padded} has over {MAX_ELEMENTS} elements")
    out = []
    for axis, size in enumerate(padded):
        extent = dilations[axis] * (kernel[axis] - 1) + 1
        room = size - extent
        if room < 0:
            raise site.refuse("shape", f"window of {extent} on axis {axis} is larger than the padded input")
        out.append(room // strides[axis] + 1)
    return tuple(out)


def windows(x: IntArray, kernel: Sequence[int], site: Site, fill: int) -> npt.NDArray[np.int64]:
    """View of all windows: x [N, C, d...] -> [N, C, out..., kernel...], padding positions hold `fill`."""
    rank = len(kernel)
    strides, pads, dilations = (site.integers(name) for name in ("strides", "pads", "dilations"))
    widths = [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)]
    padded = np.pad(x, widths, constant_values=fill)
    extents = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, extents, axis=tuple(range(2, 2 + rank)))
    pick = [slice(None), slice(None), *(slice(None, None, s) for s in strides)]
    pick += [slice(None, None, d) for d in dilations]
    return view[tuple(pick)]
