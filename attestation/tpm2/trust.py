# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy must supply for TPM evidence to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from attestation.errors import OperationalError
from attestation.tpm2.algorithms import HASH_NAMES, HASH_SIZES, WEAK_HASHES
from attestation.tpm2.counters import Counters
from attestation.tpm2.pcrs import MAX_INDEX

STRONG_HASHES = frozenset(HASH_SIZES) - WEAK_HASHES

RUNTIME_PCRS = frozenset(range(10, 17)) | {23}
"""PCRs that an operating system goes on extending after the firmware's log ends: IMA (10), boot phases and
configuration (11 to 15), debug (16), applications (23). UAPI Group, Linux TPM PCR Registry."""


@dataclass(frozen=True, kw_only=True)
class Tpm2Trust:
    """Trust anchors and reference values; certificates are DER. Nothing is trusted by default.

    `ek_roots`: CAs of TPM makers. `ak_issuers`: attestation CAs that certify an AK only after credential
    activation with the EK they name. `platform_ak_issuers`: platforms that make the TPM themselves and
    certify only restricted AKs of it (cloud vTPMs), no EK involved. Intermediates may be anchors, too.

    `reference_pcrs`: allowed values by (bank, index); each listed PCR must be quoted. `required_pcrs`:
    indices that must be quoted in one of `banks`. `ek_certificates`: SHA-256 of the only EK certificates
    that are accepted; empty for any under the roots. `require_event_log`: a log must be there and explain
    the quote.
    `runtime_pcrs`: PCRs where a log that falls short of the quote is no contradiction.

    `ak_names`, `ak_keys`: attestation keys enrolled earlier, by TPM Name and by SHA-256 of their
    SubjectPublicKeyInfo; they need no certificate. `last_seen`: by the same SHA-256, what a key's TPM said of clock
    and counts earlier. `require_crl`: whether certificates that name a CRL need a current one. A list that is
    there and names a certificate revokes it in either case.

    `ima_digests`: allowed digests (SHA-2) of files and buffers; empty asks for nothing. `require_ima`: an IMA list
    must be there and explain PCR 10.
    """

    ek_roots: tuple[bytes, ...] = ()
    ak_issuers: tuple[bytes, ...] = ()
    platform_ak_issuers: tuple[bytes, ...] = ()
    reference_pcrs: Mapping[tuple[str, int], frozenset[bytes]] = field(default_factory=dict)
    required_pcrs: frozenset[int] = frozenset()
    banks: frozenset[str] = STRONG_HASHES
    signature_hashes: frozenset[str] = STRONG_HASHES
    ek_certificates: frozenset[bytes] = frozenset()
    require_event_log: bool = False
    runtime_pcrs: frozenset[int] = RUNTIME_PCRS
    ak_names: frozenset[bytes] = frozenset()
    ak_keys: frozenset[bytes] = frozenset()
    last_seen: Mapping[bytes, Counters] = field(default_factory=dict)
    require_crl: bool = False
    ima_digests: frozenset[bytes] = frozenset()
    require_ima: bool = False

    def __post_init__(self) -> None:
        """Refuse trust that could never mean anything. Raises `OperationalError`."""
        for name, chosen in (("banks", self.banks), ("signature_hashes", self.signature_hashes)):
            if not chosen or not chosen <= STRONG_HASHES:
                _refuse(f"{name} is {sorted(chosen)}; some of {sorted(STRONG_HASHES)}")
        for (bank, index), values in self.reference_pcrs.items():
            if bank not in self.banks:
                _refuse(f"reference PCR in bank {bank!r}, which is not among {sorted(self.banks)}")
            if not 0 <= index <= MAX_INDEX or not values:
                _refuse(f"reference PCR {index} with {len(values)} values")
            if any(len(value) != HASH_SIZES[bank] for value in values):
                _refuse(f"reference value of {bank} PCR {index} is not {HASH_SIZES[bank]} bytes long")
        if any(not 0 <= index <= MAX_INDEX for index in self.required_pcrs):
            _refuse(f"required PCR beyond {MAX_INDEX}")
        if any(len(digest) != 32 for digest in self.ek_certificates):
            _refuse("an EK certificate digest that is not 32 bytes long")
        if any(len(digest) != 32 for digest in (*self.ak_keys, *self.last_seen)):
            _refuse("a key's digest that is not 32 bytes long")
        if any(len(name) - 2 != HASH_SIZES.get(_name_hash(name)) for name in self.ak_names):
            _refuse("a TPM Name that is not one of a SHA-2 algorithm")
        if any(len(digest) not in (32, 48, 64) for digest in self.ima_digests):
            _refuse("an IMA digest that is not 32, 48 or 64 bytes long (SHA-1 and MD5 are never sufficient)")


def _name_hash(name: bytes) -> str:
    found = HASH_NAMES.get(int.from_bytes(name[:2], "big"), "")
    return found if found in STRONG_HASHES else ""


def _refuse(message: str) -> None:
    raise OperationalError("evidence.tpm2.trust-invalid", message, remedy="correct the policy")
