# SPDX-License-Identifier: AGPL-3.0-or-later
"""Intel's Provisioning Certification Service, version 4, or a cache of it (PCCS).

::

    /{sgx|tdx}/certification/v4/tcb?fmspc={..}                    TCB-Info-Issuer-Chain
    /{sgx|tdx}/certification/v4/qe/identity                       SGX-Enclave-Identity-Issuer-Chain
    /sgx/certification/v4/pckcrl?ca={processor|platform}&encoding=der     SGX-PCK-CRL-Issuer-Chain
    the root's own list, from another place

Chains come in headers, as percent-encoded PEM; each is a piece of its own. FMSPC and CA are those of the PCK
certificate in the quote.

Source: Intel, "Provisioning Certification Service for ECDSA Attestation", API version 4.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from urllib.parse import unquote_to_bytes

from affidavit.collateral.services import Services
from affidavit.collateral.source import Piece, Source
from affidavit.collateral.transfer import Answer, Request
from attestation.collateral import recognise
from attestation.intel.documents import parse_qe_identity, parse_tcb_info
from attestation.intel.pck import common_name, read_pck
from attestation.intel.pem import parse_chain
from attestation.intel.quote import TDX, parse_quote
from attestation.pki.certificate import load_certificate
from attestation.pki.revocation import load_crl
from verifier.errors import UnsupportedError

MAX_DOCUMENT = 1 << 20
MAX_CRL = 4 << 20
PREFIX = "evidence.intel"
PCK_CAS = {"Intel SGX PCK Processor CA": "processor", "Intel SGX PCK Platform CA": "platform"}
ROOT_NAME = "Intel SGX Root CA"

Accepted = Sequence[tuple[str, str, bytes]]


def fetch_intel(quote: bytes, tee: int, source: Source, services: Services) -> tuple[Piece, ...]:
    """What a quote of that TEE type needs.

    Raises:
        attestation.errors.EvidenceError: the quote or its PCK certificate cannot be read.
        UnsupportedError: ``collateral.absent``.
        OperationalError: as `Source.get`.
    """
    chain = parse_chain(parse_quote(quote, tee, PREFIX).pck_chain, PREFIX)
    leaf = load_certificate(chain[0], f"{PREFIX}.pck")
    fmspc = read_pck(leaf, PREFIX).fmspc
    issuer = common_name(leaf.issuer)
    if issuer not in PCK_CAS:
        raise UnsupportedError("collateral.absent", f"PCK certificates of {issuer[:60]!r} have no list of Intel's")
    kind = "tdx" if tee == TDX else "sgx"
    base = f"{services.intel_pcs}/{kind}/certification/v4"
    lists = f"{services.intel_pcs}/sgx/certification/v4/pckcrl?ca={PCK_CAS[issuer]}&encoding=der"
    return (
        *source.get(Request(f"{base}/tcb?fmspc={fmspc.hex().upper()}", MAX_DOCUMENT), partial(_tcb_info, kind, fmspc)),
        *source.get(Request(f"{base}/qe/identity", MAX_DOCUMENT), partial(_qe_identity, kind)),
        *source.get(Request(lists, MAX_CRL), partial(_pck_crl, issuer)),
        *source.get(Request(services.intel_root_crl, MAX_CRL), partial(_crl, ROOT_NAME, "root-ca-crl")),
    )


def _tcb_info(kind: str, fmspc: bytes, answer: Answer) -> Accepted:
    found = parse_tcb_info(_signed(answer.body, "tcbInfo"))
    if found.id != kind.upper() or found.fmspc != fmspc:
        raise ValueError(f"TCB information of {found.id}, FMSPC {found.fmspc.hex()}")
    chain = _issuers(answer, "tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain")
    return [("tcb-info", "json", answer.body), ("tcb-info-chain", "pem", chain)]


def _qe_identity(kind: str, answer: Answer) -> Accepted:
    found = parse_qe_identity(_signed(answer.body, "enclaveIdentity"))
    if found.id != ("TD_QE" if kind == "tdx" else "QE"):
        raise ValueError(f"identity of {found.id}")
    chain = _issuers(answer, "sgx-enclave-identity-issuer-chain")
    return [("qe-identity", "json", answer.body), ("qe-identity-chain", "pem", chain)]


def _pck_crl(issuer: str, answer: Answer) -> Accepted:
    chain = _issuers(answer, "sgx-pck-crl-issuer-chain")
    return [*_crl(issuer, "pck-crl", answer), ("pck-crl-chain", "pem", chain)]


def _crl(issuer: str, label: str, answer: Answer) -> Accepted:
    """In DER, or in hex as caches give it."""
    items = recognise(answer.body)
    if len(items) != 1 or items[0].kind != "crl":
        raise ValueError("no revocation list")
    crl = load_crl(items[0].data, PREFIX)
    if common_name(crl.issuer) != issuer or crl.next_update_utc is None:
        raise ValueError(f"a list of {common_name(crl.issuer)[:60]!r}")
    return [(label, "der", items[0].data)]


def _signed(data: bytes, name: str) -> bytes:
    value = json.loads(data)
    if not isinstance(value, dict) or not isinstance(value.get("signature"), str) or name not in value:
        raise ValueError(f"no signed {name}")
    return json.dumps(value[name], separators=(",", ":"), ensure_ascii=False).encode()


def _issuers(answer: Answer, *names: str) -> bytes:
    for name in names:
        if name in answer.headers:
            chain = unquote_to_bytes(answer.headers[name])
            if all(item.kind == "x509" for item in recognise(chain)):
                return chain
    raise ValueError(f"no certificates in the header {names[0]}")
