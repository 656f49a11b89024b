# SPDX-License-Identifier: AGPL-3.0-or-later
"""The newest revocation list seen of each issuer: an older one is refused, though its own window may still be open.

::

    <cache>/crl-marks/<SHA-256(issuer's SubjectPublicKeyInfo || 0x00 || label)>     {"number": "1f", "issued": ...}

A mirror may serve yesterday's list for as long as it says that it is current. RFC 5280 section 5.2.3: the CRL number
grows with each list of an issuer and scope; where a list has none, its time of issue must not go back.

A list leaves a mark only where a certificate at hand verifies it, and the mark is that key's: whoever serves lists of
their own making moves nobody else's mark. `label` is the scope: AMD's lists for VCEKs and VLEKs have one issuer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from affidavit import disk
from attestation.collateral import recognise
from attestation.errors import EvidenceError
from attestation.intel.roots import INTEL_ROOTS
from attestation.pki.certificate import READ_ERRORS, load_certificate
from attestation.pki.revocation import is_signed, load_crl
from attestation.snp.roots import ROOTS
from verifier.errors import OperationalError, VerifierError

FOLDER = "crl-marks"
MAX_MARK = 4 << 10
MAX_ISSUERS = 256
"""Certificates of earlier answers that are remembered as possible issuers."""


@dataclass(frozen=True, slots=True)
class Mark:
    """`number` None where the list has none."""

    number: int | None
    issued: datetime

    def before(self, other: Mark) -> bool:
        """Is this an older list than `other`?"""
        if self.number is not None and other.number is not None and self.number != other.number:
            return self.number < other.number
        return self.issued < other.issued

    def __str__(self) -> str:
        number = "without a number" if self.number is None else f"number {self.number:x}"
        return f"{number}, issued {self.issued.isoformat()}"


class Marks:
    """Marks in memory, and in the cache's folder where there is one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = None if folder is None else folder / FOLDER
        self._seen: dict[str, Mark] = {}
        self._issuers: dict[bytes, x509.Certificate] = {}

    def check(self, files: Iterable[tuple[str, bytes]]) -> dict[str, Mark]:
        """The marks of the lists in files of (label, bytes); `keep` them once the files are taken.

        Raises `OperationalError` with ``collateral.rolled-back``. Files are read as `recognise` reads them, and what
        cannot be read is nothing to this.
        """
        found: dict[str, Mark] = {}
        for label, crl in self._lists(files):
            for issuer in [*_pinned(), *self._issuers.values()]:
                if issuer.subject == crl.issuer and is_signed(crl, issuer):
                    key, mark = _key(issuer, label), _mark(crl)
                    last = self._load(key)
                    if last is not None and mark.before(last):
                        raise OperationalError(
                            "collateral.rolled-back",
                            f"{label}: a list {mark}; one {last} was there before",
                            remedy="ask the vendor's own service; whoever serves this keeps a list that is out of date",
                        )
                    found[key] = mark
                    break
        return found

    def keep(self, marks: dict[str, Mark]) -> None:
        """Remember marks. Raises `OperationalError` with `file.unwritable`; in memory they are kept all the same."""
        for key, mark in marks.items():
            last = self._load(key)
            if last is not None and not last.before(mark):
                continue
            self._seen[key] = mark
            if self._folder is not None:
                self._write(self._folder, key, mark)

    def _lists(self, files: Iterable[tuple[str, bytes]]) -> list[tuple[str, x509.CertificateRevocationList]]:
        lists = []
        for label, data in files:
            try:
                items = recognise(data)
            except EvidenceError:
                continue
            for item in items:
                try:
                    if item.kind == "x509" and len(self._issuers) < MAX_ISSUERS:
                        certificate = load_certificate(item.data, "evidence.collateral")
                        self._issuers[item.data] = certificate
                    elif item.kind == "crl":
                        lists.append((label, load_crl(item.data, "evidence.collateral")))
                except EvidenceError:
                    continue
        return lists

    def _load(self, key: str) -> Mark | None:
        kept = self._seen.get(key)
        if self._folder is None:
            return kept
        try:
            said: Any = json.loads(disk.read_bytes(self._folder / key, limit=MAX_MARK))
            number = None if said["number"] is None else int(said["number"], 16)
            issued = datetime.fromisoformat(said["issued"])
            stored = Mark(number, issued.astimezone(UTC))
        except (VerifierError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return kept
        if issued.tzinfo is None:
            return kept
        return stored if kept is None or kept.before(stored) else kept

    @staticmethod
    def _write(folder: Path, key: str, mark: Mark) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperationalError(
                "file.unwritable", f"{folder}: {error.strerror or error}", remedy="name another cache"
            ) from None
        number = None if mark.number is None else f"{mark.number:x}"
        disk.write_bytes(folder / key, json.dumps({"number": number, "issued": mark.issued.isoformat()}).encode())


def _pinned() -> list[x509.Certificate]:
    return [load_certificate(data, "evidence.collateral") for data in (*ROOTS, *INTEL_ROOTS)]


def _key(issuer: x509.Certificate, label: str) -> str:
    public = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public + b"\0" + label.encode()).hexdigest()


def _mark(crl: x509.CertificateRevocationList) -> Mark:
    number = None
    try:
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (x509.ExtensionNotFound, *READ_ERRORS):
        pass
    return Mark(number, crl.last_update_utc)
