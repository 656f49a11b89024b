# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plans take long to make: whoever asks for many holds up neither the accepted work nor the node's threads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from circuits import Circuit
from fhe import EncryptedPlan
from fhe.errors import UnsupportedError
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


def test_what_cannot_be_had_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plans, circuit, asked = Plans(), network(), 0

    def counting(circuit: Circuit, wish: Wish) -> EncryptedPlan:
        nonlocal asked
        asked += 1
        return choose(circuit, wish)

    def refusal(wish: Wish) -> tuple[str, str, str]:
        with pytest.raises(UnsupportedError) as refused:
            plans.chosen(circuit, wish, counting)
        return refused.value.code, refused.value.message, refused.value.remedy

    hopeless = Wish(preset="lin8")  # one linear layer, and the network has a square
    first = refusal(hopeless)
    assert first == refusal(hopeless) and first[0] == "fhe.plan.none" and first[2]
    assert asked == 1
    assert plans.chosen(circuit, Wish(), counting).preset.name != "lin8" and refusal(hopeless) == first and asked == 2
    with monkeypatch.context() as patch:  # busy with others: what is known is said at once
        patch.setattr(plans, "_choosers", threading.BoundedSemaphore(1))
        assert plans._choosers.acquire()
        assert refusal(hopeless) == first
    monkeypatch.setattr("node.plans.KEPT_REFUSALS", 2)
    for name in ("one", "two"):
        assert refusal(Wish(preset=name))[0] == "fhe.preset.unknown"
    assert len(plans._refused) == 2 and refusal(hopeless) == first and asked == 5


def test_a_layout_that_does_not_fit_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plans, circuit, make, tried = Plans(), network(), Layout.plan, []

    def plan(self: Layout, circuit: Circuit) -> EncryptedPlan:
        tried.append(self)
        return make(self, circuit)

    monkeypatch.setattr(Layout, "plan", plan)
    wrong = replace(LAYOUT, last=len(circuit.tensors) - 1)  # the whole network in the preset of one layer
    for _ in range(2):
        with pytest.raises(UnsupportedError, match=r"fhe\.plan"):
            plans.admit(circuit, wrong)
    assert tried == [wrong]
    assert plans.admit(circuit, LAYOUT) is plans.get(circuit, LAYOUT)
