# SPDX-License-Identifier: AGPL-3.0-or-later
"""A client's end of TLS that knows its exporter (channel@v1), under httpcore.

Whom it believes is what Python's own default would believe, and no more: the same file of roots, the same flags of path
validation, a certificate for server authentication, the host among its subject alternative names. Names are compared by
service-identity (RFC 9525): whole names, or a wildcard as the whole leftmost label; the common name counts for nothing.
"""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import time
from pathlib import Path

import certifi
import httpcore
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from attestation.channel.session import ALPN, RECORD, Channel, Session, TlsError, base_context

CHANNEL = "affidavit.channel"
"""The name under which a stream gives its :class:`Channel` (``get_extra_info``)."""

_CLOSE_SECONDS = 1.0
_READ = 1 << 16
_REASONS = {
    SSL.X509VerificationCodes.ERR_CERT_HAS_EXPIRED: "expired",
    SSL.X509VerificationCodes.ERR_CERT_NOT_YET_VALID: "not valid yet",
    SSL.X509VerificationCodes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed",
    SSL.X509VerificationCodes.ERR_SELF_SIGNED_CERT_IN_CHAIN: "from a root that is not trusted",
    SSL.X509VerificationCodes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "from a root that is not trusted",
    SSL.X509VerificationCodes.ERR_INVALID_PURPOSE: "not for servers",
}


class UntrustedError(Exception):
    """The server's certificate is not to be believed, or not that host's; nothing was sent to it."""


def client_context(ca: Path | str | None) -> SSL.Context:
    """A client's end that believes the CAs in a PEM file; by default the well-known ones (certifi).

    Raises:
        OSError: the file cannot be read.
        TlsError: it holds no certificate.
    """
    context = base_context(SSL.TLS_CLIENT_METHOD)
    path = certifi.where() if ca is None else str(ca)
    with Path(path).open("rb"):
        pass  # OpenSSL's own error would not say why
    try:
        context.load_verify_locations(path)
    except SSL.Error:
        raise TlsError("no certificate in PEM") from None
    store = context.get_cert_store()
    if store is None:
        raise TlsError("OpenSSL gives no store")
    store.set_flags(int(ssl.create_default_context(cafile=path).verify_flags))
    context.set_verify(SSL.VERIFY_PEER, _seen)
    context.set_alpn_protos([ALPN])
    return context


def _seen(connection: SSL.Connection, certificate: X509, code: int, depth: int, ok: int) -> bool:
    """OpenSSL's own finding about one certificate, unchanged; remembers the first that is bad."""
    if ok != 1 and connection.get_app_data() is None:
        connection.set_app_data(_REASONS.get(code, f"refused (X.509 error {code})"))
    return ok == 1


class ChannelStream(httpcore.NetworkStream):
    """TLS over another stream; whoever gets one has a connection to the host it named.

    Args:
        inner: what is under it; closed here when anything goes wrong.
        context: from :func:`client_context`.
        host: a name (ASCII) or an address.
        timeout: seconds for the whole handshake.

    Raises:
        UntrustedError: the certificate, or its name.
        httpcore.ConnectError: no handshake.
        httpcore.TimeoutException: nor in time.
    """

    def __init__(self, inner: httpcore.NetworkStream, context: SSL.Context, host: str, timeout: float | None) -> None:
        self._inner = inner
        address = _address(host)
        self._session = Session(context, server=False, host=None if address else host)
        until = _until(timeout)
        try:
            while not self._session.handshake():
                self._send(until)
                self._receive(until)
            self._send(until)
            _check_name(self._session, host, address)
        except TlsError as error:
            with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException):
                self._send(_until(_CLOSE_SECONDS))  # the alert
            inner.close()
            reason = self._session.connection.get_app_data()
            if reason is not None:
                raise UntrustedError(f"the server's certificate is {reason}") from None
            raise httpcore.ConnectError(f"no TLS handshake ({error})") from None
        except BaseException:
            inner.close()
            raise
        self.channel: Channel = self._session.channel

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        until = _until(timeout)
        try:
            while (data := self._session.read(max_bytes)) is None:
                self._receive(until)
                self._send(until)
        except TlsError as error:
            raise httpcore.ReadError(str(error)) from None
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        until, view = _until(timeout), memoryview(buffer)
        try:
            while view:
                view = view[self._session.write(view[:RECORD]) :]
                self._send(until)
        except TlsError as error:
            raise httpcore.WriteError(str(error)) from None

    def close(self) -> None:
        self._session.close()
        with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException):
            self._send(_until(_CLOSE_SECONDS))
        self._inner.close()

    def get_extra_info(self, info: str) -> object:
        return self.channel if info == CHANNEL else self._inner.get_extra_info(info)

    def _receive(self, until: float | None) -> None:
        data = self._inner.read(_READ, _left(until))
        if not data:
            raise TlsError("the server ended the connection without saying so")
        self._session.feed(data)

    def _send(self, until: float | None) -> None:
        data = self._session.outgoing()
        if data:
            self._inner.write(data, _left(until))


def _check_name(session: Session, host: str, address: str | None) -> None:
    certificate = session.connection.get_peer_certificate(as_cryptography=True)
    try:
        if certificate is None:
            raise UntrustedError("the server gave no certificate")
        if address is not None:
            verify_certificate_ip_address(certificate, address)
        else:
            verify_certificate_hostname(certificate, host)
    except (CertificateError, VerificationError, ValueError):
        # ValueError: names that the libraries cannot read.
        raise UntrustedError("the server's certificate is for another host") from None


def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


def _until(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _left(until: float | None) -> float | None:
    if until is None:
        return None
    remaining = until - time.monotonic()
    if remaining <= 0:
        raise httpcore.ReadTimeout("the exchange takes too long")
    return remaining
