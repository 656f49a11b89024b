# SPDX-License-Identifier: AGPL-3.0-or-later
"""What TDX and SGX appraisals have in common: authenticity, currency, second opinion, expiry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography import x509

from attestation.collateral.bag import Collateral
from attestation.contract import Check
from attestation.errors import EvidenceError
from attestation.intel import pem
from attestation.intel.authenticity import Endorsement, check_authenticity
from attestation.intel.collateral import IntelCollateral, gather
from attestation.intel.currency import Currency, Relied, rely
from attestation.intel.lines import judged, missing, refused
from attestation.intel.pck import subject_of
from attestation.intel.quote import SGX, Quote
from attestation.intel.second_opinion import Question, ask
from attestation.intel.standing import Seam, check_standing
from attestation.intel.trust import IntelTrust
from attestation.pki.path import der


class CurrentList(NamedTuple):
    """A revocation list that is current at the given time."""

    data: bytes
    crl: x509.CertificateRevocationList


@dataclass(frozen=True, slots=True)
class Platform:
    """Lines and claims about platform and quoting enclave; `expires` as in `Appraisal`."""

    checks: list[Check]
    claims: dict[str, Any]
    expires: datetime | None
    endorsed: Endorsement
    currency: Currency
    crls: tuple[CurrentList, ...]


def check_platform(
    quote: Quote, seam: Seam | None, trust: IntelTrust, collateral: Collateral, at: datetime, prefix: str
) -> Platform:
    """Everything that is asked of a quote whatever its body says; raises as `check_authenticity` does."""
    gathered = gather(collateral)
    checks, endorsed = check_authenticity(quote, trust, gathered, at, prefix)
    currency = rely("SGX" if quote.tee_type == SGX else "TDX", endorsed, gathered, trust, at, prefix)
    check_standing(currency, endorsed, seam, trust, prefix)
    checks += currency.checks
    pck = endorsed.pck
    claims = {
        "platform_id": (pck.platform_instance or pck.ppid).hex(),
        "fmspc": pck.fmspc.hex(),
        "cpu_svn": pck.cpu_svn.hex(),
        "pce_svn": pck.pce_svn,
        "qe_isv_svn": endorsed.qe.isv_svn,
        **currency.claims,
    }
    crls = _current(gathered, endorsed, at)
    return Platform(checks, claims, _expires(endorsed, currency, crls), endorsed, currency, crls)


def check_second_opinion(
    quote: bytes,
    platform: Platform,
    made: Iterable[Check],
    at: datetime,
    prefix: str,
    beyond: str = "",
) -> Check:
    """Does dcap-qvl come to the same standing?

    Not asked where the evidence is refused or incomplete already, nor, `beyond` saying why, about evidence that the
    policy tolerates and dcap-qvl has no setting for.
    """
    id_ = f"{prefix}.second-opinion"
    required = "the same TCB status and advisories from dcap-qvl"
    currency, root = platform.currency, platform.endorsed.root
    standing, info, identity = currency.standing, currency.tcb_info, currency.qe_identity
    open_ = any(check.outcome == "FAIL" or (check.outcome == "SKIP" and check.demanded) for check in made)
    if open_ or beyond or len(platform.crls) != 2 or not (standing and info and identity and root):
        reason = "refused or incomplete already" if open_ else beyond or "no current revocation lists to ask with"
        return missing(id_, f"not asked: {reason}", required, f"{prefix}.second-opinion-not-asked", demanded=False)
    try:
        opinion = ask(_question(quote, platform, info, identity, root, at), prefix)
    except EvidenceError as error:
        return refused(id_, error, required, category="hardware")
    same = (
        opinion.status == standing.status
        and opinion.advisories == frozenset(standing.advisories)
        and opinion.ppid == platform.endorsed.pck.ppid
    )
    observed = ", ".join([opinion.status, *sorted(opinion.advisories)])
    return judged(id_, same, observed[:300], required, f"{prefix}.second-opinion-differs", category="hardware")


def _question(
    quote: bytes, platform: Platform, info: Relied, identity: Relied, root: x509.Certificate, at: datetime
) -> Question:
    root_crl, pck_crl = (item.data for item in platform.crls)
    return Question(
        quote,
        der(root),
        at,
        root_crl,
        pck_crl,
        _pem(platform.endorsed.ca, root),
        _pem(info.signer, root),
        info.document.body,
        info.document.signature,
        _pem(identity.signer, root),
        identity.document.body,
        identity.document.signature,
    )


@lru_cache(maxsize=64)
def _pem(certificate: x509.Certificate, root: x509.Certificate) -> bytes:
    return pem.encode_certificate(der(certificate)) + pem.encode_certificate(der(root))


def _current(gathered: IntelCollateral, endorsed: Endorsement, at: datetime) -> tuple[CurrentList, ...]:
    """The newest current list of the root and of the PCK CA that they signed, as far as they are there.

    Nothing where the chain leads to no anchor: its CA is then anybody's.
    """
    found: list[CurrentList] = []
    if endorsed.root is None:
        return ()
    for issuer in (endorsed.root, endorsed.ca):
        lists = [
            CurrentList(data, crl)
            for data, crl in gathered.crls.get(subject_of(issuer), {}).items()
            if crl.next_update_utc is not None
            and crl.last_update_utc <= at <= crl.next_update_utc
            and gathered.signed(crl, issuer)
        ]
        found += sorted(lists, key=lambda item: item.crl.last_update_utc)[-1:]
    return tuple(found)


def _expires(endorsed: Endorsement, currency: Currency, crls: tuple[CurrentList, ...]) -> datetime | None:
    if endorsed.root is None:
        return None
    relied = [item for item in (currency.tcb_info, currency.qe_identity) if item is not None]
    certificates = [endorsed.leaf, endorsed.ca, endorsed.root, *(item.signer for item in relied)]
    ends = [certificate.not_valid_after_utc for certificate in certificates]
    ends += [item.parsed.next_update for item in relied]
    ends += [item.crl.next_update_utc for item in crls if item.crl.next_update_utc is not None]
    return min(ends)
