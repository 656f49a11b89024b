# SPDX-License-Identifier: AGPL-3.0-or-later
"""The TDX producer: quotes of this trust domain through the kernel, with the firmware's event log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attestation.errors import EvidenceError, OperationalError
from attestation.eventlog.parser import parse_event_log
from attestation.intel.quote import TDX
from attestation.intel.raw import exact
from attestation.tdx.appraisal import ID, MEMBERS, TYPE
from attestation.tsm.configfs import INBLOB_SIZE, TsmReport, get_report

PROVIDER = "tdx_guest"
EVENT_LOG = Path("/sys/firmware/acpi/tables/data/CCEL")


class TdxProducer:
    """Evidence of one trust domain; `collect` may be called by several threads, each has an entry of its own.

    `event_log` None means the firmware's (CCEL), where the system has one and it can be read. `source` takes the place
    of the kernel's interface.
    """

    type = TYPE
    simulated = False

    def __init__(
        self,
        *,
        event_log: bytes | None = None,
        source: Callable[..., TsmReport] = get_report,
        log_path: Path = EVENT_LOG,
    ) -> None:
        self._source = source
        self._event_log = _readable(log_path) if event_log is None else event_log

    def describe(self) -> str:
        """One line for people."""
        return "Intel TDX guest" + ("" if self._event_log else ", no event log")

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The members of `tdx-quote@v1` for a challenge of 1 to 64 bytes.

        Raises `OperationalError` with `evidence.challenge-too-long` or `evidence.tsm.*`.
        """
        if not 1 <= len(challenge) <= INBLOB_SIZE:
            raise OperationalError("evidence.challenge-too-long", f"challenge of {len(challenge)} bytes; 1 to 64")
        found = self._source(challenge.ljust(INBLOB_SIZE, b"\0"), PROVIDER)
        quote = exact(found.outblob, TDX, ID)
        if len(quote) > MEMBERS["quote"].max_size:
            raise OperationalError("evidence.tsm.too-large", f"a quote of {len(quote)} bytes")
        return {"quote": quote, **({"event_log": self._event_log} if self._event_log else {})}

    def close(self) -> None:
        """Nothing is held."""


def _readable(path: Path) -> bytes:
    """The log, or nothing where a verifier could not read it, which would spoil the quote, too."""
    try:
        with path.open("rb") as file:
            data = file.read(MEMBERS["event_log"].max_size + 1)
        if len(data) <= MEMBERS["event_log"].max_size and data:
            parse_event_log(data, padded=True)
            return data
    except (OSError, EvidenceError):
        pass
    return b""
