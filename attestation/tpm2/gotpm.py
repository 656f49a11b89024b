# SPDX-License-Identifier: AGPL-3.0-or-later
"""go-tpm-tools' `attest.Attestation`: the wire format, the text format and the JSON form of one message.

Source: google/go-tpm-tools, `proto/attest.proto` (Attestation) and `proto/tpm.proto` (Quote, PCRs, HashAlgo).

=====================  ==================  =================================================================
field                  member              content
=====================  ==================  =================================================================
`ak_pub` 1             `ak_public`         TPMT_PUBLIC
`quotes` 2             `attest`, ...       per bank: `quote` 1, `raw_sig` 2, `pcrs` 3 (`hash` 1, map `pcrs` 2)
`event_log` 3          `event_log`
`ak_cert` 6            `ak_certificate`    DER
`intermediate_certs`   `ak_chain`          field 7, DER each
=====================  ==================  =================================================================

A message has a quote per bank; taken is the one of SHA-256, else SHA-384, SHA-512, SHA-1. Instance information,
canonical event logs and reports of confidential hardware in the message are left aside: nothing signs the first, and
the others are evidence of other formats.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from attestation.tpm2 import algorithms as alg
from attestation.tpm2.pcrs import encode_pcrs
from attestation.tpm2.protobuf import TextValue, fields, text_fields

PREFERENCE = ("sha256", "sha384", "sha512", "sha1")
MAX_QUOTES = 8
_NUMBERS = {1: "ak_pub", 2: "quotes", 3: "event_log", 6: "ak_cert", 7: "intermediate_certs"}
_MEMBERS = {"ak_pub": "ak_public", "event_log": "event_log", "ak_cert": "ak_certificate"}
_BYTES = ("ak_pub", "event_log", "ak_cert")


@dataclass(slots=True)
class _Quote:
    quote: bytes = b""
    raw_sig: bytes = b""
    bank: str = ""
    pcrs: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class _Message:
    parts: dict[str, bytes] = field(default_factory=dict)
    quotes: list[_Quote] = field(default_factory=list)
    intermediates: list[bytes] = field(default_factory=list)

    def members(self) -> dict[str, bytes]:
        by_bank = {quote.bank: quote for quote in self.quotes}
        if len(by_bank) != len(self.quotes) or len(self.quotes) > MAX_QUOTES:
            raise ValueError("two quotes of one bank, or too many quotes")
        chosen = next((by_bank[bank] for bank in PREFERENCE if bank in by_bank), None)
        if chosen is None or "ak_pub" not in self.parts:
            raise ValueError("no attestation key, or no quote of a known bank")
        found = {_MEMBERS[name]: value for name, value in self.parts.items() if value}
        values = {(chosen.bank, index): value for index, value in chosen.pcrs.items()}
        found |= {"attest": chosen.quote, "signature": chosen.raw_sig, "pcrs": encode_pcrs(values)}
        if self.intermediates:
            found["ak_chain"] = b"".join(self.intermediates)
        return found


def read_wire(data: bytes) -> dict[str, bytes]:
    """Members of a message on the wire. Raises `ValueError` or `EvidenceError`."""
    message = _Message()
    for number, value in fields(data):
        name = _NUMBERS.get(number, "")
        if name in _BYTES:
            message.parts[name] = _octets(value)
        elif name == "intermediate_certs":
            message.intermediates.append(_octets(value))
        elif name == "quotes":
            message.quotes.append(_wire_quote(_octets(value)))
    return message.members()


def _wire_quote(data: bytes) -> _Quote:
    quote = _Quote()
    for number, value in fields(data):
        if number == 1:
            quote.quote = _octets(value)
        elif number == 2:
            quote.raw_sig = _octets(value)
        elif number == 3:
            for part, entry in fields(_octets(value)):
                if part == 1:
                    quote.bank = _bank(entry)
                elif part == 2:
                    pair = dict(fields(_octets(entry)))
                    _add(quote, pair.get(1, 0), _octets(pair.get(2, b"")))
    return quote


def read_text(text: str) -> dict[str, bytes]:
    """Members of a message in text form. Raises `ValueError` or `EvidenceError`."""
    message = _Message()
    for name, value in text_fields(text):
        if name in _BYTES:
            message.parts[name] = _octets(value)
        elif name == "intermediate_certs":
            message.intermediates.append(_octets(value))
        elif name == "quotes":
            message.quotes.append(_text_quote(value))
    return message.members()


def _text_quote(value: TextValue) -> _Quote:
    quote = _Quote()
    for name, part in _submessage(value):
        if name == "quote":
            quote.quote = _octets(part)
        elif name == "raw_sig":
            quote.raw_sig = _octets(part)
        elif name == "pcrs":
            for key, entry in _submessage(part):
                if key == "hash":
                    quote.bank = _bank(entry)
                elif key == "pcrs":
                    pair = dict(_submessage(entry))
                    _add(quote, pair.get("key", 0), _octets(pair.get("value", b"")))
    return quote


def read_json(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Members of a message in JSON form (lower camel case or the proto's own names). Raises as `read_wire` does."""
    message = _Message()
    for name, aliases in (("ak_pub", "akPub"), ("event_log", "eventLog"), ("ak_cert", "akCert")):
        if (value := found.get(name, found.get(aliases))) is not None:
            message.parts[name] = _base64(value)
    for value in _list(found.get("intermediate_certs", found.get("intermediateCerts", []))):
        message.intermediates.append(_base64(value))
    for entry in _list(found.get("quotes", [])):
        pcrs = entry.get("pcrs") if isinstance(entry, dict) else None
        values = pcrs.get("pcrs") if isinstance(pcrs, dict) else None
        if not isinstance(pcrs, dict) or not isinstance(values, dict):
            raise ValueError("a quote without PCRs")
        signature = entry.get("raw_sig", entry.get("rawSig"))
        quote = _Quote(_base64(entry.get("quote")), _base64(signature), _bank(pcrs.get("hash")))
        for key, text in values.items():
            if not (key.isascii() and key.isdigit() and len(key) <= 2):
                raise ValueError("a PCR index that is no number")
            _add(quote, int(key), _base64(text))
        message.quotes.append(quote)
    return message.members()


def _bank(value: object) -> str:
    if type(value) is int and value in alg.HASH_NAMES:
        return alg.HASH_NAMES[value]
    if isinstance(value, str) and value.lower() in alg.HASH_IDS:
        return value.lower()
    raise ValueError("an unknown bank")


def _add(quote: _Quote, index: object, value: bytes) -> None:
    if type(index) is not int or index in quote.pcrs:
        raise ValueError("a PCR without index, or twice")
    quote.pcrs[index] = value


def _octets(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("bytes expected")
    return value


def _submessage(value: TextValue) -> list[tuple[str, TextValue]]:
    if not isinstance(value, list):
        raise ValueError("a message expected")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list expected")
    return value


def _base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("base64 expected")
    text = value.translate(str.maketrans("-_", "+/")).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
