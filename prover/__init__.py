# SPDX-License-Identifier: AGPL-3.0-or-later
"""How it is proved: what a node computes about an execution so that :mod:`verifier` believes it.

::

    leaf[i] = SHA-256(0x00 || label || salt || i || tensor_i)          i over every tensor of the circuit
    root    = MerkleRoot(leaf[0], ..., leaf[n-1])                      RFC 6962, section 2.1

The trusted side defines the protocol (``verifier.trace``); this room satisfies it, and no check ever imports it.

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
kernels, sha    compiled loops
messages        proof bytes
commitment      ``commit_execution``: the Merkle commitment to everything a circuit computed
==============  ===========================================================================

A trace commitment proves nothing by itself: it binds the node, so that a second party's recomputation either matches it
bit for bit or names the first operation that differs. It hides the tensors when it is salted, and only then.
Imported by ``node``; imports ``circuits`` and what ``verifier`` defines.
"""

from __future__ import annotations

from prover.commitment import TraceCommitment, commit_execution
from prover.layers import WeightsCommitment, commit_weights
from prover.proving import Proof, prove

__all__ = ["Proof", "TraceCommitment", "WeightsCommitment", "commit_execution", "commit_weights", "prove"]
