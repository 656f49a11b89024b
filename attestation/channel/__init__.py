# SPDX-License-Identifier: AGPL-3.0-or-later
"""Channel binding: a machine's word tied to the TLS connection over which it comes (channel@v1, RFC 9266).

::

    exporter  = TLS-Exporter("EXPORTER-Channel-Binding", "", 32)          the same at both ends of one connection alone
    challenge = SHA-256("affidavit/channel@v1" || 0x00 || type || nonce || exporter)

Whoever terminates TLS between the two has two connections with two exporters, and evidence of neither fits the other.

===========  =====================================================================================
`binding`    the challenge; pure
`session`    one end of a TLS connection without any I/O, which knows its exporter; OpenSSL
`server`     that end under asyncio, in front of any protocol
`asgi`       in front of uvicorn's HTTP, and how an application finds out
===========  =====================================================================================

`binding` is for everybody. The others need pyOpenSSL, since Python's `ssl` exports no keying material, and asyncio and
uvicorn; servers import them, the verifying core never. What a certificate is worth, and for which host, is the
client's question and not asked here.
"""
