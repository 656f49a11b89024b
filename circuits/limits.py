# SPDX-License-Identifier: AGPL-3.0-or-later
"""Caps of `circuit@v1`, in one place. A file or graph beyond any of them is malformed."""

from __future__ import annotations

MAGNITUDE = 1 << 53
"""Every tensor, constant and partial sum stays strictly below this in magnitude: exact in float64."""

NARROW = 1 << 24
"""Below this, integers and their partial sums are exact in float32."""

MAX_FILE = 1 << 30
"""Bytes of a circuit file."""

MAX_HEADER = 1 << 22
"""Bytes of a circuit header."""

MAX_DEPTH = 8
"""Nesting of the header's CBOR."""

MAX_ITEMS = 1 << 20
"""CBOR items in a header."""

MAX_TENSORS = 1 << 16
MAX_GATES = 1 << 16
MAX_CONSTANTS = 1 << 17
MAX_PORTS = 64
MAX_OPERANDS = 64
"""Inputs, or constants, of one gate."""

MAX_RANK = 8
"""Axes of a per-sample shape or of a constant."""

MAX_ELEMENTS = 1 << 26
"""Elements of one tensor, per sample."""

MAX_CONSTANT_ELEMENTS = 1 << 26
"""Elements of one constant."""

MAX_CONSTANT_READS = 1 << 28
"""Sum over gates of the elements of their constants: bounds time and memory of loading when constants are shared."""

MAX_JOINT_ELEMENTS = 1 << 24
"""Elements of the constants of one `affine` gate broadcast together."""

MAX_NAME = 255
"""UTF-8 bytes of a name."""

MAX_SHIFT = 52
"""Largest shift of a `requant` gate."""

MAX_UNITS = 60
"""Emitted values are in units of at most 2^+-60: float32 stays far from its subnormals and its infinity."""
