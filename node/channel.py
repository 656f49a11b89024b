# SPDX-License-Identifier: AGPL-3.0-or-later
"""The TLS connection of a request, where this node ends it (channel@v1)."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from attestation.channel.asgi import channel_of
from node.errors import UnsupportedError
from node.schemas import ChannelBinding


def channel_bindings(scope: MutableMapping[str, Any]) -> list[ChannelBinding]:
    """What an answer can be bound to over this connection."""
    channel = channel_of(scope)
    return [] if channel is None or channel.exporter is None else ["tls-exporter"]


def exporter_of(scope: MutableMapping[str, Any]) -> bytes:
    """This connection's exporter, 32 bytes.

    Raises:
        UnsupportedError: ``request.channel-binding.unsupported``.
    """
    channel = channel_of(scope)
    if channel is None or channel.exporter is None:
        over = "without TLS of the node's own" if channel is None else f"over {channel.version}"
        raise UnsupportedError(
            "request.channel-binding.unsupported",
            f"a request {over}, required TLS 1.3 with the node itself",
            remedy="ask the node directly over https, without a proxy that ends TLS, or without channel binding",
        )
    return channel.exporter
