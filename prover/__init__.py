# SPDX-License-Identifier: AGPL-3.0-or-later
"""How it is proved: what a node computes about an execution so that :mod:`verifier` believes it.

::

    leaf[i] = SHA-256(0x00 || label || salt || i || tensor_i)          i over every tensor of the circuit
    root    = MerkleRoot(leaf[0], ..., leaf[n-1])                      RFC 6962, section 2.1
    proof   = an argument of knowledge of committed columns Z with <Z, W> = value    verifier.proof

The trusted side defines the protocols (``verifier.trace``, ``verifier.proof``); this room satisfies them, and no check
ever imports it.

==============  ===========================================================================
module          holds
==============  ===========================================================================
proving         ``prove``: an execution in, a succinct proof (``verifier.proof``) out
witness         the columns that a proof commits to
lookup          fractions, level by level
inner_product   the sumcheck that ends in one point
products        sumchecks of products
layers          layers with committed weights, and ``commit_weights``
opening         matrix, code, Merkle tree
cache           ``WeightsCache``: set-ups of models, kept on disk and checked when read
kernels, sha    compiled loops
messages        proof bytes
commitment      ``commit_execution``: the Merkle commitment to everything a circuit computed
==============  ===========================================================================

A trace commitment proves nothing by itself: it binds the node, so that a second party's recomputation either matches it
bit for bit or names the first operation that differs. It hides the tensors when it is salted, and only then.  A proof
needs no second party, and is not zero-knowledge.
Imported by ``node``; imports ``circuits`` and what ``verifier`` defines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prover.commitment import TraceCommitment, commit_execution
from verifier.errors import OperationalError

if TYPE_CHECKING:
    from prover.layers import WeightsCommitment, commit_weights
    from prover.proving import Proof, prove

__all__ = ["Proof", "TraceCommitment", "WeightsCommitment", "commit_execution", "commit_weights", "prove"]

_HOMES = {
    "Proof": "prover.proving",
    "WeightsCommitment": "prover.layers",
    "commit_weights": "prover.layers",
    "prove": "prover.proving",
}


def __getattr__(name: str) -> object:
    """Import what proves on first use: compiled kernels take a while to load."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'prover' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except RuntimeError as error:  # numba finds no folder where it may keep what it compiles
        raise OperationalError(
            "proof.kernels.unusable",
            f"the prover's kernels cannot be kept: {str(error)[:120]}",
            remedy="set NUMBA_CACHE_DIR to a folder that this user can write",
        ) from None
