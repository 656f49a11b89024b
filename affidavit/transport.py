# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTTP to a node: bounded answers, typed errors, no belief."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from affidavit.bounded import BoundedTransport, unusable
from affidavit.channel import CHANNEL, UntrustedError
from affidavit.errors import ClientError, MalformedError, OperationalError, RejectedError, UnsupportedError
from affidavit.wire import is_code
from attestation.channel.session import Channel, TlsError
from verifier.container import MAX_FILE_BYTES

MAX_JSON_BYTES = 8 << 20
MAX_TIMEOUT = 86_400.0
"""Seconds."""
_KINDS: Mapping[int, type[ClientError]] = {
    401: RejectedError,
    404: UnsupportedError,
    409: RejectedError,
    501: UnsupportedError,
}


class RefusedError(Exception):
    """The node said no; carries what :meth:`Transport.request` makes of it, and when to try again."""

    def __init__(self, error: ClientError, retry_after: float | None) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry_after = retry_after


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        body: of a successful answer.
        channel: the TLS connection over which it came; ``None`` for plain HTTP, or where nobody asked to know.
    """

    body: bytes
    channel: Channel | None


class Transport:
    """A connection to one node.

    Args:
        url: of the node, ``http://`` or ``https://``.
        token: bearer token, where the node wants one.
        timeout: seconds, up to a day, for each whole exchange, and one more for every 16 KiB that come or go, see
            :mod:`affidavit.bounded`.
        ca: PEM file with the CA of the node's TLS certificate; by default the well-known ones.
        channel: whether answers name the TLS connection over which they came, for channel binding.

    Attributes:
        secure: whether it is TLS.

    Raises:
        MalformedError: ``client.url.malformed``, ``client.token.malformed``, ``client.timeout.malformed``.
        OperationalError: ``client.ca.unusable``.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        ca: Path | str | None = None,
        channel: bool = False,
    ) -> None:
        if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
            raise MalformedError(
                "client.token.malformed",
                "a bearer token of printable ASCII characters required",
                remedy="give the token as the node's owner gave it",
            )
        if not 0 < timeout <= MAX_TIMEOUT:  # false for what is no number
            raise MalformedError(
                "client.timeout.malformed",
                f"{timeout} seconds; more than 0 and at most {MAX_TIMEOUT:.0f} required",
                remedy="give the seconds that an answer may take, as 30",
            )
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        base = checked_url(url)
        self.secure = base.scheme == "https"
        try:
            transport = BoundedTransport(ca=ca, seconds=timeout, channel=channel)
        except (OSError, TlsError) as error:
            raise OperationalError("client.ca.unusable", unusable(error)) from None
        self._http = httpx.Client(
            base_url=base,
            headers=headers,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def request(self, method: str, path: str, **options: Any) -> bytes:
        """The body of a successful answer; options and errors are those of :meth:`exchange`."""
        return self.exchange(method, path, **options).body

    def exchange(
        self,
        method: str,
        path: str,
        *,
        limit: int = MAX_FILE_BYTES,
        content: bytes | None = None,
        media: str = "application/json",
        **options: Any,
    ) -> Answer:
        """A successful answer of at most ``limit`` bytes, and the connection over which it came.

        Raises:
            RefusedError: any status but 2xx.
            OperationalError: ``client.network.failed``, also when the node draws the exchange out.
            RejectedError: ``client.tls.untrusted``.
            MalformedError: ``client.response.too-large``.
        """
        headers = {} if content is None else {"content-type": media}
        try:
            with self._http.stream(method, path, content=content, headers=headers, **options) as response:
                parts, size = [], 0
                for part in response.iter_bytes():
                    size += len(part)
                    if size > limit:
                        raise MalformedError("client.response.too-large", f"the node sends more than {limit} bytes")
                    parts.append(part)
                body, channel = b"".join(parts), _channel(response)
        except UntrustedError as error:
            raise RejectedError(
                "client.tls.untrusted",
                str(error),
                remedy="name the CA of its certificate, and the host as the certificate does",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise OperationalError(
                "client.network.failed",
                f"no answer from the node ({type(error).__name__})",
                remedy="check the URL and that the node runs; sending the same request again is safe",
            ) from None
        if not response.is_success:
            raise RefusedError(_refusal(response.status_code, body), _seconds(response.headers.get("retry-after")))
        return Answer(body, channel)

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked_url(url: str, what: str = "a node") -> httpx.URL:
    """An http or https URL with a host; raises MalformedError ``client.url.malformed``."""
    try:
        parsed = httpx.URL(url)
        host = urlsplit(url).hostname  # stricter about brackets
    except (httpx.InvalidURL, TypeError, ValueError):
        parsed, host = httpx.URL(""), None
    if parsed.scheme not in ("http", "https") or not host:
        raise MalformedError(
            "client.url.malformed",
            f"not the URL of {what}: {_shown(url)[:100]}",
            remedy="give one like http://127.0.0.1:8420",
        )
    return parsed


def _channel(response: httpx.Response) -> Channel | None:
    stream = response.extensions.get("network_stream")
    found = None if stream is None else stream.get_extra_info(CHANNEL)
    return found if isinstance(found, Channel) else None


def _refusal(status: int, body: bytes) -> ClientError:
    """The node's ``{code, message, remedy}`` as an error of ours; what it says is shown, not trusted."""
    kind = _KINDS.get(status, OperationalError if status >= 500 else MalformedError)
    try:
        value = httpx.Response(status, content=body).json()
        code, message, remedy = value["code"], value["message"], value["remedy"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return OperationalError("client.response.malformed", f"status {status} without a reason in our grammar")
    if not is_code(code):
        return OperationalError("client.response.malformed", f"status {status} with a code outside our grammar")
    return kind(code, _shown(message), remedy=_shown(remedy))


def _shown(text: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text)[:500])


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 6 else None
