# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy says to trust of AWS Nitro Enclaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from attestation.errors import OperationalError
from attestation.nitro.document import MAX_PCRS, PCR_SIZE, Kind
from attestation.nitro.roots import AWS_NITRO_G1

CERTIFICATE_LIFETIME = 3 * 3600
"""Seconds for which AWS issues the certificate of an enclave."""


@dataclass(frozen=True, kw_only=True)
class NitroTrust:
    """Trust anchors and reference values.

    `roots`: DER; by default AWS's root G1 of the commercial partition alone. `reference_pcrs`: allowed values by PCR
    index, 48 bytes each; each listed PCR must be in the document. `challenge_field`: where the enclave put the
    verifier's challenge. `max_age`: seconds that a document may be old at the time of the question; by default as
    long as its certificate may live. `max_skew`: seconds that it may be ahead. `require_crl`: whether certificates
    that name a CRL need a current one; AWS's own instructions switch revocation lists off, hence False. A list that
    is there and names a certificate revokes it in either case.

    `kind`: whose documents are accepted, an enclave's or (`tpm`) those of an EC2 instance's NitroTPM, which say what
    was booted, and nothing of who may look inside. There is no setting under which a debug enclave passes.
    """

    roots: tuple[bytes, ...] = (AWS_NITRO_G1,)
    reference_pcrs: Mapping[int, frozenset[bytes]] = field(default_factory=dict)
    challenge_field: Literal["nonce", "user_data"] = "nonce"
    max_age: int = CERTIFICATE_LIFETIME
    max_skew: int = 60
    require_crl: bool = False
    kind: Kind = "enclave"

    def __post_init__(self) -> None:
        """Refuse trust that could never mean anything. Raises `OperationalError`."""
        for index, values in self.reference_pcrs.items():
            if not 0 <= index < MAX_PCRS or not values:
                _refuse(f"reference PCR {index} with {len(values)} values")
            if any(len(value) != PCR_SIZE for value in values):
                _refuse(f"a reference value of PCR {index} is not {PCR_SIZE} bytes long")
            if any(not any(value) for value in values) and index in (0, 1, 2) and self.kind == "enclave":
                _refuse(f"a reference value of PCR {index} is zero, which only debug enclaves have")
        if self.challenge_field not in ("nonce", "user_data"):
            _refuse(f"challenge_field {self.challenge_field!r}; 'nonce' or 'user_data'")
        if self.kind not in ("enclave", "tpm"):
            _refuse(f"kind {self.kind!r}; 'enclave' or 'tpm'")
        if self.max_age < 0 or self.max_skew < 0:
            _refuse("a negative number of seconds")


def _refuse(message: str) -> NoReturn:
    raise OperationalError("evidence.nitro.trust-invalid", message, remedy="correct the policy")
