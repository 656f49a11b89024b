# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a circuit runs on ciphertexts, as client and node agree on it; the last few plans, and refusals, are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuits import Circuit
from fhe.errors import UnsupportedError
from fhe.limits import MAX_SEGMENTS
from node.errors import MalformedError, OperationalError

if TYPE_CHECKING:
    from fhe import EncryptedPlan
    from node.tenseal import Wish

KEPT = 8
KEPT_REFUSALS = 256
"""Plans, with their folded weights, and refusals, a few lines each."""
MAKERS, CHOOSERS = 8, 2
"""Strangers' requests that may wait for a plan, the one that it is made for included."""
MAX_NUMBER = 1 << 16
MAX_MAGNITUDE = 1 << 53


@dataclass(frozen=True)
class Layout:
    """What, besides the circuit, decides how it runs on ciphertexts.

    Attributes:
        preset, packing: by name.
        samples: in one request.
        protected: replies are re-randomised and flooded.
        first, last: the circuit's tensors that come and go encrypted.
        magnitudes: CKKS: what each layer's values are expected to stay within; empty for the circuit's bounds.
    """

    preset: str
    packing: str
    samples: int
    protected: bool
    first: int
    last: int
    magnitudes: tuple[int, ...] = ()

    def as_json(self) -> dict[str, str | int | bool | list[int]]:
        """A plain object."""
        return {
            "preset": self.preset,
            "packing": self.packing,
            "samples": self.samples,
            "protected": self.protected,
            "first": self.first,
            "last": self.last,
            "magnitudes": list(self.magnitudes),
        }

    @staticmethod
    def of(value: object) -> Layout:
        """From a plain object. Raises MalformedError ``request.layout.malformed``."""
        if not isinstance(value, Mapping) or value.keys() != Layout("", "", 0, False, 0, 0).as_json().keys():
            raise _malformed("preset, packing, samples, protected, first, last, magnitudes and nothing else")
        texts, numbers = ("preset", "packing"), ("samples", "first", "last")
        if not all(isinstance(value[key], str) and 0 < len(value[key]) <= 32 for key in texts):
            raise _malformed("preset and packing by name")
        if not all(type(value[key]) is int and 0 <= value[key] <= MAX_NUMBER for key in numbers):
            raise _malformed(f"samples, first and last from 0 to {MAX_NUMBER}")
        if value["samples"] < 1 or value["first"] >= value["last"]:
            raise _malformed("at least one sample, and first below last")
        if not isinstance(value["protected"], bool):
            raise _malformed("protected: true or false")
        expected = value["magnitudes"]
        if not isinstance(expected, list) or len(expected) > MAX_SEGMENTS:
            raise _malformed(f"magnitudes: at most {MAX_SEGMENTS}")
        if not all(type(m) is int and 1 <= m <= MAX_MAGNITUDE for m in expected):
            raise _malformed(f"magnitudes: integers from 1 to {MAX_MAGNITUDE}")
        return Layout(**{**value, "magnitudes": tuple(expected)})

    @staticmethod
    def of_plan(plan: EncryptedPlan) -> Layout:
        """The layout of a plan."""
        spec: Mapping[str, Any] = plan.spec
        return Layout(
            spec["preset"],
            spec["packing"],
            spec["samples"],
            spec["private"],
            spec["start"],
            spec["stop"],
            tuple(spec["magnitudes"]),
        )

    def plan(self, circuit: Circuit) -> EncryptedPlan:
        """The plan. Raises fhe.UnsupportedError: ``fhe.network.*``, ``fhe.plan.*``, ``fhe.preset.unknown``, ..."""
        from fhe.planning import remake

        return remake(
            circuit,
            {
                "preset": self.preset,
                "packing": self.packing,
                "samples": self.samples,
                "private": self.protected,
                "start": self.first,
                "stop": self.last,
                "magnitudes": list(self.magnitudes),
            },
        )


class Plans:
    """A cache of plans; safe for several threads.

    Making a plan takes memory and, of a wide network, a minute: one is made and one is chosen at a time, and few wait.
    What cannot be had takes as long to find out, and is remembered as well.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bytes, Layout], EncryptedPlan] = OrderedDict()
        self._chosen: OrderedDict[tuple[bytes, Wish], Layout] = OrderedDict()
        self._refused: OrderedDict[tuple[bytes, Layout | Wish], tuple[str, str, str]] = OrderedDict()
        self._lock, self._making, self._choosing = threading.Lock(), threading.Lock(), threading.Lock()
        self._makers, self._choosers = threading.BoundedSemaphore(MAKERS), threading.BoundedSemaphore(CHOOSERS)

    def get(self, circuit: Circuit, layout: Layout) -> EncryptedPlan:
        """The plan of that layout, for work that was accepted; raises as :meth:`Layout.plan`."""
        key = (circuit.digest, layout)
        found = self._find(key)
        if found is not None:
            return found
        with self._making, self._refusing(key):
            return self._find(key) or self._keep(key, layout.plan(circuit))

    def admit(self, circuit: Circuit, layout: Layout) -> EncryptedPlan:
        """The same for a stranger's request; OperationalError ``node.busy`` where too many wait for theirs."""
        found = self._find((circuit.digest, layout))
        if found is not None:
            return found
        with _entry(self._makers):
            return self.get(circuit, layout)

    def chosen(self, circuit: Circuit, wish: Wish, choose: Callable[[Circuit, Wish], EncryptedPlan]) -> EncryptedPlan:
        """The plan that ``choose`` makes of a wish; raises as that does, and ``node.busy`` as :meth:`admit`."""
        found = self._find_chosen(circuit, wish)
        if found is not None:
            return found
        with _entry(self._choosers), self._choosing, self._refusing((circuit.digest, wish)):
            return self._find_chosen(circuit, wish) or self._keep_chosen(circuit, wish, choose(circuit, wish))

    @contextmanager
    def _refusing(self, key: tuple[bytes, Layout | Wish]) -> Iterator[None]:
        """Remember that this cannot be had: circuit and wish alone decide that."""
        try:
            yield
        except UnsupportedError as error:
            with self._lock:
                self._refused[key] = error.code, error.message, error.remedy
                while len(self._refused) > KEPT_REFUSALS:
                    self._refused.popitem(last=False)
            raise

    def _check(self, key: tuple[bytes, Layout | Wish]) -> None:
        """Raise again what was raised before; under the lock."""
        if key in self._refused:
            raise UnsupportedError(*self._refused[key])

    def _find(self, key: tuple[bytes, Layout]) -> EncryptedPlan | None:
        with self._lock:
            self._check(key)
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[bytes, Layout], plan: EncryptedPlan) -> EncryptedPlan:
        with self._lock:
            self._kept[key] = plan
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return plan

    def _find_chosen(self, circuit: Circuit, wish: Wish) -> EncryptedPlan | None:
        with self._lock:
            self._check((circuit.digest, wish))
            layout = self._chosen.get((circuit.digest, wish))
        return None if layout is None else self._find((circuit.digest, layout))

    def _keep_chosen(self, circuit: Circuit, wish: Wish, plan: EncryptedPlan) -> EncryptedPlan:
        layout = Layout.of_plan(plan)
        with self._lock:
            self._chosen[circuit.digest, wish] = layout
            while len(self._chosen) > KEPT:
                self._chosen.popitem(last=False)
        return self._keep((circuit.digest, layout), plan)


@contextmanager
def _entry(places: threading.BoundedSemaphore) -> Iterator[None]:
    """One of the few who may wait: each holds a thread that others would be answered by."""
    if not places.acquire(blocking=False):
        raise OperationalError(
            "node.busy", "plans for other requests are being made", remedy="send it again a little later"
        )
    try:
        yield
    finally:
        places.release()


def _malformed(required: str) -> MalformedError:
    return MalformedError("request.layout.malformed", f"layout: required {required}")
