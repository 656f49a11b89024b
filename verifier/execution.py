# SPDX-License-Identifier: AGPL-3.0-or-later
"""Was it computed as claimed: the trace commitment, our own recomputation, and other parties' rechecks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits import Circuit, Port
from circuits.cost import cost, elements
from verifier import recheck, trace
from verifier.affidavit import Affidavit
from verifier.answer import AnswerFinding
from verifier.identity import HASH_BITS, ModelFinding
from verifier.keys import SIGNATURE_BITS, key_id
from verifier.policy import Policy
from verifier.tensors import IntArray
from verifier.verdict import Check, failed, passed, skipped

MAX_ELEMENTS = 1 << 27
"""Elements of all tensors that a recomputation may hold, 8 bytes each."""


@dataclass(frozen=True)
class ExecutionFinding:
    """Checks ``trace.*`` and ``execution.*``; ``rechecked``: somebody trusted recomputed the same trace."""

    checks: Sequence[Check]
    rechecked: bool


def check_execution(
    affidavit: Affidavit, policy: Policy, model: ModelFinding, answered: AnswerFinding
) -> ExecutionFinding:
    """Check the commitment to the execution, then recompute where circuit and input are at hand."""
    leaves, checks = _check_root(affidavit)
    if leaves is not None and model.described is not None and answered.salt is not None:
        checks += _check_ends(model.described, leaves, answered)
    own = _recompute(affidavit, policy, model, answered, leaves)
    checks.append(own)
    lines, agreed = check_statements(affidavit, policy)
    return ExecutionFinding((*checks, *lines), own.passed or agreed)


def check_statements(affidavit: Affidavit, policy: Policy) -> tuple[list[Check], bool]:
    """One line for each recheck statement in the file, and whether one that the policy trusts agrees."""
    receipt, checks, rechecked = affidavit.receipt, [], False
    for name, (envelope, statement) in sorted(affidavit.rechecks.items()):
        key = next((k for k in sorted(policy.recheckers) if envelope.signed_by(k)), None)
        check_id = f"execution.{name.removeprefix('envelopes/').removesuffix('.dsse.json')}"
        if key is None:
            checks.append(
                skipped(
                    check_id,
                    "recheck.signer.unknown",
                    envelope.key_id[:16],
                    "a rechecker that the policy lists",
                )
            )
        elif statement.receipt != recheck.receipt_digest(affidavit.receipt_envelope.payload):
            # Whoever carries the file can put any genuine statement beside it: no fault of the node's.
            checks.append(
                skipped(
                    check_id,
                    "recheck.receipt.mismatch",
                    statement.receipt.hex()[:16],
                    "a recheck of this receipt",
                )
            )
        elif not statement.agrees or statement.trace != receipt.trace.root:
            checks.append(
                failed(
                    check_id,
                    "recheck.disagrees",
                    statement.trace.hex()[:16],
                    f"{receipt.trace.root.hex()[:16]} (signed)",
                )
            )
        else:
            checks.append(
                passed(
                    check_id,
                    f"agrees, by {key_id(key)[:16]}",
                    "agrees",
                    method="ed25519",
                    bits=SIGNATURE_BITS,
                )
            )
            rechecked = True
    return checks, rechecked


def _check_root(affidavit: Affidavit) -> tuple[tuple[bytes, ...] | None, list[Check]]:
    claim = affidavit.receipt.trace
    blob, offered = affidavit.blob("trace"), affidavit.roles.get("trace")
    if blob is None:
        return None, [skipped("trace.root", "trace.leaves.missing", "no leaves in the file", claim.root.hex()[:16])]
    leaves = trace.split_leaves(blob)
    if offered != claim.leaves:
        return None, [
            failed("trace.root", "trace.leaves.mismatch", (offered or b"").hex()[:16], claim.leaves.hex()[:16])
        ]
    root = trace.root(leaves)
    if root != claim.root or len(leaves) != claim.count:
        return None, [
            failed(
                "trace.root",
                "trace.root.mismatch",
                f"{root.hex()[:16]}, {len(leaves)} leaves",
                f"{claim.root.hex()[:16]}, {claim.count}",
            )
        ]
    return leaves, [
        passed(
            "trace.root",
            root.hex()[:16],
            f"{claim.root.hex()[:16]} (signed)",
            method="sha-256",
            bits=HASH_BITS,
        )
    ]


def _check_ends(circuit: Circuit, leaves: Sequence[bytes], answered: AnswerFinding) -> list[Check]:
    """Input and output in the trace are those of the commitments; needs no recomputation."""
    if len(leaves) != len(circuit.tensors):
        return [
            failed(
                "trace.length",
                "trace.length.mismatch",
                f"{len(leaves)} tensors",
                f"{len(circuit.tensors)} in the circuit",
            )
        ]
    checks = []
    ends: list[tuple[str, Mapping[str, IntArray] | None, Sequence[Port]]] = [
        ("input", answered.inputs, circuit.inputs),
        ("output", answered.outputs, circuit.outputs),
    ]
    for what, tensors, ports in ends:
        if tensors is None:
            continue
        salt = answered.salt or b""
        for port in ports:
            digest = trace.leaf(port.tensor, circuit.tensors[port.tensor].name, tensors[port.name], salt)
            if digest != leaves[port.tensor]:
                return [
                    failed(
                        f"trace.{what}",
                        f"trace.{what}.mismatch",
                        leaves[port.tensor].hex()[:16],
                        f"{digest.hex()[:16]} (the {what} {port.name})",
                    )
                ]
        checks.append(
            passed(
                f"trace.{what}",
                f"the committed {what}",
                f"the committed {what}",
                method="sha-256",
                bits=HASH_BITS,
            )
        )
    return checks


def _recompute(
    affidavit: Affidavit,
    policy: Policy,
    model: ModelFinding,
    answered: AnswerFinding,
    leaves: Sequence[bytes] | None,
) -> Check:
    circuit, required = model.circuit, "the trace that recomputing gives"
    if circuit is None or not model.vouched or answered.inputs is None or answered.salt is None:
        lacking = "circuit" if circuit is None or not model.vouched else "input"
        return skipped(
            "execution.recheck",
            f"recheck.{lacking}.missing",
            f"no {lacking} at hand",
            required,
            remedy="give --model and --input, or have it rechecked with `affidavit recheck`",
        )
    if leaves is None:
        return skipped("execution.recheck", "trace.leaves.missing", "no leaves in the file", required)
    work = cost(circuit)
    macs = (work.multiplications + work.lookups + elements(circuit)) * affidavit.receipt.batch
    if elements(circuit) * affidavit.receipt.batch > MAX_ELEMENTS:
        return skipped(
            "execution.recheck",
            "recheck.too-expensive",
            f"{elements(circuit) * affidavit.receipt.batch} elements of tensors",
            f"at most {MAX_ELEMENTS}",
            remedy="use `affidavit recheck` on a smaller batch",
        )
    if macs > policy.max_macs:
        return skipped(
            "execution.recheck",
            "recheck.too-expensive",
            f"{macs} operations",
            f"at most {policy.max_macs}",
            remedy="raise limits.max_macs in the policy, or use `affidavit recheck`",
        )
    found = recheck.recompute(circuit, answered.inputs, answered.salt)
    index = trace.first_difference(leaves, found.leaves)
    if index is None:
        count = f"{len(leaves)} tensors recomputed bit for bit"
        return passed("execution.recheck", count, required, method="recomputation, sha-256", bits=HASH_BITS)
    return failed(
        "execution.recheck",
        "recheck.trace.mismatch",
        f"first difference: {recheck.producer_of(circuit, index)}",
        required,
        remedy="the node did not compute this circuit on this input",
    )
