# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTTP to services that throttle and fail: bounded answers, patience with a limit, no redirects.

Tried again: no answer at all, 429 and 5xx, after `Retry-After` (RFC 9110 section 10.2.3) or else with doubling pauses
and jitter. Everything else is final.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType

import httpx

from affidavit.bounded import BoundedTransport, unusable
from attestation.channel.session import TlsError
from verifier.errors import OperationalError, UnsupportedError

ATTEMPTS = 4
FIRST_PAUSE = 1.0
MAX_PAUSE = 60.0
"""Seconds: before the second attempt, doubling from there; and the longest that a service may ask us to wait."""
MAX_HEADER = 1 << 16
TIMEOUT = 30.0

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Request:
    """A GET, or a POST where there is a `body`. `limit`: bytes of the answer."""

    url: str
    limit: int
    body: bytes | None = None
    content_type: str = ""

    @property
    def key(self) -> bytes:
        """What the answer depends on."""
        return self.url.encode() + (b"" if self.body is None else b"\n" + self.body)


@dataclass(frozen=True)
class Answer:
    """A successful answer; header names in lower case."""

    body: bytes
    headers: Mapping[str, str]


class Transfer:
    """A client. `attempts` and `max_pause` bound its patience: at most `attempts` times `timeout`, and the pauses.

    `sleep`, `now` and `jitter` (0 to 1) stand in for the real ones in tests.
    """

    def __init__(
        self,
        *,
        ca: Path | None = None,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        max_pause: float = MAX_PAUSE,
        sleep: Sleep = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Raises `OperationalError` with `client.ca.unusable`."""
        self._sleep, self._now, self._jitter = sleep, now, jitter
        self._attempts, self._max_pause = attempts, max_pause
        try:
            transport = BoundedTransport(ca=ca, seconds=timeout)
        except (OSError, TlsError) as error:
            raise OperationalError("client.ca.unusable", unusable(error)) from None
        self._http = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            headers={"accept-encoding": "identity"},
            transport=transport,
        )

    def __call__(self, request: Request) -> Answer:
        """The answer.

        Raises:
            OperationalError: ``collateral.unavailable``, ``.throttled``, ``.redirected``, ``.refused``, ``.too-large``.
            UnsupportedError: ``collateral.absent``.
        """
        problem = ""
        for attempt in range(self._attempts):
            wait = FIRST_PAUSE * 2**attempt * (0.5 + self._jitter() / 2)
            try:
                status, answer = self._exchange(request)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                problem = f"no answer ({type(error).__name__})"
            else:
                if status == 200:
                    return answer
                if status != 429 and status < 500:
                    raise _final(request, status, answer)
                problem = f"status {status}"
                asked = self._asked(answer.headers.get("retry-after"))
                if asked is not None and asked > self._max_pause:
                    raise OperationalError(
                        "collateral.throttled",
                        f"{_place(request)}: {problem}, ask again in {asked:.0f} s; at most {self._max_pause:.0f}",
                        remedy=f"try again in {asked:.0f} seconds, or use a mirror (docs/collateral.md)",
                    )
                wait = wait if asked is None else asked
            if attempt + 1 < self._attempts:
                self._sleep(min(wait, self._max_pause))
        code = "collateral.throttled" if problem == "status 429" else "collateral.unavailable"
        raise OperationalError(
            code,
            f"{_place(request)}: {problem} in {self._attempts} attempts",
            remedy="try again later, or use a mirror or a pack (docs/collateral.md)",
        )

    def _exchange(self, request: Request) -> tuple[int, Answer]:
        method = "GET" if request.body is None else "POST"
        headers = {"content-type": request.content_type} if request.content_type else {}
        with self._http.stream(method, request.url, content=request.body, headers=headers) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                size += len(part)
                if size > request.limit:
                    raise OperationalError(
                        "collateral.too-large", f"{_place(request)}: more than {request.limit} bytes"
                    )
                parts.append(part)
        told = {name.lower(): value for name, value in response.headers.items() if len(value) <= MAX_HEADER}
        return response.status_code, Answer(b"".join(parts), told)

    def _asked(self, text: str | None) -> float | None:
        """Seconds of a `Retry-After`, which is a number or a date; None where it is neither."""
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 10:
            return float(text)
        try:
            when = parsedate_to_datetime(text)
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
            return max(0.0, (when - self._now()).total_seconds())
        except (ValueError, TypeError, OverflowError):  # hours, years and zones that no clock has
            return None

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Transfer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _final(request: Request, status: int, answer: Answer) -> OperationalError | UnsupportedError:
    if status in (404, 410):
        return UnsupportedError("collateral.absent", f"{_place(request)}: there is no such thing (status {status})")
    if 300 <= status < 400:
        target = answer.headers.get("location", "")[:100]
        return OperationalError(
            "collateral.redirected",
            f"{_place(request)}: sends on to {_shown(target)!r}",
            remedy="name the service's own address (docs/collateral.md, Mirrors)",
        )
    return OperationalError("collateral.refused", f"{_place(request)}: status {status}")


def _place(request: Request) -> str:
    return request.url.partition("?")[0][:160]


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
