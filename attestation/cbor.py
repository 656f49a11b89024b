# SPDX-License-Identifier: AGPL-3.0-or-later
"""CBOR from strangers (RFC 8949): the heads are walked before anything is built.

Refused: indefinite lengths, lengths and integers longer than they need be, tags that the caller does not expect (so
that no decoder of theirs ever runs), a label twice in one map, text that is not UTF-8, depth, and bytes behind the end.
What passes has one reading.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import cbor2

from attestation.errors import MalformedError

MAX_DEPTH = 24
MAX_ITEMS = 100_000

_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}


def decode(data: bytes, code: str, what: str, *, tags: Set[int] = frozenset()) -> Any:
    """The one item that `data` is; tags come as `cbor2.CBORTag`. Raises `MalformedError` with `code`."""
    try:
        _walk(data, tags)
        return cbor2.loads(data, max_depth=MAX_DEPTH, allow_duplicate_keys=False, allow_indefinite=False)
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MalformedError(code, f"{what}: not CBOR in its one form ({str(error)[:100]})") from None


def _walk(data: bytes, tags: Set[int]) -> None:
    """Every head in turn; `open_` counts the items still to come at each level. Raises `ValueError`."""
    at, items = 0, 0
    open_ = [1]
    while open_:
        if open_[-1] == 0:
            open_.pop()
            continue
        open_[-1] -= 1
        items += 1
        if items > MAX_ITEMS or len(open_) > MAX_DEPTH:
            raise ValueError("too many items, or too deep")
        major, info = divmod(_byte(data, at), 32)
        at += 1
        size = _SIZES.get(info, 0)
        if info > 27:
            raise ValueError("an indefinite or reserved length")
        argument = int.from_bytes(data[at : at + size], "big") if size else info
        if at + size > len(data):
            raise ValueError("the end is missing")
        if size and major != 7 and argument < (24 if size == 1 else 1 << (4 * size)):
            raise ValueError("a length or integer that is not in its shortest form")
        at += size
        if major in (2, 3):
            at += argument
            if at > len(data):
                raise ValueError("the end is missing")
        elif major in (4, 5):
            if argument * (major - 3) > len(data) - at:
                raise ValueError("the end is missing")
            open_.append(argument * (major - 3))
        elif major == 6:
            if argument not in tags:
                raise ValueError(f"tag {argument}")
            open_.append(1)
        elif major == 7 and info not in (20, 21, 22, 25, 26, 27):
            raise ValueError(f"simple value {argument}")
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes behind the end")


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise ValueError("the end is missing")
    return data[at]
