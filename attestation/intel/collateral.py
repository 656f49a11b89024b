# SPDX-License-Identifier: AGPL-3.0-or-later
"""Intel's collateral, in whatever files it comes: certificates, CRLs, signed TCB information and QE identities.

Recognised by content, in any mixture: the service's responses (`{"tcbInfo": ..., "signature": ...}`), its issuer
chain headers (percent-encoded PEM), PEM and DER files, and JSON bundles that hold all of these as text or hex
(dcap-qvl, quote provider libraries). What cannot be read is left out; nothing here is trusted yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509

from attestation.collateral.bag import Collateral, Item
from attestation.collateral.recognition import recognise
from attestation.errors import EvidenceError
from attestation.intel.documents import MAX_DOCUMENT, load
from attestation.intel.pck import common_name
from attestation.pki.certificate import load_certificate
from attestation.pki.revocation import is_signed, issuer_name, load_crl

PREFIX = "evidence.intel.collateral"
MAX_PIECES = 64
"""Of each kind: certificates, CRLs, documents. A full set for one platform has 6, 2 and 2."""
MAX_LISTS = 8
"""CRLs of one issuer: each is verified under each key that has the name."""
MAX_SIGNERS = 8
MAX_KNOWN = 256
MAX_NESTING = 6
MAX_JSON = MAX_ALL_JSON = 1 << 19
MAX_TEXTS = 256
"""Bytes of one JSON file and of all, and texts in them that are looked into; a bundle has 20 thousand bytes and 9
texts."""
MAX_VALUES = 1 << 16
"""Values in all JSON: one of many small ones takes much longer to read than its bytes tell."""
MAX_ALL_LISTS = 2 << 20
"""Bytes of all CRLs: each is hashed for each key that may have signed it."""
SIGNER_NAME = "Intel SGX TCB Signing"
MAX_CACHED = 1 << 18
"""Bytes of collateral whose parsed form is kept for the next appraisal."""

_DOCUMENTS = {
    "tcbInfo": ("tcbInfo", "signature"),
    "enclaveIdentity": ("enclaveIdentity", "signature"),
    "tcb_info": ("tcbInfo", "tcb_info_signature"),
    "qe_identity": ("enclaveIdentity", "qe_identity_signature"),
}
"""Key of a document's body in JSON, to its kind and the key of its signature."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A document: the bytes that were signed, r || s in 64 bytes, and a first, untrusted reading of the bytes."""

    body: bytes
    signature: bytes
    fields: dict[str, Any]


@dataclass(frozen=True)
class IntelCollateral:
    """What was found, each piece once. `signers` are named as Intel's TCB signing certificate is; `crls` stand under
    their issuer's common name, in DER and read."""

    tcb_infos: tuple[Signed, ...] = ()
    qe_identities: tuple[Signed, ...] = ()
    signers: tuple[x509.Certificate, ...] = ()
    crls: Mapping[str, Mapping[bytes, x509.CertificateRevocationList]] = field(default_factory=dict)
    _known: dict[tuple[int, x509.Certificate], bool] = field(default_factory=dict, compare=False)

    def signed(self, crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
        """What `is_signed` says of one of `crls`; remembered, since the same lists come with all evidence."""
        key = id(crl), issuer  # the list lives as long as this object
        if key not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[key] = is_signed(crl, issuer)
        return self._known[key]


def gather(collateral: Collateral) -> IntelCollateral:
    """Everything of Intel's in the bag. Never raises."""
    if sum(len(item.data) for item in collateral.items) > MAX_CACHED:
        return _gather(collateral)
    return _gathered(collateral)


@lru_cache(maxsize=16)
def _gathered(collateral: Collateral) -> IntelCollateral:
    return _gather(collateral)


def _gather(collateral: Collateral) -> IntelCollateral:
    found = _Found()
    for item in sorted(collateral.items, key=_others):
        found.piece(item.kind, item.data, 0)
    return IntelCollateral(
        tuple(found.documents["tcbInfo"].values()),
        tuple(found.documents["enclaveIdentity"].values()),
        tuple(filter(_named_as_signer, found.certificates.values()))[:MAX_SIGNERS],
        found.crls,
    )


def _others(item: Item) -> bool:
    """Whether it is JSON of others, which comes last: a folder may hold a lot of it."""
    return item.kind == "json" and not any(key.encode() in item.data for key in _DOCUMENTS)


def _named_as_signer(certificate: x509.Certificate) -> bool:
    # By name first: a PCK certificate leads to the same root and signs other things.
    return common_name(certificate.subject) == SIGNER_NAME


class _Found:
    """Pieces by their bytes, so that each counts once."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[bytes, Signed]] = {"tcbInfo": {}, "enclaveIdentity": {}}
        self.certificates: dict[bytes, x509.Certificate] = {}
        self.crls: dict[str, dict[bytes, x509.CertificateRevocationList]] = {}
        self.texts = 0
        self.left_json, self.left_values = MAX_ALL_JSON, MAX_VALUES
        self.left_lists = MAX_ALL_LISTS

    def piece(self, kind: str, data: bytes, depth: int) -> None:
        if depth > MAX_NESTING:
            return
        if kind == "x509" and len(self.certificates) < MAX_PIECES and data not in self.certificates:
            try:
                self.certificates[data] = load_certificate(data, PREFIX)
            except EvidenceError:
                return
        elif kind == "crl":
            self.crl(data)
        elif kind == "json" and len(data) <= MAX_JSON:
            self.json(data, depth)
        elif kind == "binary" and b"-----BEGIN%20" in data:
            for line in data.split(b"\n"):  # "SGX-TCB-Info-Issuer-Chain: -----BEGIN%20CERTIFICATE-----%0A..."
                if b"-----BEGIN%20" in line:
                    self.text(unquote_to_bytes(line), depth)

    def crl(self, data: bytes) -> None:
        if len(data) > self.left_lists or sum(map(len, self.crls.values())) == MAX_PIECES:
            return  # a smaller one may still fit
        self.left_lists -= len(data)
        try:
            crl = load_crl(data, PREFIX)
        except EvidenceError:
            return
        lists = self.crls.setdefault(common_name(issuer_name(crl)), {})
        if len(lists) < MAX_LISTS:
            lists[data] = crl

    def text(self, data: bytes, depth: int) -> None:
        try:
            items = recognise(data)
        except EvidenceError:
            return
        for item in items:
            self.piece(item.kind, item.data, depth + 1)

    def json(self, data: bytes, depth: int) -> None:
        count = sum(map(data.count, (b",", b"[", b"{")))
        if len(data) > self.left_json or count > self.left_values:
            return
        self.left_json -= len(data)
        self.left_values -= count
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return
        for node in _nodes(value):
            if isinstance(node, dict):
                for key, (kind, signature) in _DOCUMENTS.items():
                    if _is_document(node, key):
                        self.document(kind, node[key], node[signature])
            elif len(node) >= 64 and self.texts < MAX_TEXTS:
                self.texts += 1
                text = node.encode(errors="replace")
                self.text(unquote_to_bytes(text) if b"-----BEGIN%20" in text else text, depth)

    def document(self, kind: str, body: Any, signature: Any) -> None:
        # What is signed are the bytes that the service sent: JSON without spaces, its keys in the order sent.
        documents = self.documents[kind]
        try:
            text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"), ensure_ascii=False)
            data, rs = text.encode(), bytes.fromhex(signature)
            if len(data) <= MAX_DOCUMENT and len(rs) == 64 and len(documents) < MAX_PIECES:
                documents[data + rs] = Signed(data, rs, load(data))
        except (TypeError, ValueError, RecursionError):  # UnreadableError among them
            return


def _is_document(node: dict[str, Any], key: str) -> bool:
    return key in _DOCUMENTS and key in node and _DOCUMENTS[key][1] in node


def _nodes(value: Any) -> Iterator[Any]:
    """Every object and every text in a JSON value, documents' own insides excepted."""
    waiting, depth = [value], 0
    while waiting and depth <= MAX_NESTING:
        depth += 1
        below: list[Any] = []
        for node in waiting:
            if isinstance(node, dict):
                yield node
                below += [child for key, child in node.items() if not _is_document(node, key)]
            elif isinstance(node, list):
                below += node
            elif isinstance(node, str):
                yield node
        waiting = below
