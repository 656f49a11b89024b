# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work in another process: its own memory, and failures that come back as text."""

from __future__ import annotations

import os

import numpy as np
import pytest

from benchmarks.process import WorkError, fresh, peak_mb
from verifier.errors import UnsupportedError


def fill(megabytes: int) -> int:
    np.ones(megabytes << 17)
    return peak_mb()


def refuse() -> None:
    raise UnsupportedError("proof.soundness.too-low", "99.7 bits; required 100", remedy="prove less")


def test_peak_memory_is_that_of_the_work_alone():
    ballast = np.ones(400 << 17)
    small, large = fresh(fill, 1), fresh(fill, 300)
    assert ballast.size
    assert small < 300 < large < small + 400


def test_another_process_each_time():
    assert len({os.getpid(), fresh(os.getpid), fresh(os.getpid)}) == 3


def test_a_refusal_is_told():
    with pytest.raises(WorkError, match=r"UnsupportedError: 99\.7 bits"):
        fresh(refuse)


def test_a_death_is_told():
    with pytest.raises(WorkError, match="died"):
        fresh(os.abort)
