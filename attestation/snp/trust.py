# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy may say about SEV-SNP evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from attestation.errors import OperationalError
from attestation.snp.bulletins import MAX_BULLETINS, STATUSES, UP_TO_DATE, Bulletin, merge
from attestation.snp.policy import PLATFORM_NAMES, POLICY_NAMES
from attestation.snp.products import PRODUCTS
from attestation.snp.published import BULLETINS
from attestation.snp.roots import INTERMEDIATES, ROOTS

DIGEST_SETS = {
    "measurements": 48,
    "host_data": 32,
    "id_key_digests": 48,
    "author_key_digests": 48,
    "report_ids": 32,
    "family_ids": 16,
    "image_ids": 16,
}
"""Sets of reference values and the bytes of each value."""


@dataclass(frozen=True, kw_only=True)
class SnpTrust:
    """Anchors, reference values, tolerances. An empty set of reference values asks for nothing.

    `roots`: AMD's ARKs, DER. `intermediates`: ASKs and ASVKs to use where evidence and collateral have none; they
    count only under one of `roots`. `require_crl`: a current CRL of the ARK must vouch for the ASK or ASVK.

    `chip_ids`, `denied_chip_ids`: 64 bytes, or the 8 of a Turin. `csp_ids`: whose VLEKs may sign. `vmpls`: where the
    report may have been asked for; None takes any and warns of all but 0. `minimum_tcb`, by product and component,
    holds for the reported and the committed TCB, `minimum_launch_tcb` for the one at launch. `minimum_firmware` is
    (major, minor, build), `minimum_abi` (major, minor) of the guest policy.

    `bulletin_statuses`: what passes of `UpToDate` and `OutOfDate`, the latter as a warning. `bulletins`: the operator's
    own, beside those of the package, or in place of one with the same id. `denied_advisories`: bulletins that must be
    fulfilled even where `OutOfDate` passes.

    `required_policy`, `forbidden_policy`, `required_platform`, `forbidden_platform`: names of bits (`policy`).
    `required_mitigations`: bits of the mitigation vectors, at launch and now, which reports have from version 5 on.
    `allow_debug`: debugging guests pass, with a warning. `require_committed`: no firmware that can be rolled back.
    """

    roots: tuple[bytes, ...] = ROOTS
    intermediates: tuple[bytes, ...] = INTERMEDIATES
    require_crl: bool = True
    products: frozenset[str] = frozenset(PRODUCTS)
    signing_keys: frozenset[str] = frozenset({"vcek", "vlek"})
    measurements: frozenset[bytes] = frozenset()
    host_data: frozenset[bytes] = frozenset()
    id_key_digests: frozenset[bytes] = frozenset()
    author_key_digests: frozenset[bytes] = frozenset()
    report_ids: frozenset[bytes] = frozenset()
    family_ids: frozenset[bytes] = frozenset()
    image_ids: frozenset[bytes] = frozenset()
    chip_ids: frozenset[bytes] = frozenset()
    denied_chip_ids: frozenset[bytes] = frozenset()
    csp_ids: frozenset[str] = frozenset()
    vmpls: frozenset[int] | None = None
    minimum_guest_svn: int = 0
    minimum_tcb: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    minimum_launch_tcb: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    minimum_firmware: tuple[int, int, int] = (0, 0, 0)
    minimum_abi: tuple[int, int] = (0, 0)
    bulletin_statuses: frozenset[str] = frozenset({UP_TO_DATE})
    bulletins: tuple[Bulletin, ...] = ()
    denied_advisories: frozenset[str] = frozenset()
    required_policy: frozenset[str] = frozenset()
    forbidden_policy: frozenset[str] = frozenset({"migrate_ma"})
    required_platform: frozenset[str] = frozenset()
    forbidden_platform: frozenset[str] = frozenset()
    required_mitigations: int = 0
    allow_debug: bool = False
    require_committed: bool = False

    def __post_init__(self) -> None:
        """Refuse trust that could never mean anything. Raises `OperationalError` (`evidence.snp.trust-invalid`)."""
        for name, size in DIGEST_SETS.items():
            if any(len(value) != size for value in getattr(self, name)):
                _refuse(f"{name} has a value that is not {size} bytes long")
        if any(len(chip) not in (8, 64) for chip in self.chip_ids | self.denied_chip_ids):
            _refuse("a chip id has 64 bytes, or 8")
        for name, chosen, known in (
            ("products", self.products, frozenset(PRODUCTS)),
            ("signing_keys", self.signing_keys, frozenset({"vcek", "vlek"})),
        ):
            if not chosen or not chosen <= known:
                _refuse(f"{name} is {sorted(chosen)}; some of {sorted(known)}")
        if self.vmpls is not None and (not self.vmpls or not self.vmpls <= frozenset(range(4))):
            _refuse(f"vmpls is {sorted(self.vmpls)}; some of 0 to 3")
        for bits, known in (
            (self.required_policy | self.forbidden_policy, POLICY_NAMES),
            (self.required_platform | self.forbidden_platform, PLATFORM_NAMES),
        ):
            if not bits <= known:
                _refuse(f"unknown bits {sorted(bits - known)}; known: {sorted(known)}")
        if (self.required_policy & self.forbidden_policy) | (self.required_platform & self.forbidden_platform):
            _refuse("a bit is both required and forbidden")
        if not self.bulletin_statuses <= STATUSES:
            _refuse(f"bulletin_statuses has {sorted(self.bulletin_statuses - STATUSES)}; some of {sorted(STATUSES)}")
        if len({bulletin.id for bulletin in self.bulletins}) != len(self.bulletins) or (
            len(self.bulletins) > MAX_BULLETINS
        ):
            _refuse(f"bulletins has {len(self.bulletins)} entries; each once, at most {MAX_BULLETINS}")
        unknown = self.denied_advisories - {bulletin.id for bulletin in merge(BULLETINS, self.bulletins)}
        if unknown:
            _refuse(f"denied_advisories has {sorted(unknown)[:4]}, which no bulletin describes")
        for minimum in (self.minimum_tcb, self.minimum_launch_tcb):
            for product, levels in minimum.items():
                if product not in PRODUCTS or not levels.keys() <= frozenset(PRODUCTS[product].components):
                    _refuse(f"minimum TCB of {product!r} for {sorted(levels)}")


def _refuse(message: str) -> None:
    raise OperationalError("evidence.snp.trust-invalid", message, remedy="correct the policy")
