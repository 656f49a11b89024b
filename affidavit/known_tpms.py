# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the TPMs of nodes said of their clocks when last asked, in a small text file: trust on first use.

One line per attestation key, in the order of the keys::

    sha256-of-the-key clock_ms reset_count restart_count

A machine whose TPM is behind its line answers from the past: a replay, or a virtual TPM that was rolled back. Take the
line out where its owner cleared the TPM and you know why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from affidavit.disk import read_bytes, write_bytes
from affidavit.errors import OperationalError
from attestation.clock import Counters, later
from verifier.errors import VerifierError

MAX_TPMS = 10_000
MAX_BYTES = MAX_TPMS * 128
_LINE = re.compile(r"([0-9a-f]{64}) ([0-9]{1,20}) ([0-9]{1,10}) ([0-9]{1,10})\Z")


class KnownTpms:
    """The file; one that is not there knows nothing and is made when there is something to keep.

    Read it *before* drawing the nonce: quotes arrive in another order than they were made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[bytes, Counters]:
        """What was said last, by SHA-256 of the attestation key.

        Raises:
            OperationalError: ``client.known-tpms.unreadable``.
        """
        if not self.path.exists():
            return {}
        try:
            lines = read_bytes(self.path, limit=MAX_BYTES).decode("ascii").splitlines()
            found = dict(_parse(line) for line in lines)
        except (VerifierError, ValueError) as error:
            raise OperationalError(
                "client.known-tpms.unreadable",
                f"{self.path}: {getattr(error, 'message', None) or str(error)[:120]}",
                remedy="mend the file, or move it away to begin anew",
            ) from None
        if len(found) != len(lines):
            raise OperationalError("client.known-tpms.unreadable", f"{self.path}: a key stands there twice")
        return found

    def update(self, said: Mapping[bytes, Counters], *, accepted: bool) -> None:
        """Keep what is ahead of what is known; of a key not known yet only where its evidence was ``accepted``.

        Raises:
            OperationalError: ``client.known-tpms.unreadable``, ``client.known-tpms.unwritable``.
        """
        if not said:
            return
        with self._locked():
            known = self.read()
            new = dict(known)
            for key, counters in said.items():
                if key in known or (accepted and len(new) < MAX_TPMS):
                    new[key] = later(new.get(key), counters)
            if new != known:
                text = "".join(f"{key.hex()} {_text(new[key])}\n" for key in sorted(new))
                try:
                    write_bytes(self.path, text.encode("ascii"), mode=0o600)
                except VerifierError as error:
                    raise OperationalError("client.known-tpms.unwritable", error.message) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two clients that learn something at once must not forget what the other one learned."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self.path.with_name(self.path.name + ".lock")
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise OperationalError(
                "client.known-tpms.unwritable", f"{self.path}: {error.strerror or type(error).__name__}"
            ) from None
        try:
            import fcntl  # not on Windows, where nothing but the other rooms works

            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _parse(line: str) -> tuple[bytes, Counters]:
    found = _LINE.match(line)
    if found is None:
        raise ValueError(f"no line of this file: {line[:80]!r}")
    clock, resets, restarts = (int(number) for number in found.groups()[1:])
    if clock >= 1 << 64 or max(resets, restarts) >= 1 << 32:
        raise ValueError(f"numbers that no TPM says: {line[:120]!r}")
    return bytes.fromhex(found[1]), Counters(clock, resets, restarts)


def _text(said: Counters) -> str:
    return f"{said.clock_ms} {said.reset_count} {said.restart_count}"
