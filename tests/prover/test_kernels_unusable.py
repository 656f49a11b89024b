# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where numba may keep nothing, proving says so and verifying goes on without it."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

PROGRAM = """
import numba.core.caching as caching
for name in dir(caching):
    if hasattr(getattr(caching, name), "_locator_classes"):
        getattr(caching, name)._locator_classes = []
import verifier.proof.vectors as vectors
assert vectors.compiled.__name__ == "verifier.proof.portable"
from verifier.errors import OperationalError
try:
    from prover import WeightsCache, prove
except OperationalError as error:
    print(error.code, error.remedy)
"""


def test_without_a_folder_for_compiled_kernels() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("proof.kernels.unusable set NUMBA_CACHE_DIR")
