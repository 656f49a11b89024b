# SPDX-License-Identifier: AGPL-3.0-or-later
"""One end of a TLS connection, without I/O: ciphertext in, ciphertext out, and the exporter of RFC 9266.

::

    feed(ciphertext) -> handshake() | read() | write() -> outgoing() -> ciphertext

OpenSSL does the work, through memory. Both ends take TLS 1.2 and 1.3 with forward secrecy and authenticated encryption
alone, never compress, and never renegotiate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from attestation.channel.binding import EXPORTER_BYTES, EXPORTER_LABEL

RECORD = 1 << 14
"""Plaintext of one record (RFC 8446, section 5.1)."""

ALPN = b"http/1.1"
_CIPHERS = b"@SECLEVEL=2:ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all of this kind
_READ = 1 << 16


class TlsError(Exception):
    """The peer broke the protocol, cannot be talked to, or ended without saying so; the connection is over."""


@dataclass(frozen=True)
class Channel:
    """What both ends of a connection know of it.

    Attributes:
        version: ``TLSv1.3`` or ``TLSv1.2``.
        exporter: 32 bytes; ``None`` under TLS 1.2, where only some connections have a unique one.
    """

    version: str
    exporter: bytes | None


class Session:
    """See the module. Every method but :meth:`outgoing` and :meth:`close` raises :class:`TlsError`.

    Args:
        context: of OpenSSL, from :func:`server_context` or a client's own.
        host: as a client, the name to ask for (SNI); ``None`` to be silent about it.
        server: which end this is.
    """

    def __init__(self, context: SSL.Context, *, server: bool, host: str | None = None) -> None:
        self.connection = SSL.Connection(context)
        if host is not None:
            self.connection.set_tlsext_host_name(host.encode("ascii"))
        if server:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()

    def feed(self, ciphertext: bytes) -> None:
        """What came from the peer."""
        view = memoryview(ciphertext)
        while view:
            view = view[self.connection.bio_write(view) :]

    def outgoing(self) -> bytes:
        """What has to go to the peer now; empty for nothing."""
        parts = []
        while True:
            try:
                parts.append(self.connection.bio_read(_READ))
            except SSL.WantReadError:
                return b"".join(parts)

    def handshake(self) -> bool:
        """Whether it is complete; else more ciphertext is needed."""
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise TlsError(_reason(error)) from None
        return True

    def read(self, size: int) -> bytes | None:
        """Up to ``size`` bytes of plaintext; empty when the peer closed; ``None`` while more ciphertext is needed."""
        try:
            return self.connection.recv(size)
        except SSL.WantReadError:
            return None
        except SSL.ZeroReturnError:
            return b""
        except SSL.Error as error:
            raise TlsError(_reason(error)) from None

    def write(self, plaintext: bytes | memoryview) -> int:
        """How many bytes, at least one, became ciphertext."""
        try:
            return self.connection.send(plaintext)
        except SSL.Error as error:
            raise TlsError(_reason(error)) from None

    def close(self) -> None:
        """Say good-bye (close_notify), where the protocol is still in a state to say anything."""
        try:
            self.connection.shutdown()
        except SSL.Error:
            return

    @property
    def channel(self) -> Channel:
        """Of a connection whose handshake is complete."""
        version = self.connection.get_protocol_version_name()
        if version != "TLSv1.3":
            return Channel(version, None)
        # In TLS 1.3 an absent context and an empty one are the same (RFC 8446, section 7.5).
        return Channel(version, self.connection.export_keying_material(EXPORTER_LABEL, EXPORTER_BYTES, b""))


def base_context(method: int) -> SSL.Context:
    """What both ends have in common; ``method`` is ``SSL.TLS_SERVER_METHOD`` or ``SSL.TLS_CLIENT_METHOD``."""
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Every connection has a handshake of its own: no memory for strangers, no ticket key that outlives its use.
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


def server_context(certificate: Path, key: Path) -> SSL.Context:
    """A server's end with its certificate (PEM, leaf first, then the chain) and key (PEM, not encrypted).

    Raises:
        TlsError: they cannot be used; says why, and names no path.
    """
    context = base_context(SSL.TLS_SERVER_METHOD)
    context.set_alpn_select_callback(_choose)
    try:
        context.use_certificate_chain_file(str(certificate))
        # OpenSSL would ask for a passphrase on the terminal; this refuses.
        context.use_privatekey(load_pem_private_key(key.read_bytes(), password=None))  # type: ignore[arg-type]
        context.check_privatekey()
    except SSL.Error as error:
        raise TlsError(_reason(error)) from None
    except OSError as error:
        raise TlsError(error.strerror or type(error).__name__) from None
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise TlsError("the key is not a PEM key without a passphrase") from None
    return context


def _choose(_: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    return ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for the first thing that went wrong."""
    stack = error.args[0] if error.args and isinstance(error.args[0], list) else ()
    return next((str(entry[-1]) for entry in stack), str(error) or type(error).__name__)
