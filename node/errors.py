# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong at a node.

::

    NodeError
    |-- MalformedError      the request, or a file of the node's own, breaks the grammar or a limit
    |-- RejectedError       well formed, and contradicts something (a nonce used twice, a wrong token)
    |-- UnsupportedError    something needed is not here (a model, a job)
    `-- OperationalError    the node's own fault or state (queue full, no evidence to be had)
"""

from __future__ import annotations


class NodeError(Exception):
    """Base of every error that this room raises on purpose.

    Attributes:
        code: stable dotted identifier (``node.*`` or ``request.*``).
        message: one line: what was observed, what was required. Names no path of the node's machine.
        remedy: what the reader can do about it; empty when there is nothing to do.
    """

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class MalformedError(NodeError):
    """Grammar or limits."""


class RejectedError(NodeError):
    """Well formed, and a check on it is false."""


class UnsupportedError(NodeError):
    """Something that the request needs is not here."""


class OperationalError(NodeError):
    """The node's own fault or state; says nothing about the request."""
