# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plans take long to make: whoever asks for many holds up neither the accepted work nor the node's threads."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from circuits import Circuit
from fhe import EncryptedPlan
from node.errors import OperationalError
from node.plans import CHOOSERS, MAKERS, Layout, Plans
from node.tenseal import Wish, choose
from tests.private.making import network

LAYOUT = Layout("lin8", "coefficient", 1, False, 0, 1)


class Slow:
    """Makes plans when it is let."""

    def __init__(self) -> None:
        self.began, self.go = threading.Semaphore(0), threading.Event()

    def choose(self, circuit: Circuit, wish: Wish) -> EncryptedPlan:
        self.began.release()
        assert self.go.wait(30)
        return choose(circuit, wish)


def test_choosing_holds_up_nobody_else() -> None:
    plans, slow, circuit = Plans(), Slow(), network()
    threads = [
        threading.Thread(target=plans.chosen, args=(circuit, Wish(samples), slow.choose))
        for samples in range(1, CHOOSERS + 1)
    ]
    for thread in threads:
        thread.start()
    try:
        assert slow.began.acquire(timeout=30)
        plans.get(circuit, LAYOUT)  # accepted work
        while plans._choosers._value:
            time.sleep(0.001)
        with pytest.raises(OperationalError) as refusal:
            plans.chosen(circuit, Wish(99), slow.choose)
        assert refusal.value.code == "node.busy"
        assert not slow.began.acquire(blocking=False), "two are chosen at a time"
    finally:
        slow.go.set()
        for thread in threads:
            thread.join()
    assert plans.chosen(circuit, Wish(1), slow.choose) is plans.chosen(circuit, Wish(1), choose)
    assert plans.chosen(circuit, Wish(99), choose).interface.samples == 99


def test_few_strangers_wait_for_a_plan_and_accepted_work_always_does(monkeypatch: pytest.MonkeyPatch) -> None:
    plans, slow, circuit, make = Plans(), Slow(), network(), Layout.plan

    def plan(self: Layout, circuit: Circuit) -> EncryptedPlan:
        slow.began.release()
        assert slow.go.wait(30)
        return make(self, circuit)

    monkeypatch.setattr(Layout, "plan", plan)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(plans.admit(circuit, LAYOUT))) for _ in range(MAKERS)]
    threads.append(threading.Thread(target=lambda: found.append(plans.get(circuit, LAYOUT))))
    for thread in threads:
        thread.start()
    try:
        assert slow.began.acquire(timeout=30)
        while plans._makers._value:
            time.sleep(0.001)
        with pytest.raises(OperationalError) as refusal:
            plans.admit(circuit, LAYOUT)
        assert refusal.value.code == "node.busy"
    finally:
        slow.go.set()
        for thread in threads:
            thread.join()
    assert len(found) == MAKERS + 1 and all(one is found[0] for one in found)
    assert not slow.began.acquire(blocking=False), "made once"
    assert plans.admit(circuit, LAYOUT) is found[0]
