# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is the quote genuine: from Intel's root to every byte of the body.

::

    root -> PCK CA -> PCK certificate          X.509, revocation lists of root and PCK CA
    Sign_PCK( QE report )
    QE report.REPORTDATA = SHA-256( attestation key || QE authentication data ) || 0[32]
    Sign_attestation key( header || body )

Source: Intel SGX ECDSA QuoteGenReference, 3.9 and A.4.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from attestation.contract import Check
from attestation.errors import EvidenceError, RejectedError
from attestation.intel import pem
from attestation.intel.collateral import IntelCollateral
from attestation.intel.enclave import EnclaveReport, parse_enclave_report
from attestation.intel.lines import judged, refused
from attestation.intel.pck import Pck, read_pck, subject_of
from attestation.intel.quote import Quote
from attestation.intel.roots import anchors
from attestation.intel.signature import key_of, load_key, verifies
from attestation.intel.trust import IntelTrust
from attestation.pki.certificate import load_certificate
from attestation.pki.path import Anchors, der, validate
from attestation.pki.revocation import check_revocation

PCK_NAME = "Intel SGX PCK Certificate"
PCK_CA_NAMES = frozenset({"Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"})


@dataclass(frozen=True, slots=True)
class Endorsement:
    """What the quote's own certificates say: the platform, the QE's report, and who stands behind it.

    `root` is None where the chain leads to no anchor; `ca` and `root` are what revocation was asked of.
    """

    pck: Pck
    leaf: x509.Certificate
    ca: x509.Certificate
    root: x509.Certificate | None
    qe: EnclaveReport


def check_authenticity(
    quote: Quote, trust: IntelTrust, collateral: IntelCollateral, at: datetime, prefix: str
) -> tuple[list[Check], Endorsement]:
    """Lines on signatures, PCK chain and revocation.

    Raises `MalformedError` and `UnsupportedError` for certificates and reports that cannot be read.
    """
    chain = pem.parse_chain(quote.pck_chain, prefix)
    leaf, ca = (_load(data, f"{prefix}.pck") for data in chain[:2])
    endorsed = Endorsement(
        read_pck(leaf, prefix), leaf, ca, None, parse_enclave_report(quote.qe_report, f"{prefix}.qe-report")
    )
    checks = [
        _quote_signature(quote, prefix),
        _key_binding(quote, endorsed.qe, prefix),
        _qe_signature(quote, leaf, prefix),
    ]
    required = "PCK certificate, PCK CA and the pinned root, all valid at the given time"
    try:
        root = _anchor(leaf, ca, chain[2:], trust, at, prefix)
    except EvidenceError as error:
        checks.append(refused(f"{prefix}.pck-certificate", error, required, category="instance-identity"))
        return checks, endorsed
    names = " by ".join(map(subject_of, (leaf, ca, root)))
    checks.append(Check(f"{prefix}.pck-certificate", "PASS", names, required, bits=128, category="instance-identity"))
    for name, certificate, issuer in (("pck", leaf, ca), ("pck-ca", ca, root)):
        checks.append(
            check_revocation(
                certificate,
                issuer,
                tuple(collateral.crls.get(subject_of(issuer), {}).values()),
                at,
                check=f"{prefix}.{name}-revocation",
                prefix=f"{prefix}.{name}",
                demanded=trust.require_crl,
                signed=collateral.signed,
            )
        )
    return checks, Endorsement(endorsed.pck, leaf, ca, root, endorsed.qe)


_load = lru_cache(maxsize=256)(load_certificate)
"""The same platforms, and their one CA, come again and again."""


def _anchor(
    leaf: x509.Certificate,
    ca: x509.Certificate,
    above: tuple[bytes, ...],
    trust: IntelTrust,
    at: datetime,
    prefix: str,
) -> x509.Certificate:
    listed = anchors(trust.roots)
    if above and (same := tuple(anchor for anchor in listed.certificates if der(anchor) == above[0])):
        listed = Anchors(same, 0)
    root = validate(leaf, (ca,), listed, at, f"{prefix}.pck")
    if above and above[0] != der(root):
        # A root in a quote vouches for nothing and no link verifies it: it may only be an anchor itself.
        raise RejectedError(f"{prefix}.pck-untrusted", "the chain's root is not, byte for byte, an anchor")
    names = subject_of(leaf), subject_of(ca)
    if names[0] != PCK_NAME or names[1] not in PCK_CA_NAMES:
        raise RejectedError(f"{prefix}.pck-usage", f"certificates of {names[0][:64]!r} by {names[1][:64]!r}")
    return root


def _quote_signature(quote: Quote, prefix: str) -> Check:
    key = load_key(quote.attestation_key)
    holds = key is not None and verifies(key, quote.signature, quote.signed)
    observed = "verifies" if holds else "does not verify" if key else "the attestation key is no point of P-256"
    return judged(
        f"{prefix}.signature",
        holds,
        observed,
        "the attestation key's ECDSA P-256 signature over header and body",
        f"{prefix}.signature-invalid",
        bits=128,
    )


def _key_binding(quote: Quote, qe: EnclaveReport, prefix: str) -> Check:
    wanted = hashlib.sha256(quote.attestation_key + quote.qe_auth_data).digest() + bytes(32)
    return judged(
        f"{prefix}.attestation-key",
        hmac.compare_digest(qe.report_data, wanted),
        qe.report_data.hex(),
        f"{wanted.hex()}: SHA-256 of attestation key and authentication data",
        f"{prefix}.attestation-key-unbound",
        bits=128,
    )


def _qe_signature(quote: Quote, leaf: x509.Certificate, prefix: str) -> Check:
    key = key_of(leaf)
    holds = key is not None and verifies(key, quote.qe_signature, quote.qe_report)
    return judged(
        f"{prefix}.qe-signature",
        holds,
        "verifies" if holds else "does not verify" if key else "the PCK is no P-256 key",
        "the PCK's ECDSA P-256 signature over the quoting enclave's report",
        f"{prefix}.qe-signature-invalid",
        bits=128,
    )
