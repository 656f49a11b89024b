# SPDX-License-Identifier: AGPL-3.0-or-later
"""An affidavit of LeNet-5 with software-TPM evidence: making it, and verifying it with and without recomputing."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affidavit.demo.machine import open_machine
from affidavit.policy_file import write_policy
from benchmarks.models import SUBJECTS
from benchmarks.timing import interleaved
from circuits import dump_circuit, encode_inputs
from circuits.compiler import compile_model
from node.node import Node
from node.request import RealInput, Request
from verifier import Known, parse_policy, verify
from verifier.tensors import commit


def measure(rounds: int, only: Collection[str] = ()) -> dict[str, Any]:
    """Medians in seconds, and sizes in bytes.  There is one subject, so `only` chooses nothing."""
    subject = SUBJECTS[0]
    circuit = compile_model(subject.model(), subject.inputs())
    inputs = {name: array[:1] for name, array in subject.inputs().items()}
    nonce = secrets.token_bytes(32)
    with open_machine() as machine, tempfile.TemporaryDirectory() as folder:
        policy = parse_policy(
            write_policy(
                name="benchmark",
                assurance=("signed", "attested", "rechecked"),
                accept=() if machine.simulated else (machine.producer.type,),
                simulated=machine.simulated,
                nonce=nonce,
                input_commitment=commit(encode_inputs(circuit, inputs)),
                circuits=(circuit.digest,),
                ek_roots=machine.ek_roots,
                ak_issuers=machine.ak_issuers,
                pcrs=machine.pcrs,
            )
        )
        with Node(Path(folder), machine.producer) as node:
            node.models.put(dump_circuit(circuit), name=subject.name)

            def ask() -> bytes:
                fresh = nonce if not made else secrets.token_bytes(32)
                made.append(node.run(Request(circuit.digest, fresh, RealInput(inputs), policy.id)).affidavit)
                return made[-1]

            made: list[bytes] = []
            data = ask()
            known = Known(circuit=circuit, inputs=inputs, nonce=nonce)
            light = replace(policy, assurance=("signed", "attested"), max_macs=0)
            assert verify(data, at=datetime.now(UTC), policy=policy, known=known).verdict.value == "ACCEPT"
            assert verify(data, at=datetime.now(UTC), policy=light, known=known).verdict.value == "ACCEPT"
            timed = interleaved(
                {
                    "make": ask,
                    "verify_rechecked": lambda: verify(data, at=datetime.now(UTC), policy=policy, known=known),
                    "verify_without_recomputing": lambda: verify(data, at=datetime.now(UTC), policy=light, known=known),
                },
                rounds=rounds,
            )
            evidence = machine.producer.type
    return {"model": subject.name, "evidence": evidence, "affidavit_bytes": len(data), **timed}
