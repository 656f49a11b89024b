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

A message has a quote per bank; taken is the one of SHA-256, else SHA-384, SHA-512, SHA-1. The others must be good
quotes by the same key, so that nothing in a message is there for no reason. Instance information, canonical event logs
and reports of confidential hardware in the message are left aside: nothing signs the first, and the others are evidence
of other formats. Unlike protobuf's own readers, these refuse unknown fields, and a single field that comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attestation.armour import decode_base64
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.attest import TPM_GENERATED, parse_attest
from attestation.tpm2.pcrs import encode_pcrs, pcr_digest
from attestation.tpm2.protobuf import TextValue, fields, text_fields
from attestation.tpm2.public import PublicKey, parse_public
from attestation.tpm2.signature import parse_signature

PREFERENCE = ("sha256", "sha384", "sha512", "sha1")
MAX_QUOTES = 8
_NUMBERS = {1: "ak_pub", 2: "quotes", 3: "event_log", 6: "ak_cert", 7: "intermediate_certs"}
_MEMBERS = {"ak_pub": "ak_public", "event_log": "event_log", "ak_cert": "ak_certificate"}
_ASIDE = {4: "instance_info", 5: "canonical_event_log", 8: "sev_snp_attestation", 9: "tdx_attestation"}
INSTANCE_INFO = 4
_BYTES = ("ak_pub", "event_log", "ak_cert")


@dataclass(slots=True)
class BankQuote:
    """A quote of one bank: TPMS_ATTEST, TPMT_SIGNATURE, the bank's name, its PCRs by index."""

    quote: bytes = b""
    raw_sig: bytes = b""
    bank: str = ""
    pcrs: dict[int, bytes] = field(default_factory=dict)

    def values(self) -> dict[tuple[str, int], bytes]:
        """By bank and index."""
        return {(self.bank, index): value for index, value in self.pcrs.items()}


@dataclass(slots=True)
class _Message:
    parts: dict[str, bytes] = field(default_factory=dict)
    quotes: list[BankQuote] = field(default_factory=list)
    intermediates: list[bytes] = field(default_factory=list)

    def add(self, name: str, value: object) -> None:
        """A field by its name, but `quotes`. Raises `ValueError`."""
        if name == "intermediate_certs":
            self.intermediates.append(_octets(value))
        elif name not in _BYTES or name in self.parts:
            raise ValueError(f"field {name!r} is unknown, or comes twice")
        else:
            self.parts[name] = _octets(value)

    def members(self) -> dict[str, bytes]:
        if "ak_pub" not in self.parts:
            raise ValueError("no attestation key")
        found = {_MEMBERS[name]: value for name, value in self.parts.items() if value}
        found |= strongest(self.quotes, lambda: parse_public(self.parts["ak_pub"]).key())
        if self.intermediates:
            found["ak_chain"] = b"".join(self.intermediates)
        return found


def strongest(quotes: Sequence[BankQuote], key: Callable[[], PublicKey]) -> dict[str, bytes]:
    """`attest`, `signature` and `pcrs` of the strongest bank's quote; the others must be good ones by the same key.

    Raises `ValueError` or `EvidenceError`.
    """
    by_bank = {quote.bank: quote for quote in quotes}
    if len(by_bank) != len(quotes) or len(quotes) > MAX_QUOTES:
        raise ValueError("two quotes of one bank, or too many quotes")
    chosen = next((by_bank[bank] for bank in PREFERENCE if bank in by_bank), None)
    if chosen is None:
        raise ValueError("no quote of a known bank")
    for quote in quotes:
        if quote is not chosen:
            _check_good(quote, key())
    return {"attest": chosen.quote, "signature": chosen.raw_sig, "pcrs": encode_pcrs(chosen.values())}


def read_wire(data: bytes) -> dict[str, bytes]:
    """Members of a message on the wire. Raises `ValueError` or `EvidenceError`."""
    message = _Message()
    for number, value in fields(data):
        name = _NUMBERS.get(number, "")
        if name == "quotes":
            message.quotes.append(_wire_quote(_octets(value)))
        elif number == INSTANCE_INFO:
            _check_instance(_octets(value))
        elif number not in _ASIDE:
            message.add(name, value)
    return message.members()


def _wire_quote(data: bytes) -> BankQuote:
    quote = BankQuote()
    for number, value in fields(data):
        if number == 1 and not quote.quote:
            quote.quote = _octets(value)
        elif number == 2 and not quote.raw_sig:
            quote.raw_sig = _octets(value)
        elif number == 3 and not quote.bank:
            for part, entry in fields(_octets(value)):
                if part == 1 and not quote.bank:
                    quote.bank = _bank(entry)
                elif part == 2:
                    pair = list(fields(_octets(entry)))
                    if len(pair) > 2 or {number for number, _ in pair} - {1, 2}:
                        raise ValueError("a PCR that is no pair")
                    _add(quote, dict(pair).get(1, 0), _octets(dict(pair).get(2, b"")))
                else:
                    raise ValueError("PCRs with an unknown field, or one twice")
        else:
            raise ValueError("a quote with an unknown field, or one twice")
    return quote


def _check_instance(data: bytes) -> None:
    """GCEInstanceInfo: texts and numbers, of which nothing is used. Raises `ValueError`."""
    for number, value in fields(data):
        if number > 5 or isinstance(value, bytes) is not (number in (1, 2, 4)):
            raise ValueError("instance information with an unknown field")
        if isinstance(value, bytes):
            value.decode("utf-8")


def _check_good(quote: BankQuote, key: PublicKey) -> None:
    """A quote that is not used must be one that could be. Raises `ValueError` or `EvidenceError`."""
    attest, signature = parse_attest(quote.quote), parse_signature(quote.raw_sig)
    values = quote.values()
    info = attest.quote
    if attest.magic != TPM_GENERATED or info is None or set(info.selected()) != set(values):
        raise ValueError(f"the {quote.bank} quote is none of these PCRs")
    if pcr_digest(values, info.selected(), signature.hash) != info.pcr_digest:
        raise ValueError(f"the {quote.bank} quote is of other PCR values")
    signature.verify(key, quote.quote)


def read_text(text: str) -> dict[str, bytes]:
    """Members of a message in text form. Raises `ValueError` or `EvidenceError`."""
    message = _Message()
    for name, value in text_fields(text):
        if name == "quotes":
            message.quotes.append(_text_quote(value))
        elif name not in _ASIDE.values():
            message.add(name, value)
    return message.members()


def _text_quote(value: TextValue) -> BankQuote:
    quote = BankQuote()
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
        quote = BankQuote(_base64(entry.get("quote")), _base64(signature), _bank(pcrs.get("hash")))
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


def _add(quote: BankQuote, index: object, value: bytes) -> None:
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
    return decode_base64(value)
