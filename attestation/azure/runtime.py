# SPDX-License-Identifier: AGPL-3.0-or-later
"""Azure's runtime data: which keys the paravisor made for the vTPM, and how the VM is configured.

::

    {
        "keys": [{"kid": "HCLAkPub", "kty": "RSA", "e": ..., "n": ..., "key_ops": ["sign"]}, ...],
        "vm-configuration": {"secure-boot": true, "tpm-enabled": true, "vmUniqueId": ...},
        "user-data": "<hex>",
    }

Source: microsoft/openvmm, `openhcl_attestation_protocol::igvm_attest::get::runtime_claims`; RFC 7517 and RFC 7518
section 6.3 for the keys. Whoever believes the hardware report believes the paravisor that was measured into it, and so
that the AK is a restricted signing key of a vTPM inside the VM: nothing in the runtime data says so.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from attestation.contract import Claim
from attestation.errors import MalformedError

PREFIX = "evidence.azure.runtime"
AK_ID = "HCLAkPub"
MAX_KEYS = 16
MAX_SETTINGS = 64
MAX_TEXT = 256
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096
EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class RuntimeData:
    """What the runtime data say: the vTPM's attestation key, 0 to 64 bytes of the guest's choice, settings by name."""

    ak: rsa.RSAPublicKey
    user_data: bytes
    configuration: Mapping[str, Claim]

    def claims(self) -> dict[str, Claim]:
        """As claims: `user_data`, `vm_id`, `secure_boot` and `vm_configuration`, where given."""
        named = {"vm_id": "vmUniqueId", "secure_boot": "secure-boot"}
        claims = {name: self.configuration[key] for name, key in named.items() if key in self.configuration}
        if self.user_data:
            claims["user_data"] = self.user_data.hex()
        return {**claims, "vm_configuration": dict(self.configuration)}


def parse_runtime_data(data: bytes) -> RuntimeData:
    """Parse the JSON bytes of an HCL report. Raises `MalformedError` with `evidence.azure.runtime-malformed`.

    What is not known, and settings that are no truth value, number or short text, are left alone: the bytes are bound
    by their hash, and later paravisors say more.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"not JSON: {str(error)[:120]}") from None
    if not isinstance(found, dict):
        raise _malformed("not a JSON object")
    return RuntimeData(_attestation_key(found.get("keys")), _user_data(found), _configuration(found))


def _attestation_key(keys: Any) -> rsa.RSAPublicKey:
    if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        raise _malformed(f"keys: a list of at most {MAX_KEYS} objects expected")
    named = [key for key in keys if key.get("kid") == AK_ID]
    if len(named) != 1 or named[0].get("kty") != "RSA":
        raise _malformed(f"{len(named)} keys are {AK_ID}; exactly one, of type RSA, expected")
    exponent, modulus = _number(named[0].get("e"), "e"), _number(named[0].get("n"), "n")
    if exponent != EXPONENT or not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        raise _malformed(f"{AK_ID} of {modulus.bit_length()} bits, exponent {exponent}")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise _malformed(f"{AK_ID} is no RSA key: {error}") from None


def _number(text: Any, what: str) -> int:
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_RSA_BITS // 6 + 2:
        raise _malformed(f"{AK_ID}: {what} is not a base64url number of fitting size")
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _malformed(f"{AK_ID}: {what} is not base64url") from None
    return int.from_bytes(octets, "big")


def _user_data(found: dict[str, Any]) -> bytes:
    text = found.get("user-data", "")
    if not isinstance(text, str) or len(text) > 128:
        raise _malformed("user-data: at most 64 bytes in hex expected")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise _malformed("user-data is not hex") from None


def _configuration(found: dict[str, Any]) -> Mapping[str, Claim]:
    settings = found.get("vm-configuration", {})
    if not isinstance(settings, dict) or len(settings) > MAX_SETTINGS:
        raise _malformed(f"vm-configuration: an object of at most {MAX_SETTINGS} settings expected")
    return MappingProxyType({name: value for name, value in settings.items() if _plain(name) and _plain(value)})


def _plain(value: Any) -> bool:
    """Can this be a claim? Lone surrogates, which JSON allows, are not printable."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and value.isprintable()
    return isinstance(value, int) and -(1 << 63) <= value < 1 << 63


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _malformed(message: str) -> MalformedError:
    return MalformedError(f"{PREFIX}-malformed", f"runtime data: {message}")
