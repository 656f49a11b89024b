# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wire format: the COSE_Sign1 structure of a Nitro attestation document, and the document in it.

Sources: RFC 9052 section 4.2; AWS, "Nitro Enclaves Attestation Process", sections 2.2, 3.1 and 3.2.2 (in the
repository of the NSM API); RFC 9053 section 2.1 for ES384.

::

    COSE_Sign1 = 84                     array of 4, without the tag 18
                 44 a1013822            protected: {1: -35}, ECDSA with SHA-384
                 a0                     unprotected: nothing, since nothing would cover it
                 59 nnnn payload        the document
                 58 60 r || s           48 bytes each
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from attestation.errors import MalformedError
from attestation.nitro import cbor
from attestation.wire import Reader

COSE = "evidence.nitro.cose"
DOCUMENT = "evidence.nitro.document"

MAX_PAYLOAD = 16384
MAX_DOCUMENT = MAX_PAYLOAD + 128
"""Bytes of the document and of the structure around it."""
MAX_MODULE_ID = 256
MAX_CERTIFICATE = 1024
MAX_BUNDLE = 8
"""Certificates of the bundle: four on today's systems."""
MAX_PCRS = 32
PCR_SIZE = 48
"""Bytes of a SHA-384 register."""
MAX_PUBLIC_KEY = 1024
MAX_USER_DATA = 512
MAX_NONCE = 512
MAX_TIMESTAMP = 253402300799999
"""Milliseconds: the end of the year 9999."""

PREAMBLE = bytes.fromhex("8444a1013822a0")
PROTECTED = bytes.fromhex("a1013822")
SIGNATURE_SIZE = 96

# Order of the curve P-384 (SEC 2, section 2.5.1).
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973

_PCRS, _TPM_PCRS = "pcrs", "nitrotpm_pcrs"
_REQUIRED = frozenset({"module_id", "digest", "timestamp", _PCRS, "certificate", "cabundle"})
_TPM_REQUIRED = _REQUIRED - {_PCRS} | {_TPM_PCRS}
_OPTIONAL = frozenset({"public_key", "user_data", "nonce"})

Kind = Literal["enclave", "tpm"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed COSE_Sign1: the payload and the two numbers of its signature."""

    payload: bytes
    r: int
    s: int

    def encode(self) -> bytes:
        """The structure's bytes; inverse of `parse_envelope`."""
        signature = self.r.to_bytes(48, "big") + self.s.to_bytes(48, "big")
        return PREAMBLE + cbor.byte_string(self.payload) + cbor.byte_string(signature)

    def to_be_signed(self) -> bytes:
        """The bytes under the signature: `["Signature1", protected, h'', payload]` (RFC 9052 section 4.4)."""
        parts = (cbor.byte_string(PROTECTED), cbor.byte_string(b""), cbor.byte_string(self.payload))
        return b"\x84\x6aSignature1" + b"".join(parts)


@dataclass(frozen=True, slots=True)
class Document:
    """An attestation document.

    `timestamp` is in milliseconds since 1970. `bundle` starts with the root, `certificate` is the leaf, both DER.
    `public_key`, `user_data` and `nonce` are None where the enclave gave none. `kind`: an enclave's, or an instance's
    NitroTPM's, whose registers stand under another name and mean what a TPM's do.
    """

    module_id: str
    timestamp: int
    pcrs: Mapping[int, bytes]
    certificate: bytes
    bundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None
    kind: Kind = "enclave"


def parse_envelope(data: bytes) -> Envelope:
    """Parse a COSE_Sign1 in the one form that is accepted.

    Raises `MalformedError` (`evidence.nitro.cose-*`).
    """
    reader = Reader(data, COSE)
    if reader.take(len(PREAMBLE), "headers") != PREAMBLE:
        reader.fail("not an untagged COSE_Sign1 with ES384 alone in its protected and nothing in its other header")
    payload = cbor.read_bytes(reader, "payload")
    signature = cbor.read_bytes(reader, "signature")
    reader.done()
    if not 1 <= len(payload) <= MAX_PAYLOAD:
        reader.fail(f"payload of {len(payload)} bytes; 1 to {MAX_PAYLOAD}")
    if len(signature) != SIGNATURE_SIZE:
        reader.fail(f"signature of {len(signature)} bytes; {SIGNATURE_SIZE} needed")
    r, s = int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big")
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        reader.fail("a number of the signature is zero, or not below the curve's order")
    envelope = Envelope(payload, r, s)
    if envelope.encode() != data:
        reader.fail("not in canonical form")
    return envelope


def parse_document(payload: bytes) -> Document:
    """Parse a document. Raises `MalformedError` (`evidence.nitro.document-*`)."""
    fields = cbor.decode(payload, DOCUMENT)
    if not isinstance(fields, dict):
        _refuse("not a map")
    keys = set(fields)
    kind: Kind = "tpm" if _TPM_PCRS in keys else "enclave"
    required = _TPM_REQUIRED if kind == "tpm" else _REQUIRED
    if not required <= keys <= required | _OPTIONAL:
        odd = keys ^ required
        _refuse(f"fields missing or unknown: {sorted(str(key)[:40] for key in odd - _OPTIONAL)[:10]}")
    module_id, timestamp = fields["module_id"], fields["timestamp"]
    if not isinstance(module_id, str) or not 1 <= len(module_id) <= MAX_MODULE_ID or not module_id.isprintable():
        _refuse(f"module_id is no printable text of 1 to {MAX_MODULE_ID} characters")
    if fields["digest"] != "SHA384":
        _refuse("digest is not 'SHA384'")
    if not isinstance(timestamp, int) or not 0 < timestamp <= MAX_TIMESTAMP:
        _refuse("timestamp is no time in milliseconds")
    bundle = fields["cabundle"]
    if not isinstance(bundle, list) or not 1 <= len(bundle) <= MAX_BUNDLE:
        _refuse(f"cabundle is no list of 1 to {MAX_BUNDLE}")
    return Document(
        module_id,
        timestamp,
        _pcrs(fields[_TPM_PCRS if kind == "tpm" else _PCRS]),
        _octets(fields["certificate"], "certificate", 1, MAX_CERTIFICATE),
        tuple(_octets(entry, "cabundle", 1, MAX_CERTIFICATE) for entry in bundle),
        _optional(fields, "public_key", 1, MAX_PUBLIC_KEY),
        _optional(fields, "user_data", 0, MAX_USER_DATA),
        _optional(fields, "nonce", 0, MAX_NONCE),
        kind,
    )


def _pcrs(value: Any) -> dict[int, bytes]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_PCRS:
        _refuse(f"pcrs is no map of 1 to {MAX_PCRS}")
    if not all(isinstance(index, int) and 0 <= index < MAX_PCRS for index in value):
        _refuse(f"a PCR index that is not 0 to {MAX_PCRS - 1}")
    return {index: _octets(register, f"PCR {index}", PCR_SIZE, PCR_SIZE) for index, register in value.items()}


def _optional(fields: Mapping[Any, Any], name: str, low: int, high: int) -> bytes | None:
    # The module writes null where the enclave gave nothing.
    return None if fields.get(name) is None else _octets(fields[name], name, low, high)


def _octets(value: Any, what: str, low: int, high: int) -> bytes:
    if not isinstance(value, bytes) or not low <= len(value) <= high:
        _refuse(f"{what} is no byte string of {low} to {high} bytes")
    return value


def _refuse(message: str) -> NoReturn:
    raise MalformedError(f"{DOCUMENT}-malformed", message)
