# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the service refuses, as one type with an HTTP status.

::

    HTTPException
    `-- Refusal          an answer {code, message, remedy} with a status; says nothing about any node
    verifier.OperationalError                 the service cannot start, or its own store is broken

A refusal is about the request or about ourselves. Verdicts about affidavits are never HTTP errors: they are
answers with status 200.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException


class Refusal(HTTPException):
    """A request that is not carried out.

    Attributes:
        code: stable dotted identifier.
        message: one line.
        remedy: what the caller can do; may be empty.
        status_code: HTTP status (RFC 9110).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code = code
        self.message = message
        self.remedy = remedy

    @property
    def document(self) -> dict[str, str]:
        """The body of the answer."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


def busy(message: str, *, retry_after: int = 1, code: str = "service.busy") -> Refusal:
    """503 with ``Retry-After`` in seconds (RFC 9110, 10.2.3)."""
    return Refusal(503, code, message, remedy="try again later", headers={"Retry-After": str(retry_after)})


_REMEDIES = {
    "evidence-type": "give the short name or type id of a format, as snp or snp-report@v1",
    "policy": "GET /v1/policies lists those that there are",
    "model": "GET /v1/models lists those that there are; PUT /v1/models adds one",
    "enrolment": "start a new one: POST /v1/enrolments",
}
_OTHER = "check what was asked for; another service may have it"


def unknown(what: str, which: str) -> Refusal:
    """404 for a ``what`` (``verification``, ``model``, ...) that this service does not hold."""
    return Refusal(404, f"service.{what}.unknown", f"no {what} {which} here", remedy=_REMEDIES.get(what, _OTHER))


def malformed(message: str, *, remedy: str = "see /openapi.json") -> Refusal:
    """422 for a parameter or body outside its grammar."""
    return Refusal(422, "service.request.malformed", message, remedy=remedy)
