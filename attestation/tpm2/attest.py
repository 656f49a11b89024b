# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPMS_ATTEST: what a TPM signs when it quotes PCRs.

Source: TPM 2.0 Library, Part 2, 10.12.12 (TPMS_ATTEST), 10.12.1 (TPMS_QUOTE_INFO), 10.11.1 (TPMS_CLOCK_INFO),
10.6.2 (TPMS_PCR_SELECTION).
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation.tpm2 import algorithms as alg
from attestation.wire import Reader, sized

PREFIX = "evidence.tpm2.attest"
TPM_GENERATED = 0xFF544347
ST_ATTEST_QUOTE = 0x8018
MAX_BANKS = 16
MAX_NAME = 66
MAX_DIGEST = 64


@dataclass(frozen=True, slots=True)
class Selection:
    """PCR indices of one bank, ascending, with the octets of the bit map as they were received."""

    bank: str
    bitmap: bytes

    @property
    def indices(self) -> tuple[int, ...]:
        """The selected PCR numbers, ascending."""
        return tuple(i for i in range(len(self.bitmap) * 8) if self.bitmap[i // 8] >> (i % 8) & 1)


@dataclass(frozen=True, slots=True)
class QuoteInfo:
    """The part of an attestation that is particular to a quote."""

    selections: tuple[Selection, ...]
    pcr_digest: bytes

    def selected(self) -> tuple[tuple[str, int], ...]:
        """(bank, index) of every quoted PCR, in the order in which the TPM digests them."""
        return tuple((s.bank, index) for s in self.selections for index in s.indices)


@dataclass(frozen=True, slots=True)
class Attest:
    """A parsed TPMS_ATTEST.

    `clock` is in milliseconds. `quote` is None, and `body` holds the bytes, when `type` is not a quote.
    """

    magic: int
    type: int
    qualified_signer: bytes
    extra_data: bytes
    clock: int
    reset_count: int
    restart_count: int
    safe: bool
    firmware_version: int
    quote: QuoteInfo | None
    body: bytes = b""

    def encode(self) -> bytes:
        """The TPMS_ATTEST bytes; inverse of `parse_attest`."""
        parts = [
            self.magic.to_bytes(4, "big"),
            self.type.to_bytes(2, "big"),
            sized(self.qualified_signer),
            sized(self.extra_data),
            self.clock.to_bytes(8, "big"),
            self.reset_count.to_bytes(4, "big"),
            self.restart_count.to_bytes(4, "big"),
            bytes([self.safe]),
            self.firmware_version.to_bytes(8, "big"),
        ]
        if self.quote is None:
            return b"".join([*parts, self.body])
        parts += [encode_selections(self.quote.selections), sized(self.quote.pcr_digest)]
        return b"".join(parts)


def encode_selections(selections: tuple[Selection, ...]) -> bytes:
    """TPML_PCR_SELECTION bytes."""
    parts = [len(selections).to_bytes(4, "big")]
    for selection in selections:
        parts += [
            alg.HASH_IDS[selection.bank].to_bytes(2, "big"),
            bytes([len(selection.bitmap)]),
            selection.bitmap,
        ]
    return b"".join(parts)


def parse_attest(data: bytes) -> Attest:
    """Parse a TPMS_ATTEST (not wrapped in a TPM2B), refusing anything that is not canonical.

    Magic and type are values to be judged by the appraisal, not grammar. Raises `MalformedError`
    (`evidence.tpm2.attest-*`) and `UnsupportedError` (`evidence.tpm2.algorithm-unsupported`).
    """
    reader = Reader(data, PREFIX)
    magic, kind = reader.integer(4, "magic"), reader.integer(2, "type")
    signer = reader.sized(MAX_NAME, "qualified signer")
    extra = reader.sized(MAX_DIGEST, "extra data")
    clock = reader.integer(8, "clock")
    resets, restarts = reader.integer(4, "reset count"), reader.integer(4, "restart count")
    safe = reader.integer(1, "safe")
    if safe > 1:
        reader.fail(f"safe is {safe}; 0 or 1")
    firmware = reader.integer(8, "firmware version")
    quote, body = None, b""
    if kind == ST_ATTEST_QUOTE:
        quote = _quote_info(reader)
        reader.done()
    else:
        body = reader.rest()
    attest = Attest(magic, kind, signer, extra, clock, resets, restarts, bool(safe), firmware, quote, body)
    if attest.encode() != data:
        reader.fail("not in canonical form")
    return attest


def _quote_info(reader: Reader) -> QuoteInfo:
    count = reader.integer(4, "number of banks")
    if count > MAX_BANKS:
        reader.fail(f"{count} banks; at most {MAX_BANKS}")
    selections: list[Selection] = []
    for _ in range(count):
        bank = alg.hash_name(reader.integer(2, "bank"))
        if any(selection.bank == bank for selection in selections):
            reader.fail(f"bank {bank} selected twice")
        octets = reader.integer(1, "size of the bit map")
        if not 1 <= octets <= 4:
            reader.fail(f"bit map of {octets} octets; 1 to 4")
        selections.append(Selection(bank, reader.take(octets, "bit map")))
    return QuoteInfo(tuple(selections), reader.sized(MAX_DIGEST, "PCR digest"))
