# SPDX-License-Identifier: AGPL-3.0-or-later
"""The machine that vouches: a software TPM, made, booted, enrolled and stopped by the demo; or none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attestation.producers import Producer
from attestation.simulated import SimulatedEvidence
from attestation.tpm2.authority import make_authority
from attestation.tpm2.boot import NODE_SOFTWARE_PCR, node_software_pcr
from attestation.tpm2.producer import Tpm2Producer
from attestation.tpm2.registrar import Registrar
from attestation.tpm2.software import SOFTWARE_REMEDY, SoftwareTpm, software_problem

CA_LIFETIME = timedelta(days=3650)


@dataclass(frozen=True)
class Machine:
    """An open source of evidence, and what a policy must trust to believe it.

    Attributes:
        producer: the source.
        simulated: whether it proves nothing.
        story: lines for people, in order.
        ek_roots, ak_issuers: DER certificates for the policy.
        pcrs: reference values by index: the boot must have measured exactly this code.
    """

    producer: Producer
    simulated: bool
    story: tuple[str, ...]
    ek_roots: tuple[bytes, ...] = ()
    ak_issuers: tuple[bytes, ...] = ()
    pcrs: Mapping[int, bytes] = field(default_factory=dict)


def software_digest() -> bytes:
    """SHA-256 over every Python file of the rooms that compute: what the demo's boot measures."""
    root = Path(__file__).resolve().parents[2]
    hasher = hashlib.sha256()
    for room in ("attestation", "circuits", "node", "prover", "verifier"):
        for path in sorted((root / room).rglob("*.py")):
            content = path.read_bytes()
            hasher.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return hasher.digest()


@contextmanager
def open_machine() -> Iterator[Machine]:
    """Start the best source of evidence that this computer has for a demo, and stop it afterwards."""
    problem = software_problem()
    if problem:
        yield Machine(
            SimulatedEvidence(),
            True,
            (f"evidence will be simulated: {problem}; {SOFTWARE_REMEDY}",),
        )
        return
    measured = software_digest()
    with SoftwareTpm(measured) as tpm:
        producer = Tpm2Producer(tpm.open(), event_log=tpm.event_log)
        try:
            now = datetime.now(UTC)
            registrar = Registrar(
                make_authority("Affidavit demo attestation CA", now - timedelta(minutes=5), CA_LIFETIME),
                (tpm.maker.der,),
            )
            credential, pending = registrar.challenge(producer.enrolment(), now)
            producer.certify(registrar.issue(pending, producer.activate(credential), now))
            yield Machine(
                producer,
                False,
                (
                    f"software TPM 2.0 started; its boot measured the node's code, sha256 {measured.hex()[:16]}",
                    "attestation CA checked the EK certificate, and the TPM activated its credential: AK certified",
                ),
                (tpm.maker.der,),
                (registrar.certificate,),
                {NODE_SOFTWARE_PCR: node_software_pcr(measured)},
            )
        finally:
            producer.close()
