# SPDX-License-Identifier: AGPL-3.0-or-later
"""The input that was sent and the answer that came back, compared with the two commitments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

import circuits
from circuits import Circuit, Port
from verifier.affidavit import Affidavit
from verifier.errors import MalformedError
from verifier.identity import HASH_BITS
from verifier.policy import Policy
from verifier.tensors import IntArray, Opening, commit, decode_tensors
from verifier.verdict import Check, failed, passed, skipped


@dataclass(frozen=True)
class AnswerFinding:
    """Input and output integers, where they are known and match.

    Attributes:
        checks: ``request.input``, ``answer.output``, ``request.fit``, ``answer.fit``.
        inputs, outputs: int64 by port name, batch first; ``None`` when not at hand or not matching.
        salt: of the commitments; empty when they do not hide, ``None`` when unknown.
    """

    checks: Sequence[Check]
    inputs: Mapping[str, IntArray] | None
    outputs: Mapping[str, IntArray] | None
    salt: bytes | None


def _matching(openings: Sequence[Opening], commitment: bytes) -> Opening | None:
    return next((opening for opening in openings if commit(opening.tensors, opening.salt) == commitment), None)


def _carried(affidavit: Affidavit, role: str, commitment: bytes) -> Opening | None:
    """The opening in the file. A commitment is the digest of its opening, so nothing else is worth decoding."""
    blob = affidavit.blob(role)
    return decode_tensors(blob) if blob is not None and affidavit.roles[role] == commitment else None


def check_answer(
    affidavit: Affidavit,
    policy: Policy,
    circuit: Circuit | None,
    inputs: Mapping[str, npt.NDArray[Any]] | None,
    openings: Sequence[Opening],
) -> AnswerFinding:
    """Compare both commitments with what is at hand.

    Raises:
        circuits.CircuitError: the caller's own input does not fit the circuit (``input.*``).
        MalformedError: an opening inside the affidavit breaks its grammar.
    """
    receipt = affidavit.receipt
    found = _matching(openings, receipt.input) or _carried(affidavit, "input", receipt.input)
    checks = []
    salt = b"" if not receipt.salted else (found.salt if found else None)
    short = receipt.input.hex()[:16]
    pinned = policy.request.input
    if pinned is not None and pinned != receipt.input:  # also where the caller's own input matches
        required = f"{pinned.hex()[:16]} (pinned in the policy)"
        checks.append(failed("request.input", "request.input.mismatch", short, required))
    elif inputs is not None and circuit is not None and salt is not None:
        own = circuits.encode_inputs(circuit, inputs)
        digest = commit(own, salt)
        if digest == receipt.input:
            checks.append(
                passed("request.input", short, f"{short} (the given input)", method="sha-256", bits=HASH_BITS)
            )
            found = Opening(own, salt)
        else:
            checks.append(
                failed("request.input", "request.input.mismatch", short, f"{digest.hex()[:16]} (the given input)")
            )
            found = None
    elif pinned is not None:
        required = f"{short} (pinned in the policy)"
        checks.append(passed("request.input", short, required, method="sha-256", bits=HASH_BITS))
    elif _matching(openings, receipt.input) is not None:
        checks.append(passed("request.input", short, f"{short} (the given opening)", method="sha-256", bits=HASH_BITS))
    else:
        checks.append(
            skipped(
                "request.input",
                "request.input.unknown",
                short,
                "the input of the request",
                remedy="give --input together with the circuit, or pin its commitment in the policy",
            )
        )
    if found is not None and circuit is not None:
        fits = _check_tensors("request.fit", circuit, circuit.inputs, found, receipt.batch)
        checks.append(fits)
        found = found if fits.passed else None
    output, lines = _check_output(affidavit, circuit, openings)
    return AnswerFinding((*checks, *lines), found.tensors if found else None, output.tensors if output else None, salt)


def _check_output(
    affidavit: Affidavit, circuit: Circuit | None, openings: Sequence[Opening]
) -> tuple[Opening | None, list[Check]]:
    receipt = affidavit.receipt
    short = receipt.output.hex()[:16]
    offered = affidavit.roles.get("output")
    if offered is not None and offered != receipt.output:
        return None, [
            failed(
                "answer.output",
                "answer.output.mismatch",
                offered.hex()[:16],
                f"{short} (signed)",
                remedy="the answer in this file is not the one that the node signed",
            )
        ]
    output = _matching(openings, receipt.output) or _carried(affidavit, "output", receipt.output)
    if output is None:
        return None, [
            skipped(
                "answer.output",
                "answer.output.missing",
                "no answer at hand",
                f"an opening of {short}",
                remedy="the answer was sealed: give its opening",
            )
        ]
    if (len(output.salt) > 0) != receipt.salted:
        raise MalformedError("receipt.malformed", "predicate.salted does not say what the output's opening shows")
    lines = [passed("answer.output", short, f"{short} (signed)", method="sha-256", bits=HASH_BITS)]
    if circuit is not None:
        lines.append(_check_tensors("answer.fit", circuit, circuit.outputs, output, receipt.batch))
        if not lines[-1].passed:
            return None, lines
    return output, lines


def _check_tensors(check_id: str, circuit: Circuit, ports: Sequence[Port], opening: Opening, batch: int) -> Check:
    """Names, shapes and bounds of the circuit's ports, all of them and no others."""
    required = "names, shapes and bounds of the circuit"
    if opening.tensors.keys() != {port.name for port in ports}:
        observed = f"tensors {sorted(opening.tensors)[:8]}"
        return failed(check_id, f"{check_id}.mismatch", observed, f"{sorted(port.name for port in ports)}")
    for port in ports:
        tensor, array = circuit.tensors[port.tensor], opening.tensors[port.name]
        shape = (batch, *tensor.shape)
        if array.shape != shape:
            return failed(check_id, f"{check_id}.mismatch", f"{port.name}: {array.shape}", f"{shape}")
        if array.size and not (tensor.lo <= int(array.min()) and int(array.max()) <= tensor.hi):
            observed = f"{port.name}: [{array.min()}, {array.max()}]"
            return failed(check_id, f"{check_id}.mismatch", observed, f"[{tensor.lo}, {tensor.hi}]")
    return passed(check_id, required, required)
