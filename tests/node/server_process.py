# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node as a process of its own, for tests that kill it: `python -m tests.node.server_process DATA_DIR`.

Prints its URL as soon as it listens.
"""

from __future__ import annotations

import sys
from pathlib import Path

from attestation.simulated import SimulatedEvidence
from node.serve import serve
from node.settings import Settings

if __name__ == "__main__":
    serve(
        Settings(Path(sys.argv[1]), port=0, threads=1, shutdown_seconds=20.0),
        SimulatedEvidence(),
        ready=lambda url: print(url, flush=True),
    )
