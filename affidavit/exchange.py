# SPDX-License-Identifier: AGPL-3.0-or-later
"""One question and its answer, without any network: what to send, and what to believe of what comes back.

``Question`` holds everything that the client knows by itself; ``believe`` is the one way from an affidavit to an
``Answer``, and it verifies.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy.typing as npt

from affidavit.errors import NotAccepted, RejectedError
from attestation.clock import Counters
from circuits import Circuit, encode_inputs
from node.request import EncodedInput, Payload, Request, SealedInputBox
from node.sealed import SealedInput, seal_input
from verifier.affidavit import read_affidavit
from verifier.keys import KeySet
from verifier.policy import Policy
from verifier.tensors import Opening
from verifier.verdict import Verdict
from verifier.verify import Known, Result, verify

NONCE_BYTES = 32


@dataclass(frozen=True)
class Answer:
    """An accepted answer.

    Attributes:
        outputs: real arrays by output name, batch first (float64; int64 where the model answers integers).
        affidavit: the file; keep it together with nonce and openings for whoever checks later.
        result: every check that was made, the ledger, the score.
        nonce: of the request.
        openings: for a sealed request the openings of input and output, without which nobody can check the content
            later; they are as private as the input.
    """

    outputs: Mapping[str, npt.NDArray[Any]]
    affidavit: bytes
    result: Result
    nonce: bytes
    openings: tuple[Opening, ...] = ()


@dataclass(frozen=True)
class Question:
    """A request together with what its author knows; make it with :func:`ask`.

    Attributes:
        circuit, inputs: the model and the real-valued input.
        request: what goes to the node.
        sealed: reply key and salted opening of a sealed request; ``None`` for one in clear.
        keys: the node's keys to which the input was sealed.
        seen: what TPMs had said of their clocks when the nonce was drawn.
    """

    circuit: Circuit
    inputs: Mapping[str, npt.NDArray[Any]]
    request: Request
    sealed: SealedInput | None = None
    keys: KeySet | None = None
    seen: Mapping[bytes, Counters] = field(default_factory=dict)


def ask(
    circuit: Circuit,
    inputs: Mapping[str, npt.NDArray[Any]],
    *,
    policy: Policy,
    seal_to: KeySet | None = None,
    embed_circuit: bool = False,
    embed_input: bool = False,
    prove: bool | None = None,
    committed: bool | None = None,
    seen: Mapping[bytes, Counters] | None = None,
) -> Question:
    """Draw a nonce, encode the input, seal it where a node's keys are given.

    A proof is asked for with ``prove``; by default where the policy demands one.  It is to be about committed weights
    with ``committed``; by default where the policy names the commitment to the weights of this circuit.

    Raises:
        circuits.MalformedError: ``input.*`` when the input does not fit the circuit.
        node.errors.NodeError: ``request.embed.sealed``, ``request.prove.sealed``, ``request.committed.unproved``,
            ``request.sealed.key-unusable``.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    encoded = encode_inputs(circuit, inputs)
    sealed = None if seal_to is None else seal_input(seal_to.sealing, nonce, circuit.digest, encoded)
    payload: Payload = EncodedInput(Opening(encoded)) if sealed is None else SealedInputBox(sealed.box)
    wanted = "proved" in policy.assurance if prove is None else prove
    known = wanted and circuit.digest in policy.commitments
    mode = known if committed is None else committed
    request = Request(circuit.digest, nonce, payload, policy.id, embed_circuit, embed_input, wanted, mode)
    return Question(circuit, inputs, request, sealed, seal_to, seen or {})


def believe(
    question: Question, affidavit: bytes, sealed_answer: bytes | None, *, policy: Policy, at: datetime
) -> Answer:
    """Verify an affidavit against everything that the client knows, and only then give its answer.

    Whatever the policy says, nonce, input and model must be ours: an SDK that sent them has no reason to take the
    node's word for them.

    Raises:
        NotAccepted: any verdict but ACCEPT.
        RejectedError: ``client.answer.not-private``, ``client.answer.other-keys``, ``client.answer.unsealed``.
        node.errors.NodeError: ``node.answer.*`` when the sealed answer does not open.
    """
    strict = replace(policy, require_nonce=True, require_input=True, require_model=True)
    nonce = question.request.nonce
    openings: tuple[Opening, ...] = ()
    if question.sealed is not None:
        if sealed_answer is None:
            raise RejectedError("client.answer.unsealed", "the node gave no sealed answer to a sealed request")
        output = question.sealed.reply.open_answer(sealed_answer, nonce)
        openings = (question.sealed.opening, output)
    known = Known(question.circuit, question.inputs, nonce, openings, clocks=question.seen)
    result = verify(affidavit, at=at, policy=strict, known=known)
    if result.verdict is not Verdict.ACCEPT or result.answer is None or result.receipt is None:
        raise NotAccepted(result, affidavit)
    if question.sealed is not None:
        _check_private(question, affidavit)
    return Answer(result.answer, affidavit, result, nonce, openings)


def _check_private(question: Question, affidavit: bytes) -> None:
    """The affidavit of a sealed request can be shown to others: it hides what was sealed."""
    parsed = read_affidavit(affidavit)
    shown = sorted(parsed.roles.keys() & {"input", "output"})
    if shown or not parsed.receipt.salted:
        raise RejectedError(
            "client.answer.not-private",
            f"the affidavit of a sealed request shows {shown or 'commitments without salt'}",
            remedy="do not pass this file on, and do not use this node for private inputs",
        )
    if parsed.receipt.keys != question.keys:
        raise RejectedError(
            "client.answer.other-keys", "the receipt names other keys than those to which the input was sealed"
        )
