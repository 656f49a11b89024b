# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuits that the service holds, so that it can recompute.

Holding a circuit says nothing for it: it is used only where the caller names its digest, or the policy lists
it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select

import circuits
from circuits import Circuit
from verifier.errors import OperationalError
from verifier.service import audit, schema
from verifier.service.blobs import BlobStore
from verifier.service.database import Database
from verifier.service.entries import model_entry
from verifier.service.errors import Refusal
from verifier.service.times import to_ticks

_TABLE = schema.models.c


def load(file: bytes) -> Circuit:
    """Load a circuit file; changes nothing, so it may be given up at any time.

    Raises:
        Refusal: 422 with the ``circuit.*`` code that the loader gave.
    """
    try:
        return circuits.load_circuit(file)
    except circuits.OperationalError:
        raise
    except circuits.CircuitError as error:
        raise Refusal(422, error.code, error.message, remedy=error.remedy) from None


@dataclass(frozen=True)
class Catalogue:
    """Circuit files in the blob store, their digests in the database, a few loaded ones in memory."""

    database: Database
    blobs: BlobStore
    loaded: int
    _cache: OrderedDict[str, Circuit] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, circuit: Circuit, file: bytes, at: datetime) -> tuple[Row[Any], bool]:
        """Keep a circuit and the file it was loaded from; the row, and whether it is new."""
        digest, stored = circuit.digest.hex(), self.blobs.put(file)
        with self.database.write() as connection:
            by_digest = select(schema.models).where(_TABLE.circuit == digest)
            known = connection.execute(by_digest).one_or_none()
            if known is not None:
                return known, False
            connection.execute(
                insert(schema.models).values(
                    circuit=digest,
                    weights=circuit.weights_digest.hex(),
                    file=stored,
                    size=len(file),
                    gates=len(circuit.gates),
                    profile=circuit.profile,
                    added_at=to_ticks(at),
                )
            )
            row = connection.execute(by_digest).one()
            audit.append(connection, "model", model_entry(row))
        return row, True

    def page(self, *, after: str, limit: int) -> list[Row[Any]]:
        """Up to ``limit`` circuits by ascending digest, behind ``after`` (empty for the first)."""
        with self.database.read() as connection:
            question = select(schema.models).where(_TABLE.circuit > after)
            return list(connection.execute(question.order_by(_TABLE.circuit).limit(limit)))

    def get(self, digest: str) -> Circuit | None:
        """The circuit with this digest (64 hex digits), ``None`` when it is not held."""
        with self._lock:
            if digest in self._cache:
                self._cache.move_to_end(digest)
                return self._cache[digest]
        with self.database.read() as connection:
            file = connection.execute(select(_TABLE.file).where(_TABLE.circuit == digest)).scalar_one_or_none()
        if file is None:
            return None
        content = self.blobs.get(file)
        if content is None:
            raise OperationalError("service.blob.missing", f"the file of circuit {digest[:16]} is not there")
        circuit = circuits.load_circuit(content)
        with self._lock:
            self._cache[digest] = circuit
            while len(self._cache) > self.loaded:
                self._cache.popitem(last=False)
        return circuit
