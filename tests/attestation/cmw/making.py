# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collections of genuine evidence, bound to a session."""

from __future__ import annotations

from attestation import simulated
from attestation.cmw import Collection, Piece, piece_challenges
from attestation.simulated import SimulatedEvidence
from tests.attestation.paper import PaperTpm, key_pair

SESSION, OTHER = bytes(range(32)), bytes(range(32, 64))


TPM = "tpm2-quote@v1"


TYPES = {"board": TPM, "module": TPM}


def pieces(session: bytes, types: dict[str, str] = TYPES) -> dict[str, Piece]:
    """Genuine evidence for every label; each board has a key of its own."""
    found = {}
    for number, (label, challenge) in enumerate(sorted(piece_challenges(session, types).items())):
        if types[label] == simulated.TYPE:
            found[label] = Piece(simulated.TYPE, SimulatedEvidence().collect(challenge))
        else:
            tpm = PaperTpm(key=key_pair("p256", number), extra_data=challenge)
            found[label] = Piece(TPM, tpm.members())
    return found


def collection(session: bytes = SESSION, types: dict[str, str] = TYPES) -> Collection:
    return Collection(session, pieces(session, types))
