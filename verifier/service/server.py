# SPDX-License-Identifier: AGPL-3.0-or-later
"""Running the application under uvicorn, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import uvicorn

from verifier.service.app import create_app
from verifier.service.settings import Settings

GRACE_SECONDS = 10

OPTIONS: Mapping[str, Any] = {
    "server_header": False,
    "access_log": False,
    "log_level": "warning",
    "ws": "none",
    "timeout_graceful_shutdown": GRACE_SECONDS,
}
"""How uvicorn is set up for the application, wherever it listens."""


def serve(settings: Settings) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM).

    One process: TLS, and spreading over several machines, belong to a proxy in front; several processes may
    share one database.

    Raises:
        OperationalError: the service cannot start.
    """
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, **OPTIONS)
