# SPDX-License-Identifier: AGPL-3.0-or-later
"""The front door: the client SDK, and the command line in ``affidavit.cli``.

::

    with Client(url, policy=...) as client:
        answer = client.infer(circuit, {"image": image})  # verified, or an exception

=========  =====================================================================================
module     holds
=========  =====================================================================================
client     ``Client``: submit, wait, fetch, verify, answer
local      ``LocalClient``: the same with the node in this process
exchange   one question and its answer, without any network
identity   whose keys are these: checked before anything is sealed to them
transport  HTTP with bounds; ``wire`` reads a node's JSON
errors     the exception tree
cli, demo  the command line
=========  =====================================================================================

Names are imported on first use, so that the command line starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affidavit.client import Client
    from affidavit.errors import (
        ClientError,
        MalformedError,
        NotAccepted,
        OperationalError,
        RejectedError,
        UnsupportedError,
    )
    from affidavit.exchange import Answer
    from affidavit.local import LocalClient

__all__ = [
    "Answer",
    "Client",
    "ClientError",
    "LocalClient",
    "MalformedError",
    "NotAccepted",
    "OperationalError",
    "RejectedError",
    "UnsupportedError",
]

_HOMES = {
    "Answer": "affidavit.exchange",
    "Client": "affidavit.client",
    "LocalClient": "affidavit.local",
}


def __getattr__(name: str) -> object:
    import importlib

    if name not in __all__:
        raise AttributeError(f"module 'affidavit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "affidavit.errors")), name)
