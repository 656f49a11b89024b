# SPDX-License-Identifier: AGPL-3.0-or-later
"""A quote in files, as tpm2-tools leave it: FILE is the attestation, the other parts are among the collateral.

==================================  =======================================================================
part                                read
==================================  =======================================================================
signature                           TPMT_SIGNATURE (`-f tss`), or plain (`plain`)
attestation key                     TPM2B_PUBLIC, TPMT_PUBLIC, SubjectPublicKeyInfo in DER or PEM; else a certificate's
PCRs                                `serialized`, the bare values, `tpm2_pcrread`'s text
==================================  =======================================================================

Files are told apart by content. Of several keys and signatures those are taken that fit each other, and of several
lists of PCRs the one that was quoted; where nothing fits, the first of each, so that the appraisal says what is false.
Choosing decides nothing: whatever is chosen is verified as if it had come in one file, and who vouches for the key is
asked as ever.

Source: tpm2-tools, man pages of tpm2_quote, tpm2_pcrread, tpm2_readpublic, tpm2_checkquote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.armour import decode_hex
from attestation.collateral.bag import Collateral
from attestation.errors import EvidenceError, RejectedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.ak import AttestationKey, load_ak
from attestation.tpm2.attest import Attest, parse_attest
from attestation.tpm2.dumps import from_tools, key_member
from attestation.tpm2.endorsements import pool
from attestation.tpm2.pcrs import BANK_ORDER, MAX_INDEX, encode_pcrs, parse_pcrs, pcr_digest
from attestation.tpm2.plain import readings
from attestation.tpm2.public import DEFAULT_EXPONENT, MAX_RSA_BYTES
from attestation.tpm2.signature import Signature

ID = "evidence.tpm2"
KEY_MEMBERS: tuple[str, ...] = ("ak_public", "ak_key")
MAX_PIECE = 1024
"""Bytes of a key or signature."""
MAX_LIST = 16384
MAX_KEYS = 8
MAX_SIGNATURES = 16
MAX_LISTS = 16
"""Bytes of a list of PCRs; how many keys, signatures and lists are tried."""

_BANK = re.compile(r" *(sha\d{1,3}) *: *")
_VALUE = re.compile(r" +(\d{1,2}) *: *0x([0-9A-Fa-f]{1,128})")


def complete(members: Mapping[str, bytes], collateral: Collateral) -> dict[str, bytes]:
    """The members of a quote, with the parts that it lacks from among the collateral.

    Members that lack none, or have no attestation, come back as they are. Raises `UnsupportedError`
    (`evidence.tpm2.quote-incomplete`) where a part is nowhere, (`.not-a-quote`) for another attestation, and as
    `parse_attest` does.
    """
    found = dict(members)
    has_key = any(name in found for name in KEY_MEMBERS)
    if "attest" not in found or (has_key and "signature" in found and "pcrs" in found):
        return found
    attest = parse_attest(found["attest"])
    if attest.quote is None:
        raise UnsupportedError(f"{ID}.not-a-quote", f"an attestation of type 0x{attest.type:04x}, which quotes no PCRs")
    own_key: dict[str, bytes] = {name: found[name] for name in KEY_MEMBERS if name in found}
    files = [data for data in collateral.of("binary") if len(data) <= MAX_PIECE]
    keys = [(own_key, load_ak(own_key))] if own_key else list(islice(_keys(files, collateral), MAX_KEYS))
    pair = _pair(keys, [found["signature"]] if "signature" in found else files, found["attest"])
    if pair is not None:
        key, signature = pair
        found |= {**key, "signature": signature.encode()}
        if "pcrs" not in found and (listing := _listing(attest, signature.hash, collateral)):
            found["pcrs"] = listing
    lacking = [
        what
        for what, there in (
            ("attestation key", bool(keys)),
            ("signature", "signature" in found),
            ("PCR values", pair is None or "pcrs" in found),
        )
        if not there
    ]
    if lacking:
        raise UnsupportedError(
            f"{ID}.quote-incomplete",
            f"a quote without {', '.join(lacking)}",
            remedy="put what belongs to the quote into the collateral: signature, PCR values, the key's public area",
        )
    return found


def _keys(files: list[bytes], collateral: Collateral) -> Iterator[tuple[dict[str, bytes], AttestationKey]]:
    """Public areas first, since they say what kind of key it is; then bare keys, and those of certificates."""
    bare: list[tuple[dict[str, bytes], AttestationKey]] = []
    for data in files:
        try:
            member = key_member(data)
            ak = load_ak(member)
        except (EvidenceError, ValueError):  # the latter for PEM inside other armour
            continue
        if "ak_public" in member:
            yield member, ak
        else:
            bare.append((member, ak))
    yield from bare
    for certificate in pool(collateral):
        try:
            spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            yield {"ak_key": spki}, load_ak({"ak_key": spki})
        except (EvidenceError, *READ_ERRORS):
            continue


def _pair(
    keys: list[tuple[dict[str, bytes], AttestationKey]], files: list[bytes], message: bytes
) -> tuple[dict[str, bytes], Signature] | None:
    """A key and a signature over `message` by it; else the first that may be one; None where there is none."""
    first = None
    for key, ak in keys:
        signatures = (signature for data in files for signature in readings(data, ak))
        for signature in islice(signatures, MAX_SIGNATURES):
            first = first or (key, signature)
            if not _quick(ak):
                continue
            try:
                signature.verify(ak.key, message)
            except (RejectedError, ValueError):
                continue
            return key, signature
    return first


def _quick(ak: AttestationKey) -> bool:
    """Whether trying this key costs little: an RSA key of any size and exponent would hold the verifier up."""
    if not isinstance(ak.key, rsa.RSAPublicKey):
        return True
    return ak.key.key_size <= 8 * MAX_RSA_BYTES and ak.key.public_numbers().e <= DEFAULT_EXPONENT


def _listing(attest: Attest, hash_name: str, collateral: Collateral) -> bytes | None:
    """The list whose digest was quoted; else the first that has every quoted PCR."""
    quote = attest.quote
    selected = quote.selected() if quote else ()
    first = None
    lists = (data for data in collateral.of("binary") if len(data) <= MAX_LIST)
    for values in islice(filter(None, (_values(data, attest) for data in lists)), MAX_LISTS):
        if not set(selected) <= values.keys():
            continue
        chosen = {key: values[key] for key in selected}
        first = first or chosen
        if quote and pcr_digest(chosen, selected, hash_name) == quote.pcr_digest:
            return encode_pcrs(chosen)
    return encode_pcrs(first) if first else None


def _values(data: bytes, attest: Attest) -> Mapping[tuple[str, int], bytes] | None:
    try:
        if b": 0x" in data and data.isascii():
            return _pcrread(data.decode("ascii"))
        return parse_pcrs(from_tools({"attest": attest.encode(), "pcrs": data})["pcrs"])
    except (EvidenceError, ValueError):
        return None


def _pcrread(text: str) -> dict[tuple[str, int], bytes]:
    """`tpm2_pcrread`'s text: lines of a bank, then of its values. Raises `ValueError`."""
    values: dict[tuple[str, int], bytes] = {}
    bank = ""
    for line in filter(str.strip, text.splitlines()):
        if named := _BANK.fullmatch(line):
            bank = named[1]
            continue
        match = _VALUE.fullmatch(line)
        if match is None or bank not in BANK_ORDER:
            raise ValueError("not as tpm2_pcrread writes it")
        key, value = (bank, int(match[1])), decode_hex(match[2])
        if key in values or key[1] > MAX_INDEX or len(value) != alg.HASH_SIZES[bank]:
            raise ValueError("a PCR twice, or of another size")
        values[key] = value
    return values
