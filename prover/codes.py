# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of this room with its meaning, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "proof.kernels.unusable": "the prover's compiled kernels cannot be kept anywhere",
        "proof.mode.unsupported": "a mode that this prover does not know",
        "proof.witness.range": "the tensors are no execution of the circuit",
    }
)
