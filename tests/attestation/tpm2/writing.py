# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parts of a TPM's quote, written as tools write them."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.tpm2.ak import load_ak
from attestation.tpm2.pcrs import parse_pcrs
from attestation.tpm2.signature import parse_signature


def pem(members: Mapping[str, bytes]) -> bytes:
    """The attestation key as SubjectPublicKeyInfo in PEM."""
    return load_ak(members).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def b64(data: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(data).decode()


def listed(values: Mapping[tuple[str, int], bytes]) -> bytes:
    """As `tpm2_pcrread` prints them."""
    return "".join(
        f"  {bank}:\n" + "".join(f"    {i:<2}: 0x{v.hex().upper()}\n" for (b, i), v in values.items() if b == bank)
        for bank in dict.fromkeys(bank for bank, _ in values)
    ).encode()


def forms(members: Mapping[str, bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Signature, key and PCRs in the forms of tools; the PCRs also with others that were not quoted."""
    ak, signature, values = load_ak(members), parse_signature(members["signature"]), parse_pcrs(members["pcrs"])
    r, s = int.from_bytes(signature.r, "big"), int.from_bytes(signature.s, "big")
    plain = [signature.value] if signature.value else [encode_dss_signature(r, s), signature.r + signature.s]
    public = members["ak_public"]
    return (
        [members["signature"], *plain],
        [public, len(public).to_bytes(2, "big") + public, ak.spki, pem(members)],
        [listed(values), b"".join(values.values()), b"  sha1:\n    3 : 0x" + b"00" * 20 + b"\n" + listed(values)],
    )
