# SPDX-License-Identifier: AGPL-3.0-or-later
"""The SEV-SNP producer: reports of this guest through the kernel, with the certificates that the host gives."""

from __future__ import annotations

from collections.abc import Callable

from attestation.errors import EvidenceError, OperationalError
from attestation.snp.appraisal import TYPE
from attestation.snp.bundle import load_bundle
from attestation.snp.raw import split
from attestation.snp.report import REPORT_SIZE
from attestation.tsm.configfs import INBLOB_SIZE, TsmReport, get_report

PROVIDER = "sev_guest"


class SnpProducer:
    """Evidence of one SNP guest; `collect` may be called by several threads, each has an entry of its own.

    `vmpl`: the privilege level to report, by default the most privileged that the kernel may ask for. `source` takes
    the place of the kernel's interface.
    """

    type = TYPE
    simulated = False

    def __init__(self, *, vmpl: int | None = None, source: Callable[..., TsmReport] = get_report) -> None:
        self._vmpl, self._source = vmpl, source

    def describe(self) -> str:
        """One line for people."""
        return "AMD SEV-SNP guest" + ("" if self._vmpl is None else f", VMPL {self._vmpl}")

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The members of `snp-report@v1` for a challenge of 1 to 64 bytes.

        Raises `OperationalError` with `evidence.challenge-too-long` or `evidence.tsm.*`.
        """
        if not 1 <= len(challenge) <= INBLOB_SIZE:
            raise OperationalError("evidence.challenge-too-long", f"challenge of {len(challenge)} bytes; 1 to 64")
        data = challenge.ljust(INBLOB_SIZE, b"\0")
        found = self._source(data, PROVIDER, privlevel=self._vmpl)
        report = found.outblob[:REPORT_SIZE]
        if len(report) != REPORT_SIZE or any(found.outblob[REPORT_SIZE:]):
            raise OperationalError("evidence.tsm.failed", f"{len(found.outblob)} bytes are no SNP report")
        return _members(report, found.auxblob)

    def close(self) -> None:
        """Nothing is held."""


def _members(report: bytes, table: bytes) -> dict[str, bytes]:
    """With the host's certificates where they can be read: they are anybody's word, and a report is one without."""
    try:
        members = split(report, table)
        if "certificates" in members:
            load_bundle(members["certificates"])
    except EvidenceError:
        return {"report": report}
    return members
