# SPDX-License-Identifier: AGPL-3.0-or-later
"""The `pcrs` member: the PCR values behind a quote, as text.

One line per PCR, `<bank> <index> <lower-case hex>` and a line feed; banks in the order sha1, sha256,
sha384, sha512, indices ascending, no PCR twice, nothing else. One listing has one spelling.

    digest = H( value of each quoted PCR, in the quote's order )      H: hash of the signing scheme
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation.errors import MalformedError, OperationalError
from attestation.tpm2 import algorithms as alg

PREFIX = "evidence.tpm2.pcrs"
MAX_INDEX = 31
BANK_ORDER = ("sha1", "sha256", "sha384", "sha512")

Pcrs = Mapping[tuple[str, int], bytes]


def encode_pcrs(values: Pcrs) -> bytes:
    """The canonical listing of `values`. Raises `OperationalError` for what no listing can hold."""
    lines = []
    for bank, index in sorted(values, key=_order):
        value = values[bank, index]
        if not 0 <= index <= MAX_INDEX or len(value) != alg.HASH_SIZES[bank]:
            raise OperationalError(f"{PREFIX}-invalid", f"{bank} PCR {index} of {len(value)} bytes")
        lines.append(f"{bank} {index} {value.hex()}\n")
    return "".join(lines).encode("ascii")


def _order(key: tuple[str, int]) -> tuple[int, int]:
    bank, index = key
    if bank not in BANK_ORDER:
        raise OperationalError(f"{PREFIX}-invalid", f"unknown PCR bank {bank!r}")
    return BANK_ORDER.index(bank), index


def parse_pcrs(data: bytes) -> Pcrs:
    """Parse a listing; keys are (bank, index). Raises `MalformedError` (`evidence.tpm2.pcrs-malformed`)."""
    values: dict[tuple[str, int], bytes] = {}
    try:
        for line in data.decode("ascii").removesuffix("\n").split("\n"):
            bank, number, text = line.split(" ")
            index, value = int(number), bytes.fromhex(text)
            if (bank, index) in values or not 0 <= index <= MAX_INDEX:
                raise ValueError(f"{bank} {index} is out of range or repeated")
            if len(value) != alg.HASH_SIZES.get(bank):
                raise ValueError(f"{bank!r} is no bank, or its value of {len(value)} bytes has another size")
            values[bank, index] = value
    except ValueError as error:
        raise MalformedError(f"{PREFIX}-malformed", f"PCR listing: {error}") from None
    if encode_pcrs(values) != data:
        raise MalformedError(f"{PREFIX}-malformed", "PCR listing is not in canonical form")
    return MappingProxyType(values)


def pcr_digest(values: Pcrs, selected: tuple[tuple[str, int], ...], hash_name: str) -> bytes:
    """The digest that a TPM signs for `selected` PCRs; every one of them must be in `values`."""
    return alg.digest(hash_name, b"".join(values[key] for key in selected))
