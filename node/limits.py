# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node's caps, in one place. Each is a default or a hard bound, and says which."""

from __future__ import annotations

MAX_REQUEST_BYTES = 32 << 20
"""Default: bytes of one HTTP request body."""

MAX_UPLOAD_BYTES = 1 << 29
"""Default: bytes of one upload of ciphertexts or evaluation keys, as many as a bundle may have."""

MAX_PROOF_SIZE = 1 << 26
"""Committed values and lookups of one proof, together: proving holds nearly a hundred bytes for each."""

MAX_TRACE_ELEMENTS = 1 << 27
"""Default: elements of all tensors of one execution together, batch included (8 bytes each: 1 GiB)."""

MAX_MODEL_MEMORY = 2 << 30
"""Default: estimated bytes of the circuits and sessions that stay loaded."""

MAX_EMBEDDED_CIRCUIT = 192 << 20
"""Hard: bytes of a circuit file inside an affidavit, which has a limit of 256 MiB itself."""

MAX_MODEL_NAME = 80
"""Hard: characters of a model's name."""

MAX_ATTEMPTS = 3
"""Hard: starts of one job. A job during which the process died that often is given up, not tried for ever."""
