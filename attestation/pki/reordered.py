# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates whose names break DER's order of sets, and are otherwise as they should be.

Nuvoton's TPM CAs put several attributes into one relative name, which is a SET OF, and do not sort them (X.690 11.6),
so that `cryptography` reads neither these CAs nor what they issue. Here the attributes of issuer, subject and the
directory names among the subject's alternative names (which EK certificates name the TPM by) are sorted, in place and
without any other change; the library reads the result; and the signature is verified over the
bytes as they were received, which alone count as the certificate's.
"""

from __future__ import annotations

from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

_SEQUENCE, _SET, _INTEGER, _OCTETS, _VERSION, _EXTENSIONS, _DIRECTORY = 0x30, 0x31, 0x02, 0x04, 0xA0, 0xA3, 0xA4
_ALTERNATIVE_NAME = bytes.fromhex("0603551d11")
"""The OID 2.5.29.17."""
_CRITICAL = bytes.fromhex("0101ff")
MAX_PARTS = 64
"""Relative names in a name, and attributes in one of them."""


class Reordered:
    """Stands in for `x509.Certificate`: everything is read from the sorted form, except bytes and signature."""

    __slots__ = ("_read", "_received", "_tbs")

    def __init__(self, read: x509.Certificate, received: bytes, tbs: bytes) -> None:
        self._read = read
        self._received = received
        self._tbs = tbs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reordered) and other._received == self._received

    def __hash__(self) -> int:
        return hash(self._received)

    @property
    def in_order(self) -> x509.Certificate:
        """The form that the library reads."""
        return self._read

    @property
    def tbs_certificate_bytes(self) -> bytes:
        """What the signature covers, as received."""
        return self._tbs

    def public_bytes(self, encoding: Encoding) -> bytes:
        """The certificate as received; DER alone."""
        if encoding is not Encoding.DER:
            raise ValueError("DER is the only encoding")
        return self._received

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        """Digest of the certificate as received."""
        digest = hashes.Hash(algorithm)
        digest.update(self._received)
        return digest.finalize()

    def verify_directly_issued_by(self, issuer: x509.Certificate) -> None:
        """As `x509.Certificate` does. Raises `ValueError`, `TypeError` or `InvalidSignature`."""
        if self._read.issuer != issuer.subject:
            raise ValueError("the issuer has another name")
        key, algorithm = issuer.public_key(), self._read.signature_hash_algorithm
        if algorithm is None:
            raise TypeError("a signature without hash algorithm")
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(self._read.signature, self._tbs, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            parameters = self._read.signature_algorithm_parameters
            if not isinstance(parameters, padding.PKCS1v15):
                raise InvalidSignature("RSA signature of another kind than PKCS #1 1.5")
            key.verify(self._read.signature, self._tbs, parameters, algorithm)
        else:
            raise TypeError("an issuer with another key than RSA or ECDSA")


def readable(certificate: x509.Certificate) -> x509.Certificate:
    """What `cryptography` itself takes for a certificate: the sorted form of a reordered one."""
    return certificate.in_order if isinstance(certificate, Reordered) else certificate


def reorder(data: bytes) -> x509.Certificate | None:
    """The certificate in `data` if sorting its names is all that it needs; None if not, or if nothing is unsorted.

    Typed as what it stands in for. Raises what `cryptography` raises for certificates that it cannot read.
    """
    try:
        tbs, *names = _parts(data)
        replaced = data
        for start, end in names:
            replaced = replaced[:start] + _sorted_name(data[start:end]) + replaced[end:]
    except ValueError:
        return None
    if replaced == data:
        return None
    read = x509.load_der_x509_certificate(replaced)
    if read.public_bytes(Encoding.DER) != replaced:
        return None
    return cast("x509.Certificate", Reordered(read, data, data[tbs[0] : tbs[1]]))


def _parts(data: bytes) -> list[tuple[int, int]]:
    """(start, end) of TBSCertificate, and of its names (RFC 5280 section 4.1). Raises `ValueError`."""
    outer, end = _element(data, 0, _SEQUENCE)
    if end != len(data):
        raise ValueError("bytes behind the certificate")
    offset, tbs_end = _element(data, outer, _SEQUENCE)
    tbs = outer, tbs_end
    _, offset = _element(data, offset, _VERSION)
    _, offset = _element(data, offset, _INTEGER)
    _, issuer = _element(data, offset, _SEQUENCE)
    _, validity = _element(data, issuer, _SEQUENCE)
    _, subject = _element(data, validity, _SEQUENCE)
    _, subject_end = _element(data, subject, _SEQUENCE)
    return [tbs, (issuer, validity), (subject, subject_end), *_directory_names(data, subject_end, tbs_end)]


def _directory_names(data: bytes, offset: int, end: int) -> list[tuple[int, int]]:
    """(start, end) of each directory name in the extension subjectAltName; `offset` is behind the subject."""
    _, offset = _element(data, offset, _SEQUENCE)
    if offset > end:
        raise ValueError("a public key that goes on behind its certificate")
    if offset == end or data[offset] != _EXTENSIONS:
        return []
    inner, _ = _element(data, offset, _EXTENSIONS)
    offset, end = _element(data, inner, _SEQUENCE)
    found: list[tuple[int, int]] = []
    while offset < end:
        start, offset = _element(data, offset, _SEQUENCE)
        if not data.startswith(_ALTERNATIVE_NAME, start):
            continue
        start += len(_ALTERNATIVE_NAME)
        if data.startswith(_CRITICAL, start):
            start += len(_CRITICAL)
        value, _ = _element(data, start, _OCTETS)
        position, last = _element(data, value, _SEQUENCE)
        while position < last:
            kind = data[position]
            name, position = _element(data, position, kind)
            if kind == _DIRECTORY:
                found.append((name, position))
    return found


def _sorted_name(name: bytes) -> bytes:
    """A Name with each relative name's attributes in ascending order of their encodings."""
    offset, end = _element(name, 0, _SEQUENCE)
    parts = [name[:offset]]
    for _ in range(MAX_PARTS):
        if offset == end:
            return b"".join(parts)
        inner, after = _element(name, offset, _SET)
        attributes = []
        position = inner
        while position < after:
            _, following = _element(name, position, _SEQUENCE)
            attributes.append(name[position:following])
            position = following
        if position != after or len(attributes) > MAX_PARTS:
            raise ValueError("a relative name whose attributes do not fill it, or too many")
        parts += [name[offset:inner], *sorted(attributes)]
        offset = after
    raise ValueError("a name of too many parts")


def _element(data: bytes, offset: int, tag: int) -> tuple[int, int]:
    """Where the content of the element at `offset` starts and ends. Raises `ValueError`."""
    if len(data) - offset < 2 or data[offset] != tag:
        raise ValueError(f"tag 0x{tag:02x} expected at {offset}")
    length, start = data[offset + 1], offset + 2
    if length >= 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 2:
            raise ValueError("a length of no certificate")
        length, start = int.from_bytes(data[start : start + octets], "big"), start + octets
    if start + length > len(data):
        raise ValueError("an element that is cut short")
    return start, start + length
