# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client SDK: ask a node, verify what comes back, and only then have the answer.

::

    with Client("https://node.example", policy=Path("policy.toml").read_bytes()) as client:
        answer = client.infer("lenet5.circuit", {"image": image}, seal=True)
        print(answer.outputs["logits"])

``infer`` is ``prepare``, ``submit``, ``wait``, ``fetch_unverified`` and ``believe`` in one. There is no way to the
outputs around the verification but the one whose name says so.
"""

from __future__ import annotations

import hashlib
import random
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy.typing as npt

from affidavit.errors import NotAccepted, OperationalError, RejectedError
from affidavit.exchange import Answer, Question, ask, believe
from affidavit.identity import check_identity
from affidavit.known_tpms import KnownTpms
from affidavit.pauses import pauses
from affidavit.transport import MAX_JSON_BYTES, RefusedError, Transport
from affidavit.wire import Job, read_identity, read_job, read_upload
from attestation.clock import Counters
from circuits import Circuit, load_circuit, stated_digest
from circuits.limits import MAX_FILE as MAX_CIRCUIT_BYTES
from node.evidence import CHALLENGE_BYTES
from node.request import Request
from node.submission import format_submission
from verifier.keys import KeySet
from verifier.policy import DEFAULT_POLICY, Policy, parse_policy


def _now() -> datetime:
    return datetime.now(UTC)


def as_policy(policy: Policy | bytes | None) -> Policy:
    """A policy, or the bytes of a policy file; ``None`` is the built-in one, which trusts nobody.

    Raises:
        verifier.MalformedError: ``policy.*``.
    """
    if policy is None:
        return DEFAULT_POLICY
    return policy if isinstance(policy, Policy) else parse_policy(policy)


def as_circuit(model: Circuit | Path | str) -> Circuit:
    """A circuit, or the path of a circuit file.

    Raises:
        OperationalError: ``client.model.unreadable``.
        circuits.CircuitError: ``circuit.*``.
    """
    if isinstance(model, Circuit):
        return model
    try:
        return load_circuit(Path(model).read_bytes())
    except OSError as error:
        raise OperationalError(
            "client.model.unreadable", f"the circuit file cannot be read ({error.strerror or type(error).__name__})"
        ) from None


class Client:
    """A node, as one of its clients sees it.

    Args:
        url: of the node.
        policy: what an answer must satisfy; ``None`` accepts nothing.
        token: bearer token, where the node wants one.
        timeout: seconds for each single HTTP exchange, and one more for every 16 KiB that come or go.
        patience: seconds to wait for one answer altogether.
        ca: PEM file with the CA of the node's TLS certificate; by default the well-known ones.
        clock: the time at which affidavits are judged.
        known_tpms: file in which the clocks of nodes' TPMs are kept, so that one that goes backwards is noticed
            (:mod:`affidavit.known_tpms`); by default nothing is kept.
    """

    def __init__(
        self,
        url: str,
        *,
        policy: Policy | bytes | None,
        token: str | None = None,
        timeout: float = 30.0,
        patience: float = 300.0,
        ca: Path | str | None = None,
        clock: Callable[[], datetime] = _now,
        known_tpms: Path | str | None = None,
    ) -> None:
        self.policy = as_policy(policy)
        self._patience, self._clock = patience, clock
        self._tpms = None if known_tpms is None else KnownTpms(Path(known_tpms))
        self._transport = Transport(url, token=token, timeout=timeout, ca=ca)

    def infer(
        self,
        model: Circuit | Path | str,
        inputs: Mapping[str, npt.NDArray[Any]],
        *,
        seal: bool = False,
        embed_circuit: bool = False,
        embed_input: bool = False,
        prove: bool | None = None,
        committed: bool | None = None,
    ) -> Answer:
        """One inference, verified.

        Args:
            model: our own copy of the circuit, or where its file lies.
            inputs: real arrays by input name, batch first, of the dtypes that the model says.
            seal: nobody but the node sees input and output; its keys are checked first.
            embed_circuit, embed_input: whether the affidavit carries them.
            prove: whether a proof is asked for; by default where the policy demands one.
            committed: whether that proof is for verifiers that hold a commitment to the weights instead of the weights;
                by default where the policy names that commitment.

        Raises:
            NotAccepted: there is an affidavit, and its verdict is not ACCEPT.
            ClientError: no affidavit, or ``client.*``.
            circuits.CircuitError: ``input.*``, ``circuit.*``.
        """
        question = self.prepare(
            model, inputs, seal=seal, embed_circuit=embed_circuit, embed_input=embed_input, prove=prove,
            committed=committed,
        )  # fmt: skip
        deadline = time.monotonic() + self._patience
        job = self.wait(self.submit(question, deadline=deadline), deadline=deadline)
        affidavit, sealed = self.fetch_unverified(job, sealed=seal)
        return self.believe(question, affidavit, sealed)

    def prepare(
        self,
        model: Circuit | Path | str,
        inputs: Mapping[str, npt.NDArray[Any]],
        *,
        seal: bool = False,
        embed_circuit: bool = False,
        embed_input: bool = False,
        prove: bool | None = None,
        committed: bool | None = None,
    ) -> Question:
        """Draw the nonce, encode, seal. Keep the question: without it the answer cannot be judged."""
        circuit = as_circuit(model)
        keys = self.keys() if seal else None
        seen = self._tpms.read() if self._tpms else {}
        return ask(
            circuit, inputs, policy=self.policy, seal_to=keys, embed_circuit=embed_circuit, embed_input=embed_input,
            prove=prove, committed=committed, seen=seen,
        )  # fmt: skip

    def upload(self, data: bytes) -> bytes:
        """Send ciphertexts or evaluation keys ahead; their SHA-256, which the node must have found as well.

        Raises:
            RejectedError: ``client.upload.mismatch``.
            ClientError: the node's own code, or ``client.network.failed``.
        """
        try:
            body = self._transport.request(
                "POST", "/v1/uploads", content=data, media="application/octet-stream", limit=MAX_JSON_BYTES
            )
        except RefusedError as refused:
            raise refused.error from None
        digest = hashlib.sha256(data).digest()
        if read_upload(body) != digest:
            raise RejectedError("client.upload.mismatch", "the node says that it has something else than was sent")
        return digest

    def exchange_unverified(self, request: Request) -> bytes:
        """Submit, wait, fetch: an affidavit in which nothing has been checked. Raises ClientError."""
        deadline = time.monotonic() + self._patience
        job = self.wait(self._submit(request, deadline), deadline=deadline)
        return self.fetch_unverified(job)[0]

    def submit(self, question: Question, *, deadline: float | None = None) -> Job:
        """Hand it in; when this returns, the node has it on disk. Safe to repeat with the same question.

        A full queue, a busy node and a broken connection are tried again until ``deadline`` (``time.monotonic``).

        Raises:
            ClientError: the node's own code, or ``client.network.failed``.
        """
        return self._submit(question.request, time.monotonic() + self._patience if deadline is None else deadline)

    def _submit(self, request: Request, until: float) -> Job:
        body = format_submission(request)
        waits = pauses()
        while True:
            try:
                answer = self._transport.request("POST", "/v1/inferences", content=body, limit=MAX_JSON_BYTES)
                return read_job(answer)
            except RefusedError as refused:
                if refused.retry_after is None or time.monotonic() + refused.retry_after > until:
                    raise refused.error from None
                pause = refused.retry_after * (1 + random.random() / 4)
            except OperationalError:
                pause = next(waits)
                if time.monotonic() + pause > until:
                    raise
            time.sleep(pause)

    def wait(self, job: Job, *, deadline: float | None = None) -> Job:
        """Ask, less and less often, until the job is done.

        Raises:
            RejectedError: the job failed; the code is the node's.
            OperationalError: ``client.patience.exhausted``.
        """
        until = time.monotonic() + self._patience if deadline is None else deadline
        for pause in pauses():
            if job.state == "failed":
                raise RejectedError(job.code or "client.job.failed", job.message, remedy=job.remedy)
            if job.state == "done":
                return job
            if time.monotonic() + pause > until:
                break
            time.sleep(pause)
            job = read_job(self._get(f"/v1/inferences/{job.id}", limit=MAX_JSON_BYTES))
        raise OperationalError(
            "client.patience.exhausted",
            f"job {job.id} is still {job.state}",
            remedy="wait for it again later: the node keeps it",
        )

    def fetch_unverified(self, job: Job, *, sealed: bool = False) -> tuple[bytes, bytes | None]:
        """The affidavit and, for a sealed request, the sealed answer. Nothing in them has been checked."""
        affidavit = self._get(f"/v1/inferences/{job.id}/affidavit")
        return affidavit, self._get(f"/v1/inferences/{job.id}/sealed-answer") if sealed else None

    def believe(self, question: Question, affidavit: bytes, sealed_answer: bytes | None = None) -> Answer:
        """Verify, and only then have the answer; raises as :func:`affidavit.exchange.believe`."""
        try:
            answer = believe(question, affidavit, sealed_answer, policy=self.policy, at=self._clock())
        except NotAccepted as refused:
            self._remember(refused.result.clocks, accepted=False)
            raise
        self._remember(answer.result.clocks, accepted=True)
        return answer

    def keys(self) -> KeySet:
        """The node's public keys, once the policy gives a reason to trust them; over a fresh challenge."""
        seen = self._tpms.read() if self._tpms else {}
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        identity = read_identity(self._get("/v1/keys", limit=MAX_JSON_BYTES, params={"challenge": challenge.hex()}))
        return check_identity(identity, challenge, policy=self.policy, at=self._clock(), seen=seen)

    def fetch_circuit(self, digest: bytes) -> Circuit:
        """A circuit by its digest, which is all that it is checked for: know why you want that one.

        Raises:
            RejectedError: ``client.model.mismatch``.
        """
        data = self._get(f"/v1/models/{digest.hex()}", limit=MAX_CIRCUIT_BYTES)
        if stated_digest(data) != digest:  # before loading, which costs time and memory
            raise RejectedError("client.model.mismatch", "the node sent another circuit than was asked for")
        return load_circuit(data)

    def fetch_outline(self, digest: bytes) -> bytes:
        """A circuit without its weights; :meth:`affidavit.private.PrivateSession.of_outline` checks it."""
        return self._get(f"/v1/models/{digest.hex()}/outline", limit=MAX_CIRCUIT_BYTES)

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _remember(self, said: Mapping[bytes, Counters], *, accepted: bool) -> None:
        if self._tpms is not None:
            self._tpms.update(said, accepted=accepted)

    def _get(self, path: str, **options: Any) -> bytes:
        try:
            return self._transport.request("GET", path, **options)
        except RefusedError as refused:
            raise refused.error from None
