# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each type of evidence needs, fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from affidavit.collateral.amd import fetch_snp
from affidavit.collateral.intel import fetch_intel
from affidavit.collateral.nvidia import fetch_nvidia
from affidavit.collateral.services import Services
from affidavit.collateral.source import Piece, Source
from attestation.azure.hcl import parse_hcl_report
from attestation.errors import EvidenceError
from attestation.formats import find_format
from attestation.intel.quote import SGX, TDX
from attestation.pki.certificate import READ_ERRORS
from verifier.errors import MalformedError, UnsupportedError

Fetch = Callable[[Mapping[str, bytes], Source, Services], tuple[Piece, ...]]


def _azure_snp(members: Mapping[str, bytes], source: Source, services: Services) -> tuple[Piece, ...]:
    inner = {"report": parse_hcl_report(members["hcl_report"]).hardware_report}
    if "certificates" in members:
        inner["certificates"] = members["certificates"]
    return fetch_snp(inner, source, services)


def _quote(tee: int, members: Mapping[str, bytes], source: Source, services: Services) -> tuple[Piece, ...]:
    return fetch_intel(members["quote"], tee, source, services)


FETCHERS: Mapping[str, Fetch] = MappingProxyType(
    {
        "snp-report@v1": fetch_snp,
        "azure-snp-vtpm@v1": _azure_snp,
        "tdx-quote@v1": partial(_quote, TDX),
        "azure-tdx-vtpm@v1": partial(_quote, TDX),
        "sgx-quote@v1": partial(_quote, SGX),
        "nvidia-gpu@v1": partial(fetch_nvidia, switch=False),
        "nvidia-switch@v1": partial(fetch_nvidia, switch=True),
    }
)


def fetch(type_: str, members: Mapping[str, bytes], source: Source, services: Services) -> tuple[Piece, ...]:
    """The collateral of one piece of evidence.

    Raises:
        UnsupportedError: ``collateral.type-unsupported``, ``collateral.absent``, ``collateral.chip-masked``.
        MalformedError: ``collateral.evidence-unreadable``.
        OperationalError: as `Source.get`.
    """
    fetcher = FETCHERS.get(type_)
    if fetcher is None:
        raise UnsupportedError(
            "collateral.type-unsupported",
            f"nothing is fetched for {type_}",
            remedy=f"types with collateral: {', '.join(FETCHERS)}",
        )
    lacking = [name for name, member in find_format(type_).members.items() if member.required and name not in members]
    if lacking:
        raise MalformedError("collateral.evidence-unreadable", f"evidence without {', '.join(lacking)}")
    try:
        return fetcher(members, source, services)
    except EvidenceError as error:
        raise MalformedError("collateral.evidence-unreadable", error.message, remedy=error.remedy) from None
    except READ_ERRORS as error:  # keys of certificates are read when they are used
        raise MalformedError("collateral.evidence-unreadable", f"a certificate: {str(error)[:120]}") from None
