# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sets and maps of reference values in a policy's tables; an absent key is the empty one."""

from __future__ import annotations

from typing import Any

from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.trust.certificates import MAX_LIST


def octets(fields: Fields, key: str, *sizes: int) -> frozenset[bytes]:
    """A list of values in lower-case hex, each of one of these sizes in bytes."""
    if key not in fields.value:
        return frozenset()

    def read(value: Any, path: str) -> bytes:
        try:
            found = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            found = b""
        if len(found) not in sizes or found.hex() != value:
            wanted = " or ".join(map(str, sizes))
            raise MalformedError(fields.code, f"{path}: {wanted} bytes in lower-case hex expected")
        return found

    return frozenset(fields.list(key, read, limit=MAX_LIST))


def texts(fields: Fields, key: str) -> frozenset[str]:
    """A list of texts."""
    if key not in fields.value:
        return frozenset()

    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or len(value) > 256:
            raise MalformedError(fields.code, f"{path}: text expected")
        return value

    return frozenset(fields.list(key, read, limit=MAX_LIST))


def numbers(fields: Fields, key: str, count: int, high: int) -> tuple[int, ...]:
    """A list of exactly `count` integers from 0 to `high`, or of any number of them where `count` is 0."""

    def read(value: Any, path: str) -> int:
        if type(value) is not int or not 0 <= value <= high:
            raise MalformedError(fields.code, f"{path}: an integer in [0, {high}] expected")
        return value

    found = fields.list(key, read, limit=count or MAX_LIST)
    if count and len(found) != count:
        raise fields.fail(key, f"{count} integers")
    return found
