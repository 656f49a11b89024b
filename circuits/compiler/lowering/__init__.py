# SPDX-License-Identifier: AGPL-3.0-or-later
"""Forms to gates, once every grid is chosen. One module per form; `lower` is the pass."""

from circuits.compiler.lowering.lower import lower
from circuits.compiler.lowering.scene import Scene

__all__ = ["Scene", "lower"]
