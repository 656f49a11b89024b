# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which circuits stay loaded: least recently used goes first, within a bound on memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from circuits import Circuit
from node.errors import OperationalError
from node.limits import MAX_MODEL_MEMORY
from node.models import ModelStore

if TYPE_CHECKING:
    from node.runtime import Runtime

BYTES_PER_WEIGHT = 16
"""Estimate: the emitted weights in float32 or float64, up to two limbs each, in two graphs (fast and traced)."""

FIXED_BYTES = 4 << 20
"""Estimate: what a session needs beside its weights."""


def memory_estimate(circuit: Circuit) -> int:
    """Bytes that a loaded circuit and its session are taken to occupy; an estimate from the constants alone."""
    return FIXED_BYTES + sum(
        constant.data.nbytes + BYTES_PER_WEIGHT * constant.data.size for constant in circuit.constants
    )


class _Entry:
    """One model, loaded at most once however many threads ask."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.circuit: Circuit | None = None
        self.runtime: Runtime | None = None
        self.cost = 0


class Sessions:
    """A cache in front of a :class:`ModelStore`; safe for several threads.

    Args:
        models: where circuits come from.
        memory: bound in bytes on the sum of :func:`memory_estimate`; what is in use stays alive until it is done.
        threads: of onnxruntime per session; 0 for every core.
    """

    def __init__(self, models: ModelStore, *, memory: int = MAX_MODEL_MEMORY, threads: int = 0) -> None:
        self._models, self._memory, self._threads = models, memory, threads
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def circuit(self, digest: bytes) -> Circuit:
        """The checked circuit.

        Raises:
            UnsupportedError: ``request.model.unknown``.
            OperationalError: ``node.model.damaged``, ``node.model.too-large``.
        """
        entry = self._entry(digest)
        with entry.lock:
            return self._circuit(digest, entry)

    def runtime(self, digest: bytes) -> Runtime:
        """The onnxruntime session of a circuit; the same errors, and ``node.runtime.load-failed``."""
        from node.runtime import Runtime  # onnxruntime takes a while to import, and admitting needs none

        entry = self._entry(digest)
        with entry.lock:
            circuit = self._circuit(digest, entry)
            if entry.runtime is None:
                entry.runtime = Runtime(circuit, threads=self._threads, tracing=True)
            return entry.runtime

    @property
    def loaded(self) -> tuple[bytes, ...]:
        """Digests in the cache, the next one to go first."""
        with self._lock:
            return tuple(self._entries)

    def _entry(self, digest: bytes) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(digest, _Entry())
            self._entries.move_to_end(digest)
            return entry

    def _circuit(self, digest: bytes, entry: _Entry) -> Circuit:
        if entry.circuit is None:
            try:
                circuit = self._models.circuit(digest)
                cost = memory_estimate(circuit)
                if cost > self._memory:
                    raise OperationalError(
                        "node.model.too-large",
                        f"model {digest.hex()[:16]} needs about {cost} bytes, the node keeps at most {self._memory}",
                        remedy="raise the node's model memory",
                    )
            except BaseException:
                with self._lock:
                    self._entries.pop(digest, None)
                raise
            entry.circuit, entry.cost = circuit, cost
            self._evict(digest)
        return entry.circuit

    def _evict(self, keep: bytes) -> None:
        with self._lock:
            for digest in list(self._entries):
                if sum(entry.cost for entry in self._entries.values()) <= self._memory:
                    return
                if digest != keep:
                    del self._entries[digest]
