# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy must supply for TPM evidence to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from attestation.errors import OperationalError
from attestation.tpm2.algorithms import HASH_SIZES, WEAK_HASHES
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


def _refuse(message: str) -> None:
    raise OperationalError("evidence.tpm2.trust-invalid", message, remedy="correct the policy")
