# SPDX-License-Identifier: AGPL-3.0-or-later
"""There is no succinct proof system yet: whoever asks for a proof is refused, and gets no weaker thing instead."""

from __future__ import annotations

from typing import NoReturn

from verifier.errors import UnsupportedError


def require_proof_system() -> NoReturn:
    """Refuse to prove.

    Raises:
        UnsupportedError: ``proof.unsupported``, always.
    """
    raise UnsupportedError(
        "proof.unsupported",
        "this version cannot prove an inference",
        remedy="run without --prove: the affidavit commits to the execution, and anybody can recheck it",
    )
