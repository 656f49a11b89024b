# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong while believing something.

::

    VerifierError
    |-- MalformedError      the bytes break the grammar or a limit        (MALFORMED, exit 30)
    |-- RejectedError       the bytes are well formed and a check is false (REJECT, exit 10)
    |-- UnsupportedError    something needed is missing or unknown here    (UNVERIFIABLE, exit 20)
    `-- OperationalError    our own fault: says nothing about anyone       (ERROR, exit 1)

The first three are verdicts about the thing that was looked at. The last never is.
"""

from __future__ import annotations


class VerifierError(Exception):
    """Base of every error that this room raises on purpose.

    Attributes:
        code: stable dotted identifier, listed in :mod:`verifier.codes`.
        message: one line: what was observed, what was required.
        remedy: what the reader can do about it; empty when there is nothing to do.
    """

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class MalformedError(VerifierError):
    """The input breaks the grammar or exceeds a limit."""


class RejectedError(VerifierError):
    """The input is well formed and at least one check on it is false."""


class UnsupportedError(VerifierError):
    """Something that the decision needs is missing or not supported."""


class OperationalError(VerifierError):
    """A fault on our own side; it must never count against anyone."""
