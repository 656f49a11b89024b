# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPM evidence in the JSON of others, and in the files of tpm2-tools.

=====================  ===========================================================================================
source                 form
=====================  ===========================================================================================
Trustee                `ak_public` (SubjectPublicKeyInfo or TPMT_PUBLIC, base64), `tpm_quote`: `message` and
                       `signature` (TPMT_SIGNATURE) in base64, `pcrs`: SHA-256 values in hex, in order
go-attestation         `Dump`: `AK.Public`, `Quote.Quote`, `Quote.Signature`, `Log.PCRs`, `Log.Raw`, `Static.EKPem`;
                       `PlatformParameters`: `Public`, `Quotes` (of one bank each), `PCRs`, `EventLog`
Trustee of Anolis OS   `ak_pubkey` (PEM), `quote`: by bank `attest_body`, `attest_sig` (plain) and `pcrs` in hex;
                       `eventlog`, `ek_cert` (PEM)
tpm2-tools             members in this project's JSON, but `ak_public` with its TPM2B length, in PEM or as
                       SubjectPublicKeyInfo; `pcrs` as the values alone, one after another in the quote's order, or
                       `serialized`
=====================  ===========================================================================================

Source: confidential-containers/guest-components, `attester/src/tpm`; google/go-attestation, `attest/dump`;
tpm2-tools, man pages of tpm2_quote, tpm2_pcrread and tpm2_readpublic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attestation.armour import decode_base64, decode_hex, decode_pem
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.ak import load_ak
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.gotpm import MAX_QUOTES, BankQuote, strongest
from attestation.tpm2.pcrs import encode_pcrs
from attestation.tpm2.plain import first_fitting
from attestation.tpm2.serialized import is_serialized, parse_serialized

GO_HASHES = {3: "sha1", 5: "sha256", 6: "sha384", 7: "sha512"}
"""Go's `crypto.Hash` numbers, which go-attestation writes."""


def read_trustee(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Members of Trustee's evidence. Raises `ValueError` or `EvidenceError`."""
    quote = found["tpm_quote"]
    if not isinstance(quote, dict) or not isinstance(quote.get("pcrs"), list):
        raise ValueError("a quote without PCRs")
    attest = _base64(quote.get("message"))
    values = [decode_hex(text) if isinstance(text, str) else b"" for text in quote["pcrs"]]
    return {
        "attest": attest,
        "signature": _base64(quote.get("signature")),
        "pcrs": _listing(attest, values),
        **key_member(_base64(found["ak_public"])),
    }


def read_go_attestation(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Members of go-attestation's dump. Raises `ValueError` or `EvidenceError`."""
    ak, quote, log = (_object(found.get(name)) for name in ("AK", "Quote", "Log"))
    attest = _base64(quote.get("Quote"))
    info = parse_attest(attest).quote
    selected = set(info.selected() if info else ())
    values = {}
    for entry in log.get("PCRs") or []:
        entry = _object(entry)
        key = GO_HASHES.get(entry.get("DigestAlg", 0), ""), entry.get("Index")
        if key in selected:
            values[key] = _base64(entry.get("Digest"))
    parts = {
        "attest": attest,
        "signature": _base64(quote.get("Signature")),
        "pcrs": encode_pcrs(values),
        **key_member(_base64(ak.get("Public"))),
    }
    if log.get("Raw"):
        parts["event_log"] = _base64(log["Raw"])
    if pem := _object(found.get("Static") or {}).get("EKPem"):
        parts["ek_certificate"] = _one_pem(_base64(pem), b"CERTIFICATE")
    return parts


def read_platform_parameters(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Members of go-attestation's `PlatformParameters` as JSON. Raises `ValueError` or `EvidenceError`."""
    key = key_member(_base64(found["Public"]))
    values: dict[tuple[str, int], bytes] = {}
    for entry in _list(found["PCRs"]):
        entry = _object(entry)
        bank, index = entry.get("DigestAlg"), entry.get("Index")
        if type(bank) is not int or type(index) is not int or (GO_HASHES.get(bank, ""), index) in values:
            raise ValueError("a PCR without bank or index, or twice")
        values[GO_HASHES.get(bank, ""), index] = _base64(entry.get("Digest"))
    quotes = []
    if len(_list(found["Quotes"])) > MAX_QUOTES:
        raise ValueError(f"more than {MAX_QUOTES} quotes")
    for entry in found["Quotes"]:
        entry = _object(entry)
        quotes.append(_bank_quote(_base64(entry.get("Quote")), _base64(entry.get("Signature")), values))
    parts = key | strongest(quotes, lambda: load_ak(key).key)
    return parts | ({"event_log": _base64(found["EventLog"])} if found.get("EventLog") else {})


def read_anolis(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Members of the TPM evidence of Anolis OS' Trustee. Raises `ValueError` or `EvidenceError`."""
    key = key_member(_text(found["ak_pubkey"]))
    ak = load_ak(key)
    quotes = []
    for bank, entry in _object(found["quote"]).items():
        entry = _object(entry)
        attest = _base64(entry.get("attest_body"))
        info = parse_attest(attest).quote
        selected = info.selected() if info else ()
        given = [decode_hex(text) if isinstance(text, str) else b"" for text in _list(entry.get("pcrs"))]
        if len(given) != len(selected) or {name for name, _ in selected} != {bank.lower()}:
            raise ValueError(f"{len(given)} PCR values for {len(selected)} quoted PCRs, or of another bank")
        signature = first_fitting(_base64(entry.get("attest_sig")), ak, attest)
        quotes.append(_bank_quote(attest, signature, dict(zip(selected, given, strict=True))))
    parts = key | strongest(quotes, lambda: ak.key)
    if found.get("eventlog"):
        parts["event_log"] = _base64(found["eventlog"])
    if found.get("ek_cert"):
        parts["ek_certificate"] = _one_pem(_text(found["ek_cert"]), b"CERTIFICATE")
    return parts


def _bank_quote(attest: bytes, signature: bytes, values: Mapping[tuple[str, int], bytes]) -> BankQuote:
    """One quote of one bank, with its part of the values. Raises `ValueError` or `EvidenceError`."""
    info = parse_attest(attest).quote
    selected = info.selected() if info else ()
    if len({bank for bank, _ in selected}) != 1:
        raise ValueError("a quote of no bank, or of several")
    if not set(selected) <= values.keys():
        raise ValueError("a quoted PCR without value")
    return BankQuote(attest, signature, selected[0][0], {index: values[bank, index] for bank, index in selected})


def from_tools(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Members whose `ak_public` and `pcrs` may be as tpm2-tools writes them. Raises `EvidenceError`."""
    found = dict(parts)
    if "ak_public" in found and "ak_key" not in found:
        found |= key_member(found.pop("ak_public"))
    listing = found.get("pcrs", b"")
    if is_serialized(listing):
        found["pcrs"] = encode_pcrs(parse_serialized(listing))
    elif "attest" in found and listing and listing[:3] != b"sha":
        info = parse_attest(found["attest"]).quote
        sizes = [alg.HASH_SIZES[bank] for bank, _ in info.selected()] if info else []
        if sum(sizes) == len(listing):
            starts = [sum(sizes[:index]) for index in range(len(sizes))]
            values = [listing[start : start + size] for start, size in zip(starts, sizes, strict=True)]
            found["pcrs"] = _listing(found["attest"], values)
    return found


def key_member(data: bytes) -> dict[str, bytes]:
    """`ak_public` or `ak_key` from a public key: TPMT_PUBLIC, TPM2B_PUBLIC, SubjectPublicKeyInfo in DER or PEM."""
    if data.startswith(b"-----BEGIN PUBLIC KEY-----"):
        return {"ak_key": _one_pem(data, b"PUBLIC KEY")}
    if data[:1] == b"\x30":
        return {"ak_key": data}
    if len(data) > 2 and int.from_bytes(data[:2], "big") == len(data) - 2:
        data = data[2:]
    return {"ak_public": data}


def _listing(attest: bytes, values: Sequence[bytes]) -> bytes:
    """The `pcrs` member from values in the quote's order, or of one whole bank by index."""
    info = parse_attest(attest).quote
    selected = info.selected() if info else ()
    if len(values) == len(selected):
        return encode_pcrs(dict(zip(selected, values, strict=True)))
    if len({bank for bank, _ in selected}) == 1 and selected[-1][1] < len(values) <= 24:
        return encode_pcrs({(bank, index): values[index] for bank, index in selected})
    raise ValueError(f"{len(values)} PCR values for {len(selected)} quoted PCRs")


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list expected")
    return value


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("text expected")
    return value.encode("ascii")


def _one_pem(data: bytes, label: bytes) -> bytes:
    """The one item of that label. Raises `ValueError`."""
    items = decode_pem(data)
    if [name for name, _ in items] != [label]:
        raise ValueError(f"one {label.decode('ascii')} in PEM expected")
    return items[0][1]


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object expected")
    return value


def _base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("base64 expected")
    return decode_base64(value)
