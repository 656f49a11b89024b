# SPDX-License-Identifier: AGPL-3.0-or-later
"""Errors of the fhe room.

::

    FheError
    +-- MalformedError      grammar or limits: these bytes, keys or parameters cannot be what they claim
    +-- RejectedError       well formed, but a check is false: a digest, a residue of another session, a result
    +-- UnsupportedError    a circuit, gate, preset or library that this release or this machine does not have
    +-- OperationalError    our own fault or the environment's: a worker that died, a time or memory limit

Every error carries ``code`` (dotted, stable, listed in :mod:`fhe.codes`), ``message`` (one line: observed and
required) and ``remedy`` (what to do about it; by default that of :mod:`fhe.remedies`).
"""

from __future__ import annotations

from fhe.remedies import remedy_of

__all__ = ["FheError", "MalformedError", "OperationalError", "RejectedError", "UnsupportedError"]


class FheError(Exception):
    """Base of everything that the fhe room raises on purpose."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.remedy = remedy or remedy_of(code)


class MalformedError(FheError):
    """Grammar or limits."""


class RejectedError(FheError):
    """A check on well-formed material is false."""


class UnsupportedError(FheError):
    """Something needed is unknown to this release, or not installed."""


class OperationalError(FheError):
    """Our own fault, or the environment's."""
