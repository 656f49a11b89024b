# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes wrong with evidence, as types.

::

    EvidenceError                 base; has .code and .remedy
    |-- MalformedError            grammar or limits: the bytes are not evidence of this format
    |-- RejectedError             well-formed, and a check on it is false
    |-- UnsupportedError          something needed is missing, or of a kind that is not supported
    `-- OperationalError          our own fault or the environment's (no device, bad argument)

Only the first three say anything about the evidence; the last never touches anyone's reputation.
"""

from __future__ import annotations


class EvidenceError(Exception):
    """Base of every error of this room.

    `code` is a stable dotted identifier, the message one line (observed, required), `remedy` what to do, or
    empty.
    """

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class MalformedError(EvidenceError):
    """The bytes break the grammar or a limit."""


class RejectedError(EvidenceError):
    """A check on well-formed evidence is false."""


class UnsupportedError(EvidenceError):
    """Something needed is absent or of an unsupported kind."""


class OperationalError(EvidenceError):
    """The environment or the caller is at fault, not the evidence."""
