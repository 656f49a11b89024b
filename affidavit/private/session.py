# SPDX-License-Identifier: AGPL-3.0-or-later
"""One session with one node: its keys, and questions and answers under them."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import fhe
from affidavit.client import as_circuit
from affidavit.errors import NotAccepted, OperationalError, RejectedError, UnsupportedError
from affidavit.private.partial import evaluate_from
from affidavit.private.question import EncryptedNode, PrivateAnswer, PrivateQuestion
from circuits import Circuit, decode_outputs, encode_inputs
from circuits.circuit import IntArray
from node.plans import Layout
from node.request import EncryptedReference, Request
from verifier.encrypted import EncryptedRequest
from verifier.policy import Policy
from verifier.private import KnownRequest
from verifier.verdict import Verdict
from verifier.verify import Known, verify

if TYPE_CHECKING:
    from fhe import EncryptedPlan
    from fhe.client import Session
    from fhe.pool import EvaluationPool

NONCE_BYTES = 32


class PrivateSession:
    """Keys for one session with one node, and what is done with them. Make a new one for the next session.

    Args:
        model: our own copy of the circuit, or where its file lies.
        samples: in each request.
        preset: only this one; by default the cheapest that fits.
        protected: replies that show nothing of the model but its answers.
        exact: BFV alone: the circuit's own integers, whole networks included.
        first, last: the tensors between which it runs encrypted; by default input and output. The rest is computed
            here, in clear.
        calibration: typical inputs, real arrays by input name: makes CKKS more precise, and wrong where values go far
            beyond what these give.
        keys: a session that was stored (:meth:`save`); by default new keys.

    Raises:
        UnsupportedError: ``client.private.unavailable``: the fhe extra is not installed.
        fhe.FheError: ``fhe.plan.*``, ``fhe.network.*``, ``fhe.privacy.no-room``: it does not run encrypted.
    """

    def __init__(
        self,
        model: Circuit | Path | str,
        *,
        samples: int = 1,
        preset: str | None = None,
        protected: bool = False,
        exact: bool = False,
        first: int | None = None,
        last: int | None = None,
        calibration: Mapping[str, npt.NDArray[Any]] | None = None,
        keys: Session | None = None,
    ) -> None:
        self.circuit = as_circuit(model)
        self._weights = True
        typical = None
        if calibration is not None:
            begin = self.circuit.inputs[0].tensor if first is None else first
            typical = self._in_clear(calibration, begin)[begin]
        self.plan: EncryptedPlan = fhe.plan(
            self.circuit, samples=samples, preset=preset, private=protected, exact=exact, start=first, stop=last,
            calibration=typical,
        )  # fmt: skip
        self.layout = Layout.of_plan(self.plan)
        self._keys: Session | None = keys if keys is not None else _new_keys(self.plan)
        self.evaluation_keys = self._keys.evaluation_keys(self.plan.interface)
        """`fhe-keys@v1`: what the node gets of this session's keys."""

    @classmethod
    def of_outline(
        cls, outline: bytes, digest: bytes, *, samples: int = 1, preset: str | None = None
    ) -> PrivateSession:
        """A session with a model whose weights are not for us: protected replies, and all of the model encrypted.

        Args:
            outline: of the circuit (``Client.fetch_outline``).
            digest: of the circuit: know why you want that one.

        Raises:
            verifier.VerifierError: ``proof.outline.*``: not the outline of that circuit.
            fhe.FheError: ``fhe.plan.*``, ``fhe.privacy.no-room``: it does not run whole with protected replies.
        """
        from verifier.proof.outline import load_outline

        session = cls(load_outline(outline, digest), samples=samples, preset=preset, protected=True)
        session._weights = False
        return session

    def infer(
        self,
        node: EncryptedNode,
        inputs: Mapping[str, npt.NDArray[Any]],
        *,
        embed_input: bool = False,
        recheck: EvaluationPool | None = None,
    ) -> PrivateAnswer:
        """One private inference: encrypt, send, verify, decrypt.

        Args:
            node: who computes.
            inputs: real arrays by input name, batch first, as many samples as the session is for.
            embed_input: the affidavit carries ciphertexts and evaluation keys, so that others can execute it again.
            recheck: executes it again on this machine, before anything is believed.

        Raises:
            NotAccepted: the verdict is not ACCEPT; nothing was decrypted.
            ClientError: no affidavit; ``client.private.*``.
        """
        question = self.ask(inputs, policy=node.policy, embed_input=embed_input)
        for part in (self.evaluation_keys, question.ciphertexts):
            node.upload(part)
        affidavit = node.exchange_unverified(question.request)
        found = None if recheck is None else self.reexecute(question, recheck)
        return self.believe(question, affidavit, policy=node.policy, at=datetime.now(UTC), reexecuted=found)

    def ask(
        self, inputs: Mapping[str, npt.NDArray[Any]], *, policy: Policy, embed_input: bool = False
    ) -> PrivateQuestion:
        """Draw a nonce and encrypt.

        Raises:
            circuits.MalformedError: ``input.*`` when the input does not fit the circuit.
            fhe.MalformedError: ``fhe.input.*`` when it does not fit the session.
        """
        first = self.plan.network.start
        known = self._in_clear(inputs, first)
        ciphertexts = self._open().encrypt(self.plan.interface, known[first])
        keys, request = (hashlib.sha256(data).digest() for data in (self.evaluation_keys, ciphertexts))
        reference = EncryptedReference(self.layout, request, keys)
        return PrivateQuestion(
            Request(
                self.circuit.digest, secrets.token_bytes(NONCE_BYTES), reference, policy.id, embed_input=embed_input
            ),
            ciphertexts,
            EncryptedRequest(self.plan.interface.digest, keys, request),
            known,
        )

    def reexecute(self, question: PrivateQuestion, pool: EvaluationPool) -> bytes:
        """SHA-256 of the answer that executing again gives, for :meth:`believe`.

        Raises:
            UnsupportedError: ``client.private.seeded``: a protected reply can be executed again with its seed alone.
            fhe.FheError: ``fhe.worker.*``.
        """
        if self.plan.private:
            raise UnsupportedError(
                "client.private.seeded",
                "protected replies are executed again by an auditor to whom the node opens its seed",
                remedy="have the auditor run `affidavit recheck --seed`",
            )
        return hashlib.sha256(pool.evaluate(self.plan, question.ciphertexts, self.evaluation_keys).ciphertexts).digest()

    def believe(
        self,
        question: PrivateQuestion,
        affidavit: bytes,
        *,
        policy: Policy,
        at: datetime,
        reexecuted: bytes | None = None,
    ) -> PrivateAnswer:
        """Verify against everything that this client knows, and only then decrypt.

        Raises:
            NotAccepted: any verdict but ACCEPT.
            RejectedError: ``client.private.unreadable``: verified, and yet no answer. The session is over; tell nobody.
        """
        strict = replace(policy, require_nonce=True, require_input=True, require_model=True)
        known = Known(
            circuit=self.circuit if self._weights else None,
            digest=self.circuit.digest,
            nonce=question.request.nonce,
            encrypted=KnownRequest(question.sent, reexecuted),
        )
        result = verify(affidavit, at=at, policy=strict, known=known)
        accepted = result.verdict is Verdict.ACCEPT and result.ledger.reached("private")
        if not accepted or result.ciphertexts is None or result.receipt is None:
            raise NotAccepted(result, affidavit)
        try:
            outputs, error = self._decrypted(question, result.ciphertexts)
        except (fhe.FheError, ValueError, RuntimeError, KeyError):
            self.close()
            raise RejectedError(
                "client.private.unreadable",
                "the verified answer cannot be read; the session's keys are forgotten",
                remedy="start a new session, with another node if you can; do not tell this node why",
            ) from None
        exact = self.plan.preset.scheme == "bfv"
        return PrivateAnswer(outputs, exact, error, affidavit, result, question.request.nonce, result.receipt.input)

    def save(self, path: Path, passphrase: str) -> None:
        """Keep the secret key in a file (mode 0600, encrypted under the passphrase): never done unless asked for.

        Raises:
            OperationalError: ``client.private.keyfile``: the file exists, or cannot be written.
        """
        from fhe.keyfile import save_session

        try:
            save_session(self._open(), path, passphrase)
        except OSError as error:
            raise OperationalError(
                "client.private.keyfile", f"the key file cannot be written ({error.strerror or type(error).__name__})"
            ) from None

    def close(self) -> None:
        """Forget the secret key."""
        self._keys = None

    def __enter__(self) -> PrivateSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _in_clear(self, inputs: Mapping[str, npt.NDArray[Any]], tensor: int) -> dict[int, IntArray]:
        """The circuit's inputs, and the tensor that is to be encrypted."""
        encoded = encode_inputs(self.circuit, inputs)
        ports = {port.tensor: encoded[port.name] for port in self.circuit.inputs}
        return {**ports, **evaluate_from(self.circuit, ports, frozenset({tensor}))}

    def _open(self) -> Session:
        if self._keys is None:
            raise RejectedError("client.private.closed", "this session is over", remedy="start a new one")
        return self._keys

    def _decrypted(self, question: PrivateQuestion, answer: bytes) -> tuple[dict[str, npt.NDArray[Any]], float]:
        """Outputs by name, and the error that is expected of them."""
        circuit, last = self.circuit, self.plan.network.stop
        values = self._open().decrypt(self.plan.interface, answer)
        values = values.reshape(len(values), *circuit.tensors[last].shape)
        error = fhe.estimate(self.plan).error
        if error:
            return self._approximate(values.astype(np.float64), error)
        tensor = circuit.tensors[last]
        integers = values.astype(np.int64)
        if int(integers.min()) < tensor.lo or int(integers.max()) > tensor.hi:
            raise ValueError("integers outside the circuit's bounds")
        found = evaluate_from(
            circuit, {**question.known, last: integers}, frozenset(port.tensor for port in circuit.outputs)
        )
        return decode_outputs(circuit, {port.name: found[port.tensor] for port in circuit.outputs}), 0.0

    def _approximate(self, values: npt.NDArray[np.float64], error: float) -> tuple[dict[str, npt.NDArray[Any]], float]:
        """CKKS: on a grid as coarse as the error, since what is finer is noise that depends on the key."""
        (port,) = self.circuit.outputs
        if port.tensor != self.plan.network.stop or not np.isfinite(values).all():
            raise ValueError("approximate values in the middle of a circuit, or none at all")
        grid = 2.0 ** math.ceil(math.log2(2 * error))
        return {port.name: np.rint(values / grid) * grid * port.scale}, grid * port.scale


def load_keys(path: Path, passphrase: str) -> Session:
    """The keys of a stored session, for ``PrivateSession(keys=...)``.

    Raises:
        OperationalError: ``client.private.keyfile``.
        fhe.FheError: ``fhe.keyfile.*``.
    """
    from fhe.keyfile import load_session

    try:
        return load_session(path, passphrase)
    except OSError as error:
        raise OperationalError(
            "client.private.keyfile", f"the key file cannot be read ({error.strerror or type(error).__name__})"
        ) from None


def _new_keys(plan: EncryptedPlan) -> Session:
    from fhe.client import Session

    try:
        return Session(plan.preset)
    except fhe.UnsupportedError as error:
        raise UnsupportedError(
            "client.private.unavailable", error.message, remedy="pip install 'affidavit[fhe]'"
        ) from None
