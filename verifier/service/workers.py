# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bounded number of expensive jobs, each in a thread and under a wall-clock bound.

A slot is taken before the body is read, so that memory is bounded too, and is given back only when its thread
has really ended: a job that overran its time still counts, since Python cannot stop a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from verifier.service.errors import Refusal, busy

T = TypeVar("T")


class Slot:
    """The right to run one job after another."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self.running: Future[Any] | None = None

    async def run(self, job: Callable[[], T], *, seconds: float | None = None) -> T:
        """Run ``job`` in a thread.

        Raises:
            Refusal: ``service.timeout`` (504) after ``seconds``; the job's result is then thrown away.
        """
        future = self._executor.submit(job)
        self.running = future
        awaited = asyncio.wrap_future(future)
        # A job that ends after its time: nobody waits for its exception any more.
        awaited.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.wait_for(asyncio.shield(awaited), seconds)
        except TimeoutError:
            if future.done():  # it ended in the last moment, or raised this itself
                return future.result()
            raise Refusal(
                504,
                "service.timeout",
                f"not finished after {seconds} s; nothing was recorded",
                remedy="lower limits.max_macs in the policy, or raise the service's verify_seconds",
            ) from None


class Workers:
    """At most ``count`` slots; used from one event loop."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="verify")

    @property
    def taken(self) -> int:
        """Slots in use."""
        return self._taken

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Take a slot, or raise ``service.busy`` (503) at once: waiting is the client's part."""
        if self._taken >= self._count:
            raise busy(f"{self._count} verifications are running")
        self._taken += 1
        slot = Slot(self._executor)
        loop = asyncio.get_running_loop()
        try:
            yield slot
        finally:
            if slot.running is None or slot.running.done():
                self._give_back()
            else:
                slot.running.add_done_callback(lambda _: self._give_back_from(loop))

    def _give_back(self) -> None:
        self._taken -= 1

    def _give_back_from(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._give_back)

    def close(self) -> None:
        """Take no more jobs; running ones end by themselves."""
        self._executor.shutdown(wait=False, cancel_futures=True)
