# SPDX-License-Identifier: AGPL-3.0-or-later
"""The fields of a proof as the verifier itself reads them: no list of them is kept by hand anywhere."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from verifier.proof import verify as verifying
from verifier.proof import wire
from verifier.proof.modular import Words
from verifier.proof.wire import Reader

_OWN = (__file__, wire.__file__)


class Field(NamedTuple):
    """One read: label, span in the proof, and whether its words are residues (else hashes, or other bytes)."""

    label: str
    begin: int
    end: int
    residues: bool


class Recorder(Reader):
    """A reader that notes what it was asked for."""

    fields: list[Field] = []  # noqa: RUF012
    places: list[tuple[str, int]] = []  # noqa: RUF012 - module and line of who asked

    def __init__(self, data: bytes) -> None:
        self._position, self._inside = 0, False
        Recorder.fields.clear()
        Recorder.places.clear()
        super().__init__(data)

    def take(self, count: int, what: str) -> bytes:
        found = super().take(count, what)
        frame = inspect.currentframe()
        while frame is not None and frame.f_code.co_filename in _OWN:
            frame = frame.f_back
        if frame is not None:
            self.places.append((Path(frame.f_code.co_filename).stem, frame.f_lineno))
        self.fields.append(Field(what, self._position, self._position + count, self._inside))
        self._position += count
        return found

    def words(self, count: int, what: str) -> Words:
        self._inside = True
        try:
            return super().words(count, what)
        finally:
            self._inside = False


@contextmanager
def recording() -> Iterator[list[Field]]:
    """Inside, the proof that is verified last leaves its fields in the list."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verifying, "Reader", Recorder)
        yield Recorder.fields
