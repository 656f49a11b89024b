# SPDX-License-Identifier: AGPL-3.0-or-later
"""A grey image in a terminal: half blocks where there is colour, characters by darkness elsewhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.text import Text

_RAMP = " .:-=+*#%@"


def draw(console: Console, image: npt.NDArray[np.uint8]) -> None:
    """Print ``image`` (height x width, 0 is black), cut to its content with a margin of one pixel."""
    rows, columns = np.nonzero(image)
    if len(rows):
        image = image[max(rows.min() - 1, 0) : rows.max() + 2, max(columns.min() - 1, 0) : columns.max() + 2]
    if console.is_terminal and console.color_system in ("truecolor", "256"):
        _blocks(console, image)
    else:
        for row in image:
            line = "".join(_RAMP[int(value) * (len(_RAMP) - 1) // 255] * 2 for value in row)
            console.print(Text("    " + line.rstrip()))


def _blocks(console: Console, image: npt.NDArray[np.uint8]) -> None:
    if len(image) % 2:
        image = np.vstack([image, np.zeros_like(image[:1])])
    for upper, lower in zip(image[0::2], image[1::2], strict=True):
        line = Text("    ")
        for top, bottom in zip(upper.tolist(), lower.tolist(), strict=True):
            line.append("▀", style=f"rgb({top},{top},{top}) on rgb({bottom},{bottom},{bottom})")
        console.print(line)
