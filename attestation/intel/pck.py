# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a PCK certificate says of its platform: the SGX extension.

Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, 1.3.5.

::

    SEQUENCE of SEQUENCE { OID 1.2.840.113741.1.13.1.n, value }
    1 PPID, 2 TCB { 1..16 component SVNs, 17 PCESVN, 18 CPUSVN }, 3 PCE-ID, 4 FMSPC, 5 SGX type,
    6 platform instance id, 7 configuration
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from attestation.errors import MalformedError

SGX_EXTENSION = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
_ARC = bytes.fromhex("2a864886f84d010d01")
"""DER content of 1.2.840.113741.1.13.1."""

_SEQUENCE, _OID, _INTEGER, _OCTETS, _ENUMERATED = 0x30, 0x06, 0x02, 0x04, 0x0A
_MAX_EXTENSION = 2048


@dataclass(frozen=True, slots=True)
class Pck:
    """A platform. `components` are the 16 SGX TCB component SVNs; `platform_instance` is empty for one-package CPUs."""

    ppid: bytes
    components: tuple[int, ...]
    pce_svn: int
    cpu_svn: bytes
    pce_id: bytes
    fmspc: bytes
    platform_instance: bytes


def common_name(name: x509.Name) -> str:
    """The one common name, or nothing."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""


@lru_cache(maxsize=256)
def subject_of(certificate: x509.Certificate) -> str:
    """The subject's common name; remembered, since names are slow to take apart."""
    return common_name(certificate.subject)


@lru_cache(maxsize=256)
def read_pck(certificate: x509.Certificate, prefix: str) -> Pck:
    """The extension's content. Raises `MalformedError` (`<prefix>.pck-extension-malformed`)."""
    code = f"{prefix}.pck-extension-malformed"
    try:
        value = certificate.extensions.get_extension_for_oid(SGX_EXTENSION).value
    except x509.ExtensionNotFound:
        raise MalformedError(code, "a PCK certificate without the SGX extension") from None
    if not isinstance(value, x509.UnrecognizedExtension) or len(value.value) > _MAX_EXTENSION:
        raise MalformedError(code, "the SGX extension is not as specified")
    try:
        return _read(value.value)
    except (ValueError, KeyError, IndexError):
        raise MalformedError(code, "the SGX extension is not as specified") from None


def _read(data: bytes) -> Pck:
    fields = _pairs(_exactly(data, _SEQUENCE), _ARC)
    tcb = _pairs(_tagged(fields[2], _SEQUENCE), _ARC + b"\x02")
    instance = _tagged(fields[6], _OCTETS, 16) if 6 in fields else b""
    _tagged(fields[5], _ENUMERATED)
    components = tuple(_number(tcb[index], 255) for index in range(1, 17))
    return Pck(
        _tagged(fields[1], _OCTETS, 16),
        components,
        _number(tcb[17], 0xFFFF),
        _tagged(tcb[18], _OCTETS, 16),
        _tagged(fields[3], _OCTETS, 2),
        _tagged(fields[4], _OCTETS, 6),
        instance,
    )


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each DER element; raises `ValueError` or `IndexError`."""
    offset = 0
    while offset < len(data):
        tag, length, start = data[offset], data[offset + 1], offset + 2
        if length in (0x81, 0x82):
            octets = length & 0x7F
            length, start = int.from_bytes(data[start : start + octets], "big"), start + octets
            if length < (0x80 if octets == 1 else 0x100):
                raise ValueError("length not minimal")
        elif length > 0x7F:
            raise ValueError("length")
        offset = start + length
        if offset > len(data):
            raise ValueError("cut short")
        yield tag, data[start:offset]


def _exactly(data: bytes, tag: int) -> bytes:
    [(found, content)] = _elements(data)
    if found != tag:
        raise ValueError("tag")
    return content


def _pairs(data: bytes, arc: bytes) -> dict[int, tuple[int, bytes]]:
    """Last arc of each OID to tag and content of its value."""
    pairs: dict[int, tuple[int, bytes]] = {}
    for tag, content in _elements(data):
        (oid_tag, oid), value = _elements(content)
        if tag != _SEQUENCE or oid_tag != _OID or oid[:-1] != arc or oid[-1] in pairs:
            raise ValueError("not a list of distinct OIDs and values")
        pairs[oid[-1]] = value
    return pairs


def _tagged(element: tuple[int, bytes], tag: int, size: int | None = None) -> bytes:
    found, content = element
    if found != tag or (size is not None and len(content) != size):
        raise ValueError("type or size")
    return content


def _number(element: tuple[int, bytes], limit: int) -> int:
    value = int.from_bytes(_tagged(element, _INTEGER), "big", signed=True)
    if not 0 <= value <= limit:
        raise ValueError("range")
    return value
