# SPDX-License-Identifier: AGPL-3.0-or-later
"""One question to the service, from bytes to a recorded verdict.

The core decides; this module brings it what the service knows (policy, model, nonce) and keeps what came out.
A model is brought only if the caller names it or the policy lists it: that somebody uploaded it makes it
nobody's choice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from attestation.clock import Counters
from verifier.affidavit import Affidavit, read_affidavit
from verifier.errors import OperationalError, VerifierError
from verifier.evidence import clock_keys
from verifier.policy import Policy
from verifier.recheck import receipt_digest
from verifier.report import result_json
from verifier.service.catalogue import Catalogue
from verifier.service.clocks import Clocks
from verifier.service.entries import verification_entry
from verifier.service.errors import malformed, unknown
from verifier.service.nonces import Nonces
from verifier.service.records import Records, Seen
from verifier.verdict import Verdict
from verifier.verify import Known, verify


@dataclass(frozen=True)
class Question:
    """What a caller asks about a file.

    Attributes:
        nonce: the 32 bytes it drew, or had minted here.
        input: SHA-256 commitment to the input it sent.
        model: digest of the circuit it asked for (64 hex digits).
        policy: id of the policy to use (64 hex digits); ``None`` for the default one.
        at: the time the question is asked for.
        arrived_at: when it arrived.
    """

    nonce: bytes | None
    input: bytes | None
    model: str | None
    policy: str | None
    at: datetime
    arrived_at: datetime


@dataclass(frozen=True)
class Verification:
    """The use case; ``policies`` by id in hex, the first is the default."""

    records: Records
    nonces: Nonces
    catalogue: Catalogue
    clocks: Clocks
    policies: Mapping[str, Policy]
    version: str

    def policy(self, key: str | None) -> Policy:
        """The policy with this id. Raises ``service.policy.unknown`` (404)."""
        if key is None:
            return next(iter(self.policies.values()))
        if key not in self.policies:
            raise unknown("policy", key[:16])
        return self.policies[key]

    def decide(self, affidavit: bytes, question: Question) -> Seen:
        """Verify; changes nothing, so it may be given up at any time.

        Raises:
            Refusal: unknown policy or model; a minted nonce that is used or expired.
        """
        policy = self.policy(question.policy)
        if question.nonce is not None:
            self.nonces.check(question.nonce, question.arrived_at)
        if question.input is not None:
            if policy.request.input not in (None, question.input):
                raise malformed("input: the policy pins another one")
            policy = replace(policy, request=replace(policy.request, input=question.input))
        read = _peek(affidavit)
        circuit = None
        if question.model is not None:
            circuit = self.catalogue.get(question.model)
            if circuit is None:
                raise unknown("model", question.model[:16])
        elif read is not None and read.receipt.model.circuit in policy.models:
            circuit = self.catalogue.get(read.receipt.model.circuit.hex())
        known = Known(circuit=circuit, nonce=question.nonce, clocks=self._seen(read, question))
        result = verify(affidavit, at=question.at, policy=policy, known=known)
        if result.verdict is Verdict.ERROR:
            raise OperationalError(result.code, result.message, remedy=result.remedy)
        report = json.dumps(result_json(result, question.at), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return Seen(
            affidavit,
            report.encode(),
            result,
            None if read is None else receipt_digest(read.receipt_envelope.payload),
            policy.id,
            question.nonce,
            question.at,
            question.arrived_at,
            self.version,
        )

    def _seen(self, read: Affidavit | None, question: Question) -> dict[bytes, Counters]:
        """What the machine's TPMs said before the nonce was minted here.

        Of a client's own nonce nobody knows how old it is: an old affidavit may be shown again at any time.
        """
        drawn = None if question.nonce is None else self.nonces.drawn_at(question.nonce)
        return {} if drawn is None or read is None else self.clocks.known(clock_keys(read), drawn)

    def record(self, seen: Seen, at: datetime) -> dict[str, Any]:
        """Commit the verdict, then render it."""
        row, head = self.records.add(seen, at)
        audit = {"seq": head.seq, "digest": head.digest.hex()}
        report: dict[str, Any] = json.loads(seen.report)
        return report | recorded(row) | {"audit": audit}

    def recall(self, number: int) -> dict[str, Any]:
        """What :meth:`record` returned for this number, less the audit log's head of that moment.

        Raises:
            Refusal: ``service.verification.unknown`` (404).
        """
        row = self.records.get(number)
        if row is None:
            raise unknown("verification", str(number))
        report = self.records.blobs.get(row.report)
        if report is None:
            raise OperationalError("service.blob.missing", f"the report of verification {number} is not there")
        rendered: dict[str, Any] = json.loads(report)
        return rendered | recorded(row)


def recorded(row: Any) -> dict[str, Any]:
    """``record`` and ``findings`` of one row: what the service adds to the core's report."""
    findings = []
    if row.reuse_of is not None:
        findings.append(
            {
                "code": "service.nonce.reused",
                "message": f"this node's key bore the same nonce on another receipt, in verification {row.reuse_of}",
                "remedy": "compare the two receipts: a nonce belongs to one request and one answer",
                "verification": row.reuse_of,
            }
        )
    return {"record": verification_entry(row), "findings": findings}


def _peek(affidavit: bytes) -> Affidavit | None:
    """What a readable file says; the verdict about it is the core's."""
    try:
        return read_affidavit(affidavit)
    except VerifierError:
        return None
