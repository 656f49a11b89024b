# SPDX-License-Identifier: AGPL-3.0-or-later
"""Typed access to decoded JSON or TOML: exact keys, exact types, fixed-size hex. Parse, don't validate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from verifier.errors import MalformedError

T = TypeVar("T")

MAX_TEXT = 512
_HEX32 = re.compile(r"[0-9a-f]{64}\Z")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/+:-]{0,127}\Z")


@dataclass(frozen=True)
class Fields:
    """One JSON object under inspection.

    Attributes:
        value: the decoded object.
        path: where it stands, for messages (``predicate.model``).
        code: code of the :class:`MalformedError` that every refusal raises.
    """

    value: dict[str, Any]
    path: str
    code: str

    @classmethod
    def of(cls, value: Any, path: str, code: str) -> Fields:
        if not isinstance(value, dict):
            raise MalformedError(code, f"{path}: expected an object, found {type(value).__name__}")
        return cls(value, path, code)

    def fail(self, key: str, required: str) -> MalformedError:
        found = _shown(self.value[key]) if key in self.value else "nothing"
        return MalformedError(self.code, f"{self.path}.{key}: expected {required}, found {found}")

    def exactly(self, keys: Iterable[str], optional: Iterable[str] = ()) -> None:
        """Refuse unknown and missing keys: a field nobody reads is a field an attacker writes."""
        required = set(keys)
        missing = sorted(required - self.value.keys())
        unknown = sorted(self.value.keys() - required - set(optional))
        if missing or unknown:
            raise MalformedError(
                self.code,
                f"{self.path}: missing keys {missing}, unknown keys {[key[:40] for key in unknown]}",
            )

    def object(self, key: str) -> Fields:
        return Fields.of(self.value.get(key), f"{self.path}.{key}", self.code)

    def text(self, key: str, *, limit: int = MAX_TEXT) -> str:
        value = self.value.get(key)
        if not isinstance(value, str) or len(value) > limit:
            raise self.fail(key, f"text of at most {limit} characters")
        return value

    def identifier(self, key: str) -> str:
        value = self.value.get(key)
        if not isinstance(value, str) or not _IDENTIFIER.match(value):
            raise self.fail(key, "an identifier")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.value.get(key)
        if type(value) is not int or not low <= value <= high:
            raise self.fail(key, f"an integer in [{low}, {high}]")
        return value

    def boolean(self, key: str) -> bool:
        value = self.value.get(key)
        if type(value) is not bool:
            raise self.fail(key, "true or false")
        return value

    def digest(self, key: str) -> bytes:
        """32 bytes in lower-case hex."""
        value = self.value.get(key)
        if not isinstance(value, str) or not _HEX32.match(value):
            raise self.fail(key, "32 bytes in lower-case hex")
        return bytes.fromhex(value)

    def time(self, key: str) -> str:
        """RFC 3339 in UTC with whole seconds, as text: ``2026-11-21T10:00:00Z``."""
        value = self.value.get(key)
        if not isinstance(value, str) or not _TIME.match(value):
            raise self.fail(key, "a time like 2026-11-21T10:00:00Z")
        return value

    def list(self, key: str, item: Callable[[Any, str], T], *, limit: int) -> tuple[T, ...]:
        """A list of at most ``limit`` entries, each read by ``item(value, path)``."""
        value = self.value.get(key)
        if not isinstance(value, list) or len(value) > limit:
            raise self.fail(key, f"a list of at most {limit}")
        return tuple(item(entry, f"{self.path}.{key}[{index}]") for index, entry in enumerate(value))

    def digests(self, key: str, *, limit: int) -> tuple[bytes, ...]:
        def read(value: Any, path: str) -> bytes:
            if not isinstance(value, str) or not _HEX32.match(value):
                raise MalformedError(self.code, f"{path}: expected 32 bytes in lower-case hex")
            return bytes.fromhex(value)

        return self.list(key, read, limit=limit)


def _shown(value: object) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # TOML's hexadecimal integers may have more digits than Python writes in decimal
        return "an integer of thousands of digits"
