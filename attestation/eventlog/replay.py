# SPDX-License-Identifier: AGPL-3.0-or-later
"""Register values that a log adds up to.

Source: TCG PC Client Platform Firmware Profile 1.06, 3.3.4 (PCR use), 10.4.5.3 (Startup Locality Event).
"""

from __future__ import annotations

from attestation.errors import UnsupportedError
from attestation.eventlog.events import (
    ALGORITHM_SIZES,
    EV_EFI_HCRTM_EVENT,
    EV_NO_ACTION,
    HASHABLE,
    EventLog,
    digest,
)

STARTUP_LOCALITY = b"StartupLocality\x00"
_LOCALITIES = (0, 3, 4)


def startup_locality(log: EventLog) -> int:
    """The locality at which TPM2_Startup ran, which is PCR 0's last octet before the first measurement.

    Read from an unmeasured event; a lie makes PCR 0 fail to replay, nothing more.
    """
    for event in log.events:
        if event.type == EV_NO_ACTION and event.data[:-1] == STARTUP_LOCALITY:
            return event.data[-1] if event.data[-1] in _LOCALITIES else 0
        if event.type == EV_EFI_HCRTM_EVENT and event.register == 0:
            return 4
    return 0


def initial_value(algorithm: str, register: int, locality: int = 0) -> bytes:
    """A register after reset: zeros, ones for PCRs 17 to 22, the locality in PCR 0's last octet."""
    size = ALGORITHM_SIZES[algorithm]
    if 17 <= register <= 22:
        return b"\xff" * size
    return bytes(size - 1) + bytes([locality if register == 0 else 0])


def replay(log: EventLog, algorithm: str) -> dict[int, bytes]:
    """Final value of every register that the log extends in the bank of `algorithm`, by index.

    An event without a digest of that bank was not extended into it.

    Raises `UnsupportedError` (`evidence.eventlog.bank-absent`) when the log has no digests of `algorithm`, or
    when it cannot be computed here.
    """
    if algorithm not in log.algorithms or algorithm not in HASHABLE:
        raise UnsupportedError(
            "evidence.eventlog.bank-absent",
            f"the log has digests of {', '.join(log.algorithms)}; {algorithm} needed",
        )
    locality = startup_locality(log)
    values: dict[int, bytes] = {}
    for event in log.events:
        if event.type == EV_NO_ACTION or algorithm not in event.digests:
            continue
        before = values.get(event.register)
        if before is None:
            before = initial_value(algorithm, event.register, locality)
        values[event.register] = digest(algorithm, before + event.digests[algorithm])
    return values
