# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client of this project can run into.

::

    ClientError
    |-- MalformedError      the node refused the request's form, or its answer breaks the grammar
    |-- RejectedError       the node refused, or what it says of itself is false
    |-- UnsupportedError    the node does not have what was asked for, or nothing vouches for it
    |-- OperationalError    no answer: network, time, the node's own fault
    `-- NotAccepted         there is an affidavit, and it was not accepted; carries the full result
"""

from __future__ import annotations

from verifier.verify import Result


class ClientError(Exception):
    """Base of every error that the SDK raises on purpose.

    Attributes:
        code: stable dotted identifier; ``client.*`` is ours, everything else came from the room it names.
        message: one line: what was observed, what was required.
        remedy: what to do about it; may be empty.
    """

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class MalformedError(ClientError):
    """Grammar or limits."""


class RejectedError(ClientError):
    """Well formed, and a check on it is false."""


class UnsupportedError(ClientError):
    """Something needed is not there."""


class OperationalError(ClientError):
    """No answer; says nothing about anybody's honesty."""


class NotAccepted(ClientError):  # noqa: N818 - it is a verdict, not an error of anybody's
    """The affidavit was checked and not accepted.

    Attributes:
        result: verdict, code and every check.
        affidavit: the file, for the record and for disputes; nothing in it is to be believed.
    """

    def __init__(self, result: Result, affidavit: bytes) -> None:
        super().__init__(result.code, f"{result.verdict.value}: {result.message}", remedy=result.remedy)
        self.result = result
        self.affidavit = affidavit
