# SPDX-License-Identifier: AGPL-3.0-or-later
"""AMD's Key Distribution Service: certificates of chips at a TCB version, issuers, revocation lists.

::

    /vcek/v1/{product}/{chip id}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115     one certificate, DER
    /{vcek|vlek}/v1/{product}/cert_chain                                       intermediate and root, PEM
    /{vcek|vlek}/v1/{product}/crl                                              the root's list, DER

A VLEK's certificate is given to the cloud that the key is lent to, and comes with the evidence or not at all.

Source: AMD 57230, "Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface Specification", chapter 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from cryptography import x509

from affidavit.collateral.services import Services
from affidavit.collateral.source import Piece, Source
from affidavit.collateral.transfer import Answer, Request
from attestation.collateral import recognise
from attestation.pki.certificate import load_certificate
from attestation.pki.revocation import load_crl
from attestation.snp.bundle import load_bundle
from attestation.snp.products import PRODUCTS, Product, from_cpuid
from attestation.snp.report import Report, parse_report
from attestation.snp.tcb import Tcb
from attestation.snp.vek import common_name, read_vek
from verifier.errors import UnsupportedError

MAX_CERTIFICATE = 8 << 10
MAX_CHAIN = 32 << 10
MAX_CRL = 1 << 20
PREFIX = "evidence.snp.collateral"
WITHOUT_CPUID = ("Milan", "Genoa")
"""Lines whose reports may be of version 2, which does not name the line."""

_PARAMETERS = {"fmc": "fmcSPL", "bootloader": "blSPL", "tee": "teeSPL", "snp": "snpSPL", "microcode": "ucodeSPL"}

Accepted = Sequence[tuple[str, str, bytes]]


def fetch_snp(members: Mapping[str, bytes], source: Source, services: Services) -> tuple[Piece, ...]:
    """What a report needs: the VCEK's certificate where the evidence has none, issuers, the revocation list.

    Raises:
        attestation.errors.EvidenceError: the report or its certificates cannot be read.
        UnsupportedError: ``collateral.chip-masked``, ``collateral.absent``.
        OperationalError: as `Source.get`.
    """
    report = parse_report(members["report"])
    found: tuple[Piece, ...] = ()
    if "certificates" in members:
        product = read_vek(load_bundle(members["certificates"])[0]).product
    elif report.signing_key == "vlek":
        raise UnsupportedError(
            "collateral.absent",
            "the certificate of a VLEK is not published",
            remedy="take it from the cloud's extended report; it belongs into the evidence",
        )
    else:
        product, found = _vcek(report, source, services)
    base = f"{services.amd_kds}/{report.signing_key}/v1/{product.name}"
    found += source.get(Request(f"{base}/cert_chain", MAX_CHAIN), partial(_chain, product))
    return found + source.get(Request(f"{base}/crl", MAX_CRL), partial(_crl, product, report.signing_key))


def _vcek(report: Report, source: Source, services: Services) -> tuple[Product, tuple[Piece, ...]]:
    if not any(report.chip_id):
        raise UnsupportedError(
            "collateral.chip-masked",
            "the report hides its chip's id (MASK_CHIP_ID)",
            remedy="have the host give the VCEK's certificate with the report",
        )
    names = (from_cpuid(*report.cpuid[:2]).name,) if report.cpuid is not None else WITHOUT_CPUID
    problem = UnsupportedError("collateral.absent", f"no certificate for this chip among {', '.join(names)}")
    for name in names:
        product = PRODUCTS[name]
        url = f"{services.amd_kds}/vcek/v1/{name}/{_path(report, product)}"
        try:
            return product, source.get(Request(url, MAX_CERTIFICATE), partial(_certificate, report, product))
        except UnsupportedError as error:
            problem = error
    raise problem


def _path(report: Report, product: Product) -> str:
    levels = dict(zip(product.components, report.reported_tcb, strict=True))
    query = "&".join(f"{_PARAMETERS[name]}={levels[name]:02d}" for name in product.components if name in _PARAMETERS)
    return f"{report.chip_id[: product.hwid_size].hex()}?{query}"


def _certificate(report: Report, product: Product, answer: Answer) -> Accepted:
    vek = read_vek(_one(answer.body))
    if vek.kind != "vcek" or vek.hwid != report.chip_id[: product.hwid_size]:
        raise ValueError("a certificate of another chip")
    if vek.product.name != product.name or vek.tcb != Tcb(report.reported_tcb, product):
        raise ValueError(f"a certificate for TCB {vek.tcb}")
    return [("vcek", "der", answer.body)]


def _chain(product: Product, answer: Answer) -> Accepted:
    names = {common_name(_one(item.data).subject) for item in recognise(answer.body) if item.kind == "x509"}
    for intermediate in (f"SEV-{product.name}", f"SEV-VLEK-{product.name}"):
        if names == {f"ARK-{product.name}", intermediate}:
            return [(f"{intermediate.lower()}-chain", "pem", answer.body)]
    raise ValueError(f"certificates of {sorted(names)}")


def _crl(product: Product, kind: str, answer: Answer) -> Accepted:
    """One root signs a list for VCEKs and one for VLEKs: two labels, since each counts its editions by itself."""
    crl = load_crl(answer.body, PREFIX)
    if common_name(crl.issuer) != f"ARK-{product.name}" or crl.next_update_utc is None:
        raise ValueError(f"a list of {common_name(crl.issuer)!r}")
    return [(f"ark-{product.name.lower()}-{'vlek-' if kind == 'vlek' else ''}crl", "der", answer.body)]


def _one(data: bytes) -> x509.Certificate:
    return load_certificate(data, PREFIX)
