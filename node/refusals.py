# SPDX-License-Identifier: AGPL-3.0-or-later
"""From typed errors to HTTP: a status, and always the same three members."""

from __future__ import annotations

import json
from collections.abc import Mapping

from node.errors import MalformedError, NodeError, RejectedError, UnsupportedError
from node.service import RETRY_SECONDS

STATUS: Mapping[str, int] = {
    "request.token.missing": 401,
    "request.token.wrong": 401,
    "request.path.unknown": 404,
    "request.method.not-allowed": 405,
    "request.body.timeout": 408,
    "request.nonce.reused": 409,
    "request.job.unfinished": 409,
    "request.job.failed": 409,
    "request.body.too-large": 413,
    "node.queue.full": 503,
    "node.busy": 503,
    "node.store.failed": 503,
    "node.blobs.unusable": 503,
    "node.uploads.full": 503,
    "node.uploads.quota": 429,
    "fhe.worker.busy": 503,
}
"""Where the code decides; elsewhere the kind of error does."""

_RETRY = frozenset(code for code, status in STATUS.items() if status in (429, 503))
"""What passes: the answer says after how many seconds it is worth while to ask again."""


def status_of(error: NodeError) -> int:
    """400 malformed or rejected, 404 not here, 503 evidence not to be had, 500 our own fault."""
    if error.code in STATUS:
        return STATUS[error.code]
    if isinstance(error, MalformedError | RejectedError):
        return 400
    if isinstance(error, UnsupportedError):
        return 404
    return 503 if error.code.startswith("evidence.") else 500


def headers_of(error: NodeError) -> dict[str, str]:
    """What goes with the status."""
    headers = {"content-type": "application/json"}
    if error.code in _RETRY:
        headers["retry-after"] = str(RETRY_SECONDS)
    if status_of(error) == 401:
        headers["www-authenticate"] = "Bearer"
    return headers


def body_of(error: NodeError) -> bytes:
    """``{"code", "message", "remedy"}``."""
    return json.dumps({"code": error.code, "message": error.message, "remedy": error.remedy}).encode()
