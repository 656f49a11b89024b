# SPDX-License-Identifier: AGPL-3.0-or-later
"""Quotes in the buffers, envelopes and armour in which others hand them out.

=======================  ====================================================================================
what                     becomes
=======================  ====================================================================================
a buffer                 the quote, without the zeros behind it
chain in lines of 76     the same in lines of 64 (`pem.rewrapped`)
Open Enclave's report    the quote behind its header: version 1, type 2, size of the rest (8 bytes)
JSON, TSM report         what stands under the one key of `QUOTE_KEYS`: text in hex or base64, octets; where none is
                         on top, the one text under such a key, on whatever level, that begins as a quote does
=======================  ====================================================================================

Zeros behind a quote are no part of it and go here, so that a quote has one form. Only a whole buffer is taken for one:
either its size is a multiple of 64 bytes, or it is the one that Intel's TDX quoting service reserves for the larger TD
report 1.5 when it writes a 1.0 quote, 70 bytes longer. Anything else behind the quote stays and is refused.

Source of the header: openenclave/openenclave, `include/openenclave/internal/report.h` (oe_report_header_t).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from attestation import raw
from attestation.armour import decode_base64, decode_hex
from attestation.errors import EvidenceError, MalformedError
from attestation.intel.pem import rewrapped
from attestation.intel.quote import INTEL_QE_VENDOR, parse_quote, quote_length

BUFFER_ALIGNMENT = 64
TD15_SURPLUS = 70
"""6 bytes of body header and 64 of TEE_TCB_SVN2 and MRSERVICETD."""
OPEN_ENCLAVE = (1).to_bytes(4, "little") + (2).to_bytes(4, "little")
"""oe_report_header_t: version 1, OE_REPORT_TYPE_SGX_REMOTE; the size of the report follows."""
QUOTE_KEYS = frozenset({"quote", "tdquote", "tdxquote", "sgxquote", "intelquote", "rawquote", "outblob"})
MIN_TEXT = 1000
"""Characters of a text in which a quote is looked for; none has as few."""


def exact(data: bytes, tee: int, prefix: str) -> bytes:
    """The quote in a buffer or envelope, in its one form; what is no quote, as it is."""
    if data[:8] == OPEN_ENCLAVE and int.from_bytes(data[8:16], "little") == len(data) - 16:
        data = data[16:]
    try:
        end = quote_length(data, tee, prefix)
        whole = len(data) - end == TD15_SURPLUS or len(data) % BUFFER_ALIGNMENT == 0
        if whole and not any(data[end:]):
            data = data[:end]
        quote = parse_quote(data, tee, prefix)
    except EvidenceError:
        return data  # appraising it says what is wrong
    chain = rewrapped(quote.pck_chain)
    return data if chain == quote.pck_chain else replace(quote, pck_chain=chain).encode()


def carrier(found: dict[str, Any], tee: int, prefix: str) -> tuple[dict[str, Any], Any]:
    """The object in a JSON value that holds the one quote, and the quote: on top, or else on whatever level.

    Raises `MalformedError` (`<prefix>.raw-malformed`) where there is none, or where there are several.
    """
    named = [value for key, value in found.items() if raw.plain_name(key) in QUOTE_KEYS and not isinstance(value, dict)]
    held = [(found, value) for value in named] or raw.nested(found, QUOTE_KEYS, partial(_begins, tee))
    several = len(named) or len({text for _, text in held})
    if several != 1:
        raise MalformedError(f"{prefix}.raw-malformed", f"JSON with {several or 'no'} quotes; exactly one expected")
    return held[0]


def _begins(tee: int, text: Any) -> bool:
    """Whether a text in hex or base64 begins with the header of a quote of this TEE type."""
    if not isinstance(text, str) or len(text) < MIN_TEXT:
        return False
    for decode, digits in ((decode_hex, text.removeprefix("0x")[:56]), (decode_base64, text[:40])):
        try:
            head = decode(digits)
        except ValueError:
            continue
        if head[12:28] == INTEL_QE_VENDOR and int.from_bytes(head[4:8], "little") == tee:
            return True
    return False


def text_bytes(value: Any, prefix: str, what: str) -> bytes:
    """Bytes as they are, of a JSON text in hex or base64 (either alphabet), or of a list of octets.

    Raises `MalformedError` (`<prefix>.raw-malformed`).
    """
    try:
        if isinstance(value, bytes | list):
            return bytes(value)
        if isinstance(value, str):
            digits = value.removeprefix("0x").removesuffix("\n")
            if len(digits) % 2 == 0 and all(c in "0123456789abcdefABCDEF" for c in digits):
                return decode_hex(digits)
            return decode_base64(value.removesuffix("\n"))
    except (ValueError, TypeError):
        pass
    raise MalformedError(f"{prefix}.raw-malformed", f"{what} is neither hex, base64 nor a list of octets")
