# SPDX-License-Identifier: AGPL-3.0-or-later
"""`simulated@v1`: stands where evidence would be on a machine that has none. It proves nothing.

One member, `statement`: UTF-8 text of a fixed form that says so and repeats the challenge. Anybody can write
it without any secret; that is the point. Its appraisal is marked `simulated` and never `passed`, so that only
a policy with `unsafe_accept_simulated` can let it through. Specification: docs/spec/simulated-v1.md.
"""

from attestation.contract import Format
from attestation.simulated.statement import (
    MEMBERS,
    TYPE,
    SimulatedEvidence,
    SimulatedTrust,
    appraise,
    read,
)

FORMAT = Format(TYPE, "simulated", MEMBERS, appraise, read, SimulatedTrust, simulated=True)

__all__ = ["FORMAT", "MEMBERS", "TYPE", "SimulatedEvidence", "SimulatedTrust", "appraise", "read"]
