# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is the platform up to date: TCB information and QE identity relied upon, and what they say of this quote.

Collateral is untrusted until Intel's signature on it verifies: one that fails proves nothing about the machine, so
that trouble with collateral is SKIP, demanded. What good collateral says of the machine is PASS or FAIL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography import x509

from attestation.contract import Check
from attestation.errors import EvidenceError
from attestation.intel.authenticity import Endorsement
from attestation.intel.collateral import IntelCollateral, Signed
from attestation.intel.documents import (
    QeIdentity,
    TcbInfo,
    UnreadableError,
    parse_qe_identity,
    parse_tcb_info,
)
from attestation.intel.ladder import Standing
from attestation.intel.lines import missing
from attestation.intel.pck import subject_of
from attestation.intel.roots import anchors
from attestation.intel.signature import key_of, verifies
from attestation.intel.trust import IntelTrust
from attestation.pki.path import validate
from attestation.pki.revocation import check_revocation

MAX_CANDIDATES = 8
"""Documents for one platform that are tried: several of different age may be in one folder."""


@dataclass(frozen=True, slots=True)
class Relied:
    """A document whose signature verifies, that is current, and who signed it."""

    document: Signed
    signer: x509.Certificate
    root: x509.Certificate
    parsed: TcbInfo | QeIdentity


@dataclass
class Currency:
    """What collateral gave: lines, the two documents where they can be relied upon, and where the quote stands."""

    checks: list[Check] = field(default_factory=list)
    tcb_info: Relied | None = None
    qe_identity: Relied | None = None
    standing: Standing | None = None
    claims: dict[str, Any] = field(default_factory=dict)


class _Unusable(Exception):  # noqa: N818  never leaves this module
    """Why a document cannot be relied upon."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def rely(
    kind: str, endorsed: Endorsement, collateral: IntelCollateral, trust: IntelTrust, at: datetime, prefix: str
) -> Currency:
    """Find the documents for this platform; `kind` is `SGX` or `TDX`."""
    found = Currency()
    pck = endorsed.pck
    infos = [
        item
        for item in collateral.tcb_infos
        if item.fields.get("id") == kind
        and str(item.fields.get("fmspc")).lower() == pck.fmspc.hex()
        and str(item.fields.get("pceId")).lower() == pck.pce_id.hex()
    ]
    qe_kind = {"SGX": "QE", "TDX": "TD_QE"}[kind]
    identities = [item for item in collateral.qe_identities if item.fields.get("id") == qe_kind]
    found.tcb_info = _line(
        found, infos, f"{prefix}.tcb-info", f"current {kind} TCB information for FMSPC {pck.fmspc.hex()}",
        collateral, trust, at, prefix,
    )  # fmt: skip
    found.qe_identity = _line(
        found, identities, f"{prefix}.qe-identity", f"current identity {qe_kind} of the quoting enclave",
        collateral, trust, at, prefix,
    )  # fmt: skip
    signers = {item.signer: item.root for item in (found.tcb_info, found.qe_identity) if item is not None}
    for signer, root in signers.items():
        found.checks.append(
            check_revocation(
                signer,
                root,
                tuple(collateral.crls.get(subject_of(root), {}).values()),
                at,
                check=f"{prefix}.tcb-signer-revocation",
                prefix=f"{prefix}.tcb-signer",
                demanded=trust.require_crl,
                signed=collateral.signed,
            )
        )
    return found


def _line(
    found: Currency,
    candidates: list[Signed],
    id_: str,
    required: str,
    collateral: IntelCollateral,
    trust: IntelTrust,
    at: datetime,
    prefix: str,
) -> Relied | None:
    """The newest candidate that can be relied upon, and its line; the newest one's trouble where none can."""
    if not candidates:
        found.checks.append(missing(id_, "none", required, f"{id_}-missing"))
        return None
    trouble: _Unusable | None = None
    for item in sorted(candidates, key=_age, reverse=True)[:MAX_CANDIDATES]:
        try:
            relied = _rely_on(item, id_, collateral, trust, at, prefix)
        except _Unusable as error:
            trouble = trouble or error
            continue
        observed = f"of {relied.parsed.issued.isoformat()}, evaluation data {relied.parsed.evaluation}"
        found.checks.append(Check(id_, "PASS", observed, required, bits=128))
        return relied
    if trouble is not None:
        found.checks.append(missing(id_, trouble.message, required, trouble.code))
    return None


def _age(item: Signed) -> tuple[int, str]:
    number = item.fields.get("tcbEvaluationDataNumber")
    return (number if type(number) is int else 0, str(item.fields.get("issueDate")))


def _rely_on(
    item: Signed, id_: str, collateral: IntelCollateral, trust: IntelTrust, at: datetime, prefix: str
) -> Relied:
    signer = _find_signer(item, collateral)
    if signer is None:
        raise _Unusable(f"{id_}-signature-invalid", "signed by none of the TCB signing certificates at hand")
    try:
        root = validate(signer, (), anchors(trust.roots), at, f"{prefix}.tcb-signer")
    except EvidenceError as error:
        raise _Unusable(error.code, error.message) from None
    try:
        parsed = (parse_qe_identity if id_.endswith("qe-identity") else parse_tcb_info)(item.body)
    except UnreadableError as error:
        raise _Unusable(f"{id_}-unsupported", f"not understood: {error}") from None
    if not parsed.issued <= at <= parsed.next_update:
        window = f"{parsed.issued.isoformat()} to {parsed.next_update.isoformat()}"
        raise _Unusable(f"{id_}-expired", f"current {window}, not at {at.isoformat()}")
    if parsed.evaluation < trust.min_tcb_evaluation:
        raise _Unusable(
            f"{id_}-superseded", f"evaluation data {parsed.evaluation}; {trust.min_tcb_evaluation} at least"
        )
    return Relied(item, signer, root, parsed)


def _find_signer(item: Signed, collateral: IntelCollateral) -> x509.Certificate | None:
    for signer in collateral.signers:
        if _signed_by(item.body, item.signature, signer):
            return signer
    return None


@lru_cache(maxsize=64)
def _signed_by(body: bytes, signature: bytes, signer: x509.Certificate) -> bool:
    key = key_of(signer)
    return key is not None and verifies(key, signature, body)
