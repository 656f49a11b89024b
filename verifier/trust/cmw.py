# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.cmw]``: which types of evidence a collection must hold. Their own trust stands in their own tables."""

from __future__ import annotations

from typing import Any

from attestation.cmw import CmwTrust
from verifier.errors import MalformedError
from verifier.fields import Fields

MAX_LIST = 16


def read(fields: Fields) -> CmwTrust:
    """The trust of one table; ``required`` lists type ids, as ``tpm2-quote@v1``."""
    fields.exactly((), optional={"required"})
    if "required" not in fields.value:
        return CmwTrust()

    def text(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise MalformedError(fields.code, f"{path}: the type id of a format required")
        return value

    return CmwTrust(required=frozenset(fields.list("required", text, limit=MAX_LIST)))
