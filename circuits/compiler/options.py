# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a caller may choose, with the defaults and limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from circuits.errors import MalformedError
from circuits.ops.forms import Interval

Progress: TypeAlias = Callable[[str, int, int], None]
"""`progress(stage, done, total)`"""


@dataclass(frozen=True)
class Options:
    """`activation_bits` None: chosen per tensor, 8 to 12, from the fan-in of what reads it."""

    activation_bits: int | None = None
    weight_bits: int = 16
    input_range: Mapping[str, Interval] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.activation_bits is not None and not 4 <= self.activation_bits <= 16:
            raise MalformedError("compile.option.activation-bits", f"{self.activation_bits}; 4 to 16 are possible")
        if not 4 <= self.weight_bits <= 24:
            raise MalformedError("compile.option.weight-bits", f"{self.weight_bits}; 4 to 24 are possible")
        for name, (lo, hi) in self.input_range.items():
            if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
                raise MalformedError("compile.option.input-range", f"input {name!r}: ({lo}, {hi}) is not a range")
