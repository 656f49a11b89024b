# SPDX-License-Identifier: AGPL-3.0-or-later
"""An application under uvicorn on a loopback port, in a thread: tests speak real HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from verifier.service import Settings
from verifier.service.server import OPTIONS, protocol


@contextmanager
def running(app: FastAPI, settings: Settings | None = None) -> Iterator[str]:
    """Serve ``app`` until the block ends, over TLS where the settings say so; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        http = protocol(settings or Settings())
        config = uvicorn.Config(app, http=http, **{**OPTIONS, "log_level": "critical", "lifespan": "on"})
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            end = time.monotonic() + 30
            while not server.started:
                if not thread.is_alive() or time.monotonic() > end:
                    raise RuntimeError("the server did not start")
                time.sleep(0.005)
            yield f"{'http' if http == 'h11' else 'https'}://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
