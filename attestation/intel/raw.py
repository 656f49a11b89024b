# SPDX-License-Identifier: AGPL-3.0-or-later
"""Quotes in the buffers and armour in which quoting services hand them out.

Many hand out a buffer: the quote, then zeros. The zeros are no part of it and go here, so that a quote has one form.
Only a whole buffer is taken for one: either its size is a multiple of 64 bytes, or it is the one that Intel's TDX
quoting service reserves for the larger TD report 1.5 when it writes a 1.0 quote, 70 bytes longer. Anything else
behind the quote stays, and is refused as trailing.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from attestation.errors import EvidenceError, MalformedError
from attestation.intel.quote import quote_length

BUFFER_ALIGNMENT = 64
TD15_SURPLUS = 70
"""6 bytes of body header and 64 of TEE_TCB_SVN2 and MRSERVICETD."""


def exact(data: bytes, tee: int, prefix: str) -> bytes:
    """The quote in a buffer, without the zeros behind it; what is no quote, as it is."""
    try:
        end = quote_length(data, tee, prefix)
    except EvidenceError:
        return data  # appraising it says what is wrong
    surplus = len(data) - end
    whole = surplus == TD15_SURPLUS or len(data) % BUFFER_ALIGNMENT == 0
    return data[:end] if whole and not any(data[end:]) else data


def text_bytes(value: Any, prefix: str, what: str) -> bytes:
    """Bytes of a JSON text in hex or base64 (either alphabet), or of a list of octets.

    Raises `MalformedError` (`<prefix>.raw-malformed`).
    """
    try:
        if isinstance(value, list):
            return bytes(value)
        if isinstance(value, str):
            digits = value.removeprefix("0x")
            if len(digits) % 2 == 0 and all(c in "0123456789abcdefABCDEF" for c in digits):
                return bytes.fromhex(digits)
            text = value.translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, TypeError, binascii.Error):
        pass
    raise MalformedError(f"{prefix}.raw-malformed", f"{what} is neither hex, base64 nor a list of octets")
