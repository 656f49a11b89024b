# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node: its keys, its models, its evidence, and the pipeline that turns a request into an affidavit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import attestation
from attestation.channel.binding import TLS_EXPORTER
from attestation.producers import Producer
from fhe.errors import FheError
from node.description import describe_execution
from node.errors import OperationalError
from node.evidence import Identity, collect, keys_digest, keys_message
from node.inference import Inference
from node.keys import NodeKeys
from node.limits import MAX_MODEL_MEMORY, MAX_TRACE_ELEMENTS
from node.models import ModelStore
from node.pipeline import Pipeline, as_node_error
from node.plans import Plans
from node.request import Request
from node.sessions import Sessions
from node.stages.admit import Admit
from node.stages.answer import Answered, AnswerStage
from node.stages.attest import Attest
from node.stages.commit import Commit
from node.stages.evaluate import Evaluate
from node.stages.frame import Find, Frame
from node.stages.load import Load
from node.stages.prove import Prove
from node.stages.run import Run
from node.stages.sign import Sign
from node.stages.unseal import Unseal
from node.stages.vouch import AnswerEncrypted, VouchEncrypted
from node.tenseal import Wish, choose, describe
from node.uploads import LOCAL, Incoming, Uploads
from verifier.keys import KeySet

if TYPE_CHECKING:
    from fhe.pool import EvaluationPool

OWN_FORMATS = (b"AFFFHEC1", b"AFFFHEK1")
"""How `fhe-ciphertexts@v1` and `fhe-keys@v1` begin."""
MAGIC_BYTES = 8
EVALUATION_SECONDS, INSPECTION_SECONDS = 120.0, 30.0


def utc_now() -> datetime:
    """The node's clock."""
    return datetime.now(UTC)


class Node(AbstractContextManager["Node"]):
    """Runs inferences in this process; safe for several threads.

    Args:
        data_dir: holds keys and models; made with mode 0700.
        producer: source of evidence, which the node closes with itself; ``None`` for none at all.
        threads: of onnxruntime per session, 0 for every core.
        model_memory: bound on the estimated bytes of loaded models.
        max_elements: bound on the elements of all tensors of one execution.
        clock: the time, with a time zone.
        observe: called with stage name and seconds after each stage.
        progress: called with the name of each phase of a proof.

    Raises:
        NodeError: ``node.keys.*``, ``node.data-dir.unusable``.
    """

    def __init__(
        self,
        data_dir: Path,
        producer: Producer | None = None,
        *,
        threads: int = 0,
        model_memory: int = MAX_MODEL_MEMORY,
        max_elements: int = MAX_TRACE_ELEMENTS,
        clock: Callable[[], datetime] = utc_now,
        observe: Callable[[str, float], None] = lambda stage, seconds: None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.models = ModelStore(data_dir / "models")
        except OSError as error:
            raise OperationalError(
                "node.data-dir.unusable",
                f"the node's data directory cannot be made or opened ({error.strerror or type(error).__name__})",
                remedy="choose another directory, or check its owner and permissions",
            ) from None
        self.data_dir, self.clock = data_dir, clock
        self._keys = NodeKeys.open(data_dir)
        self._producer = producer
        self._sessions = Sessions(self.models, memory=model_memory, threads=threads)
        self.uploads, self._plans = Uploads(data_dir / "uploads"), Plans()
        self._evaluation: EvaluationPool | None = None
        self._inspection: EvaluationPool | None = None
        self._starting, self._inspecting = threading.Lock(), threading.Lock()
        admit = Admit(self.models, self._sessions)
        unseal = Unseal(self._keys, max_elements=max_elements)
        attest = Attest(self._keys.public, producer)
        description = describe_execution()
        frame = Frame(self.uploads, self._plans, self._keys.sign)
        self._admission = Pipeline([admit, unseal])
        self._encrypted_admission = Pipeline([admit, Find(self.uploads, self._plans)])
        self._encrypted = Pipeline(
            [
                admit,
                frame,
                attest,
                Evaluate(self._pool),
                VouchEncrypted(self._keys, description, clock),
                AnswerEncrypted(self.models),
            ],
            observe=observe,
        )
        self._pipeline = Pipeline(
            [
                admit,
                unseal,
                Load(self._sessions),
                attest,
                Run(),
                Commit(),
                Prove(progress, data_dir / "weights"),
                Sign(self._keys, description, clock),
                AnswerStage(self.models),
            ],
            observe=observe,
        )

    @property
    def keys(self) -> KeySet:
        """The public keys."""
        return self._keys.public

    @property
    def evidence(self) -> str:
        """Where the node's evidence comes from, one line for people."""
        return "no evidence" if self._producer is None else self._producer.describe()

    @property
    def simulated(self) -> bool:
        """Whether the evidence is simulated, and so proves nothing."""
        return self._producer is not None and self._producer.simulated

    def admit(self, request: Request) -> None:
        """Raise what running ``request`` would raise before anything is computed; changes nothing."""
        admission = self._encrypted_admission if request.encrypted else self._admission
        admission.run(Inference(request, self.clock()))

    def run(self, request: Request, *, received_at: datetime | None = None) -> Answered:
        """One inference, from request to affidavit.

        Raises:
            NodeError: with the code of whatever refused; nothing is left behind.
        """
        pipeline = self._encrypted if request.encrypted else self._pipeline
        return pipeline.run(Inference(request, received_at or self.clock()))[Answered]

    def outline(self, model: bytes) -> bytes:
        """A model without its weights, for clients that may ask it and not have it.

        Raises:
            NodeError: ``request.model.unknown``, ``node.model.*``.
        """
        from verifier.proof import dump_outline

        return dump_outline(self._sessions.circuit(model))

    def upload(self, data: bytes, client: str = LOCAL) -> bytes:
        """Keep ciphertexts or evaluation keys for requests to name; their SHA-256. Raises as :meth:`keep`."""
        with self.uploads.begin() as incoming:
            incoming.write(data)
            return self.keep(incoming, client)

    def keep(self, incoming: Incoming, client: str) -> bytes:
        """The same for what came in piece by piece.

        This project's own formats are kept unread: they have no place for a secret key. What else comes is TenSEAL's,
        and is looked at in a sandboxed process first: a context with a secret key must not lie here.

        Raises:
            NodeError: ``request.upload.malformed``, ``fhe.tenseal.*``, ``fhe.worker.*``, ``node.uploads.*``,
                ``node.blobs.unusable``.
        """
        incoming.finish()
        if incoming.size and incoming.read(MAGIC_BYTES) not in OWN_FORMATS:
            with self._inspecting:  # it is all in memory then, and many come in at a time
                try:
                    self._inspector().inspect(incoming.read())
                except FheError as error:
                    raise as_node_error(error) from None
        return self.uploads.keep(incoming, client)

    def tenseal_plan(self, model: bytes, wish: Wish) -> dict[str, Any]:
        """How a client that only has TenSEAL asks a model; see :mod:`node.tenseal`.

        Raises:
            NodeError: ``request.model.unknown``, ``node.model.*``, ``fhe.network.*``, ``fhe.plan.none``,
                ``fhe.preset.unknown``.
        """
        circuit = self._sessions.circuit(model)
        try:
            return describe(self._plans.chosen(circuit, wish, choose))
        except FheError as error:
            raise as_node_error(error) from None

    def _pool(self) -> EvaluationPool:
        with self._starting:
            if self._evaluation is None:
                self._evaluation = _workers()
            return self._evaluation

    def _inspector(self) -> EvaluationPool:
        """A process apart: an upload takes up one of few places, and must not wait for somebody's evaluation."""
        with self._starting:
            if self._inspection is None:
                self._inspection = _workers(INSPECTION_SECONDS)
            return self._inspection

    def identify(self, challenge: bytes, exporter: bytes | None = None) -> Identity:
        """Show that the public keys are this node's, now; with ``exporter``, over one TLS connection alone.

        Raises:
            MalformedError: ``request.challenge.malformed`` unless 32 bytes.
            NodeError: ``evidence.*`` where the machine's evidence cannot be had.
        """
        message = keys_message(challenge, self.keys, exporter)
        try:
            evidence = collect(self._producer, keys_digest(challenge, self.keys, exporter))
        except attestation.EvidenceError as error:
            raise as_node_error(error) from None
        bound = None if exporter is None else TLS_EXPORTER
        return Identity(self.keys, challenge, self._keys.sign(message), evidence, bound)

    def close(self) -> None:
        """Release the source of evidence; stop the processes that evaluate ciphertexts."""
        for pool in (self._evaluation, self._inspection):
            if pool is not None:
                pool.close()
        if self._producer is not None:
            self._producer.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _workers(seconds: float = EVALUATION_SECONDS) -> EvaluationPool:
    """Strangers' ciphertexts are parsed behind every door that Linux has, or not at all."""
    from fhe.pool import EvaluationPool

    doors = {"rlimits", "no-new-privs", "seccomp"} if sys.platform == "linux" else set()
    return EvaluationPool(seconds=seconds, require=frozenset(doors))
