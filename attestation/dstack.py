# SPDX-License-Identifier: AGPL-3.0-or-later
"""The envelope in which dstack's guests hand out evidence (`VersionedAttestation`, version 0), in SCALE.

::

    envelope = 0 kind quote events report_data[64] config
    kind     = 0 TDX | 1 TDX with a TPM (GCE) | 2 Nitro enclave | 3 SEV-SNP | 4 NitroTPM
    quote    = quote log                  TDX; log = events of { imr:u32 type:u32 digest name payload }
             | document                   Nitro
             | report certificates config SEV-SNP; certificates = a vector of byte strings
    events   = a vector of { name payload }

Byte strings, texts and vectors have a compact length before them; integers are little-endian. The one encoding is
taken: lengths in their shortest form, texts in UTF-8, nothing behind the end. Only what the hardware signed is
believed: the rest is read so that no bytes can hide behind it.

Source: Dstack-TEE/dstack, dstack-attest (`Attestation`, `AttestationQuote`) and cc-eventlog (`TdxEvent`,
`RuntimeEvent`); parity-scale-codec. Newer guests may answer in MessagePack (version 1), which is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from attestation.wire import Reader

TDX, GCE_TDX, NITRO, SNP, NITRO_TPM = range(5)
_NAMES = ("TDX", "TDX with a TPM", "a Nitro enclave", "SEV-SNP", "NitroTPM")
MAX_EVENTS = 1024
MAX_CERTIFICATES = 16

Quote = TypeVar("Quote")


@dataclass(frozen=True, slots=True)
class TdxEvent:
    """An event of the log that goes with a TDX quote; `imr` is the RTMR's index, `digest` empty in a stripped log."""

    imr: int
    type: int
    digest: bytes
    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class SnpQuote:
    """A report, and certificates as the kernel gave them."""

    report: bytes
    certificates: tuple[bytes, ...]


def is_envelope(data: bytes) -> bool:
    """Whether these bytes can only be an envelope: neither a quote, a report nor CBOR begins so."""
    return len(data) > 1 and data[0] == 0 and data[1] < len(_NAMES)


def read_tdx(data: bytes, prefix: str) -> tuple[bytes, tuple[TdxEvent, ...]]:
    """The quote and its event log. Raises `MalformedError` (`<prefix>-malformed`, `-truncated`, `-trailing`)."""

    def body(reader: Reader) -> tuple[bytes, tuple[TdxEvent, ...]]:
        quote = _octets(reader, "the quote")
        return quote, tuple(_tdx_event(reader) for _ in range(_count(reader, "events", MAX_EVENTS)))

    return _read(data, prefix, TDX, body, lambda found: found[0])


def read_snp(data: bytes, prefix: str) -> SnpQuote:
    """The report with its certificates. Raises as `read_tdx`."""

    def body(reader: Reader) -> SnpQuote:
        report = _octets(reader, "the report")
        count = _count(reader, "certificates", MAX_CERTIFICATES)
        chain = tuple(_octets(reader, "a certificate") for _ in range(count))
        _text(reader, "the configuration that the report names")
        return SnpQuote(report, chain)

    return _read(data, prefix, SNP, body, lambda found: found.report)


def read_nitro(data: bytes, prefix: str) -> bytes:
    """The attestation document. Raises as `read_tdx`."""
    return _read(data, prefix, NITRO, lambda reader: _octets(reader, "the document"))


def _read(
    data: bytes,
    prefix: str,
    wanted: int,
    body: Callable[[Reader], Quote],
    signed: Callable[[Quote], bytes] | None = None,
) -> Quote:
    reader = Reader(data, prefix, "little")
    version, kind = reader.integer(1, "version"), reader.integer(1, "kind")
    if version != 0 or kind != wanted:
        found = _NAMES[kind] if kind < len(_NAMES) else f"kind {kind}"
        reader.fail(f"dstack's envelope of version {version} around {found}; version 0 around {_NAMES[wanted]}")
    quote = body(reader)
    for _ in range(_count(reader, "runtime events", MAX_EVENTS)):
        _text(reader, "an event's name")
        _octets(reader, "an event's payload")
    report_data = reader.take(64, "report data")
    _text(reader, "settings")
    reader.done()
    if signed is not None and report_data not in signed(quote):
        reader.fail("report data that the quote does not have")
    return quote


def _tdx_event(reader: Reader) -> TdxEvent:
    imr, kind = reader.integer(4, "an event's register"), reader.integer(4, "an event's type")
    digest, name = _octets(reader, "an event's digest"), _text(reader, "an event's name")
    return TdxEvent(imr, kind, digest, name, _octets(reader, "an event's payload"))


def _compact(reader: Reader, what: str) -> int:
    """A SCALE compact integer in its one-, two- or four-byte mode, shortest form."""
    mode = reader.integer(1, what)
    size = {0: 0, 1: 1, 2: 3}.get(mode & 3)
    if size is None:
        reader.fail(f"{what} beyond 30 bits")
    value = (mode | reader.integer(size, what) << 8) >> 2
    if size and value < {1: 1 << 6, 3: 1 << 14}[size]:
        reader.fail(f"{what} is not in its shortest form")
    return value


def _count(reader: Reader, what: str, limit: int) -> int:
    count = _compact(reader, f"number of {what}")
    if count > limit:
        reader.fail(f"{count} {what}; at most {limit}")
    return count


def _octets(reader: Reader, what: str) -> bytes:
    return reader.take(_compact(reader, f"length of {what}"), what)


def _text(reader: Reader, what: str) -> str:
    try:
        return _octets(reader, what).decode("utf-8")
    except UnicodeDecodeError:
        reader.fail(f"{what} is not UTF-8")
