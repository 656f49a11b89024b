# SPDX-License-Identifier: AGPL-3.0-or-later
"""Figures in the pages are those of the benchmarks' result files."""

from __future__ import annotations

import pytest

from scripts.figures import page
from tests.conftest import ROOT


@pytest.mark.docs
def test_the_page_is_what_the_files_say():
    assert (ROOT / "docs/benchmarks.md").read_text() == page(), "run: python scripts/figures.py > docs/benchmarks.md"
