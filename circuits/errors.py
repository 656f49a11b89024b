# SPDX-License-Identifier: AGPL-3.0-or-later
"""Errors of the circuits room.

::

    CircuitError
    +-- MalformedError      grammar or limits: these bytes, this graph or this input cannot be what they claim
    +-- RejectedError       well formed, but a stated value differs from the one derived here
    +-- UnsupportedError    a version, profile or gate that this release does not know
    +-- OperationalError    our own fault or the environment's; says nothing about the circuit

Every error carries ``code`` (dotted, stable, never renamed), ``message`` (one line: what was observed and
what was required) and ``remedy`` (what to do about it; may be empty).
"""

from __future__ import annotations

__all__ = ["CircuitError", "MalformedError", "OperationalError", "RejectedError", "UnsupportedError"]


class CircuitError(Exception):
    """Base of everything that the circuits room raises on purpose."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.remedy = remedy


class MalformedError(CircuitError):
    """Grammar or limits."""


class RejectedError(CircuitError):
    """A check on well-formed material is false."""


class UnsupportedError(CircuitError):
    """Something needed is unknown to this release."""


class OperationalError(CircuitError):
    """Our own fault, or the environment's."""
