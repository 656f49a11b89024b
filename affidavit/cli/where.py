# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a node keeps its keys and models: an option, an environment variable, or the user's data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="AFFIDAVIT_DATA", help="The node's folder: keys, models, jobs."),
]


def cache_folder() -> Path:
    """Where set-ups of models are kept: ``$XDG_CACHE_HOME/affidavit/weights``."""
    return _cache() / "weights"


def collateral_cache() -> Path:
    """Where vendors' answers are kept: ``$XDG_CACHE_HOME/affidavit/collateral``."""
    return _cache() / "collateral"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "affidavit"


def data_folder(given: Path | None) -> Path:
    """``given``, or ``$XDG_DATA_HOME/affidavit/node`` (XDG base directory specification 0.8)."""
    if given is not None:
        return given
    return _data() / "node"


def known_tpms_file() -> Path:
    """Where the clocks of nodes' TPMs are kept: ``$XDG_DATA_HOME/affidavit/known_tpms``."""
    return _data() / "known_tpms"


def _data() -> Path:
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "affidavit"
