# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy supplies for SGX quotes."""

from __future__ import annotations

from dataclasses import dataclass

from attestation.intel.trust import IntelTrust


@dataclass(frozen=True, kw_only=True)
class SgxTrust(IntelTrust):
    """`IntelTrust`, and what is expected of the enclave.

    `mr_enclave`, `mr_signer`: allowed values, 32 bytes each; empty for any. `isv_prod_id`: the product number, which
    means something under one `mr_signer` alone; None for any. `min_isv_svn`: the lowest security version.
    `require_second_opinion`: quotes of version 4 and 5, which dcap-qvl does not take, stay unproved.
    """

    mr_enclave: frozenset[bytes] = frozenset()
    mr_signer: frozenset[bytes] = frozenset()
    isv_prod_id: int | None = None
    min_isv_svn: int = 0
    require_second_opinion: bool = True

    prefix = "evidence.sgx"

    def __post_init__(self) -> None:
        """Refuse trust that could never mean anything. Raises `OperationalError`."""
        IntelTrust.__post_init__(self)
        for name, values in (("mr_enclave", self.mr_enclave), ("mr_signer", self.mr_signer)):
            if values:
                self.check_values(name, values, 32)
        if not 0 <= self.min_isv_svn <= 0xFFFF or not 0 <= (self.isv_prod_id or 0) <= 0xFFFF:
            self.refuse("isv_prod_id and min_isv_svn are 16-bit numbers")
        if (self.isv_prod_id is not None or self.min_isv_svn) and not (self.mr_signer or self.mr_enclave):
            self.refuse("isv_prod_id and min_isv_svn mean nothing without mr_signer or mr_enclave")
