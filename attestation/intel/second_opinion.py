# SPDX-License-Identifier: AGPL-3.0-or-later
"""dcap-qvl, an independent verifier of quotes, asked after everything here has passed.

It computes the TCB status anew from the same bytes; evidence on which the two disagree never passes. It is the one
library here that is not part of the verifying core's closure, and is imported when it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attestation.errors import RejectedError, UnsupportedError

REMEDY = "pip install 'affidavit[tdx]'"


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that dcap-qvl is given: exact quote, DER of root and CRLs, PEM chains, signed documents."""

    quote: bytes
    root: bytes
    at: datetime
    root_crl: bytes
    pck_crl: bytes
    pck_ca_chain: bytes
    tcb_info_chain: bytes
    tcb_info: bytes
    tcb_info_signature: bytes
    qe_identity_chain: bytes
    qe_identity: bytes
    qe_identity_signature: bytes


@dataclass(frozen=True, slots=True)
class Opinion:
    """The TCB status that platform, TDX module and QE add up to, their advisories, the platform's PPID."""

    status: str
    advisories: frozenset[str]
    ppid: bytes


def ask(question: Question, prefix: str) -> Opinion:
    """What dcap-qvl says.

    Raises `UnsupportedError` (`<prefix>.library-absent`) where it is not installed, `RejectedError`
    (`<prefix>.second-opinion-refuses`) where it refuses.
    """
    library = _library(prefix)
    try:
        collateral = library.QuoteCollateralV3(
            question.pck_ca_chain.decode(),
            question.root_crl,
            question.pck_crl,
            question.tcb_info_chain.decode(),
            question.tcb_info.decode(),
            question.tcb_info_signature,
            question.qe_identity_chain.decode(),
            question.qe_identity.decode(),
            question.qe_identity_signature,
        )
        report = library.verify_with_root_ca(question.quote, collateral, question.root, int(question.at.timestamp()))
    except (ValueError, RuntimeError, OverflowError) as error:
        raise RejectedError(f"{prefix}.second-opinion-refuses", f"dcap-qvl: {str(error)[:160]}") from None
    return Opinion(report.status, frozenset(report.advisory_ids), bytes(report.ppid))


def _library(prefix: str) -> Any:
    try:
        import dcap_qvl
    except ImportError:
        raise UnsupportedError(
            f"{prefix}.library-absent", f"dcap-qvl is not installed; {REMEDY}", remedy=REMEDY
        ) from None
    return dcap_qvl
