# SPDX-License-Identifier: AGPL-3.0-or-later
"""The machine that computes: a request in, an affidavit out.

::

    request -> admit -> unseal -> load -> attest -> run -> commit -> sign -> answer -> affidavit

===========================  ==============================================================================
module                       holds
===========================  ==============================================================================
node                         ``Node``: inferences in this process
pipeline, inference, stages  the stages in a row, the value that goes through, one file per stage
request, submission, listed  what is asked: as a value, as JSON, as nested lists
sealed                       inputs and answers that only client and node can read
plans, tenseal, uploads      how a circuit runs on ciphertexts, for whom, and what clients sent ahead for it
keys, evidence, description  the node's keys; what its machine says of itself; what runs the circuits, for people
models, sessions, runtime    circuits on disk, those that are loaded, their execution in onnxruntime
recheck, encrypted_recheck   a second party computes again: in clear, on ciphertexts
service, workers, jobs       accepted work that survives a crash; ``blobs`` and ``files`` keep the bytes
api, handlers, openapi       the same over HTTP: its paths, what each does, how it describes itself
guard, intake, channel       what stands before it: token, size, time; bodies that come in; the TLS connection
serve, settings              the process around all that, and its configuration
schemas, refusals, metrics   the JSON in and out, errors as HTTP, what is counted; ``limits`` are the caps
===========================  ==============================================================================

A node is believed by nobody: everything it says is checked by ``verifier``. What this room does look after is
that nothing acknowledged is lost, nothing half-written stays, and nothing of a sealed request is kept in clear.

Names are imported on first use, so that a client can seal inputs (``node.sealed``) without loading a runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node.errors import MalformedError, NodeError, OperationalError, RejectedError, UnsupportedError
    from node.evidence import Identity
    from node.node import Node
    from node.request import EncodedInput, ListedInput, RealInput, Request, SealedInputBox
    from node.stages.answer import Answered

__all__ = [
    "Answered",
    "EncodedInput",
    "Identity",
    "ListedInput",
    "MalformedError",
    "Node",
    "NodeError",
    "OperationalError",
    "RealInput",
    "RejectedError",
    "Request",
    "SealedInputBox",
    "UnsupportedError",
]

_HOMES = {
    "Answered": "node.stages.answer",
    "EncodedInput": "node.request",
    "Identity": "node.evidence",
    "ListedInput": "node.request",
    "MalformedError": "node.errors",
    "Node": "node.node",
    "NodeError": "node.errors",
    "OperationalError": "node.errors",
    "RealInput": "node.request",
    "RejectedError": "node.errors",
    "Request": "node.request",
    "SealedInputBox": "node.request",
    "UnsupportedError": "node.errors",
}


def __getattr__(name: str) -> object:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'node' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
