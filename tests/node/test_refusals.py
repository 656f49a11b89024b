# SPDX-License-Identifier: AGPL-3.0-or-later
"""Typed errors as HTTP."""

from __future__ import annotations

import pytest

from node.errors import MalformedError, NodeError, OperationalError, UnsupportedError
from node.refusals import headers_of, status_of


@pytest.mark.parametrize(
    ("error", "status", "passes"),
    [
        (OperationalError("node.queue.full", "full"), 503, True),
        (OperationalError("node.uploads.quota", "full"), 429, True),
        (OperationalError("fhe.worker.busy", "too many wait"), 503, True),
        (OperationalError("fhe.worker.died", "it died"), 500, False),
        (OperationalError("evidence.tpm2.device-failed", "no answer"), 503, False),
        (UnsupportedError("request.model.unknown", "not here"), 404, False),
        (MalformedError("request.body.too-large", "too large"), 413, False),
    ],
    ids=lambda value: value.code if isinstance(value, NodeError) else "",
)
def test_what_passes_says_when_to_ask_again(error: NodeError, status: int, passes: bool) -> None:
    assert status_of(error) == status and ("retry-after" in headers_of(error)) is passes
