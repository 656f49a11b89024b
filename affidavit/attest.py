# SPDX-License-Identifier: AGPL-3.0-or-later
"""Remote attestation of a node: a fresh nonce out, its keys and its machine's evidence back, judged here.

::

    nonce (32, ours)  --GET /v1/keys?challenge=-->  keys, signature, evidence
    challenge = SHA-256("affidavit/keys@v1" || 0x00 || nonce || signing key || sealing key)

The evidence must be bound to ``challenge``, so to the nonce and to both keys at once; the label keeps it apart from the
contexts of inferences, so that neither can stand in for the other. The signature shows that the node holds the key.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import attestation.errors
from affidavit.errors import RejectedError
from affidavit.transport import MAX_JSON_BYTES, RefusedError, Transport
from affidavit.wire import read_identity
from attestation import raw
from attestation.clock import Counters
from attestation.collateral import EMPTY, Collateral
from node.evidence import CHALLENGE_BYTES, Evidence, Identity, keys_digest, keys_message
from verifier.appraisal.carried import split_members
from verifier.appraisal.judgement import Judgement, conclude, judge
from verifier.keys import key_id, signature_valid
from verifier.policy import Policy
from verifier.verdict import Verdict

_FROM_WORST = (Verdict.ERROR, Verdict.MALFORMED, Verdict.REJECT, Verdict.UNVERIFIABLE, Verdict.ACCEPT)


@dataclass(frozen=True)
class Attested:
    """What a node said and what we think of it.

    Attributes:
        identity: keys, signature and evidence, as they came.
        nonce: the 32 bytes we drew.
        challenge: what the evidence had to be bound to.
        judgements: one per piece of evidence, in its order; one that says so where there is none.
    """

    identity: Identity
    nonce: bytes
    challenge: bytes
    judgements: tuple[Judgement, ...]

    @property
    def worst(self) -> Judgement:
        """The judgement that decides: a node is believed as far as its weakest piece."""
        return min(self.judgements, key=lambda found: _FROM_WORST.index(found.verdict))


def attest(
    transport: Transport,
    *,
    policy: Policy,
    at: datetime,
    collateral: Collateral = EMPTY,
    reference: Mapping[str, Any] | None = None,
    seen: Mapping[bytes, Counters] | None = None,
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> Attested:
    """Challenge a node.

    Args:
        transport: the connection to it.
        policy: whom to trust; where it lists nodes, the key must be one of them.
        at: the time of the question, aware.
        collateral, reference: what is known of its machine besides.
        seen: what TPMs said of their clocks when last asked (:class:`affidavit.known_tpms.KnownTpms`).
        draw: where the nonce comes from.

    Raises:
        ClientError: no answer, or one that breaks the API's grammar; ``client.keys.challenge-mismatch``,
            ``client.keys.signature-invalid``, ``client.keys.not-allowed``.
    """
    nonce = draw(CHALLENGE_BYTES)
    try:
        answer = transport.request("GET", "/v1/keys", limit=MAX_JSON_BYTES, params={"challenge": nonce.hex()})
    except RefusedError as refused:
        raise refused.error from None
    identity = read_identity(answer)
    keys = identity.keys
    short = key_id(keys.signing)[:16]
    if identity.challenge != nonce:
        raise RejectedError("client.keys.challenge-mismatch", "the node answered another challenge")
    if not signature_valid(keys.signing, identity.signature, keys_message(nonce, keys)):
        raise RejectedError("client.keys.signature-invalid", f"node {short} did not sign the keys it gave")
    if policy.nodes and keys.signing not in policy.nodes:
        raise RejectedError("client.keys.not-allowed", f"node {short} is none that the policy lists")
    challenge = keys_digest(nonce, keys)
    found = tuple(_judge(piece, challenge, policy, at, collateral, reference, seen) for piece in identity.evidence)
    return Attested(identity, nonce, challenge, found or (_nothing(at),))


def _judge(
    piece: Evidence,
    challenge: bytes,
    policy: Policy,
    at: datetime,
    collateral: Collateral,
    reference: Mapping[str, Any] | None,
    seen: Mapping[bytes, Counters] | None,
) -> Judgement:
    try:
        members, carried = split_members(piece.members)
        everything = carried + collateral
    except attestation.errors.MalformedError as error:
        return Judgement(piece.type, Verdict.MALFORMED, error.code, error.message, at, error.remedy)
    return judge(
        piece.type, members, challenge=challenge, at=at, policy=policy, collateral=everything, reference=reference,
        seen=seen,
    )  # fmt: skip


def _nothing(at: datetime) -> Judgement:
    line = attestation.Check("evidence", "SKIP", "no evidence", "evidence of the machine", "evidence.absent")
    remedy = "ask a node with a TPM or confidential hardware"
    return conclude(attestation.Appraisal("none", (line,)), (line,), at, remedy=remedy)


def session_files(attested: Attested, url: str) -> dict[str, bytes]:
    """Files, by relative name, from which ``affidavit appraise`` repeats each judgement offline.

    ``session.json`` says who was asked, when, under which nonce and keys, and the challenge; ``evidence-<i>.json`` are
    the pieces; ``collateral-<i>/<n>.bin`` what they carried.
    """
    keys = attested.identity.keys
    session: dict[str, Any] = {
        "url": url,
        "at": attested.worst.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "nonce": attested.nonce.hex(),
        "signing": keys.signing.hex(),
        "sealing": keys.sealing.hex(),
        "signature": attested.identity.signature.hex(),
        "challenge": attested.challenge.hex(),
        "evidence": [],
    }
    found: dict[str, bytes] = {}
    for index, piece in enumerate(attested.identity.evidence):
        try:
            members, carried = split_members(piece.members)
        except attestation.errors.MalformedError:
            members, carried = dict(piece.members), EMPTY
        found[f"evidence-{index}.json"] = raw.members_document(piece.type, members)
        for number, item in enumerate(carried.items):
            found[f"collateral-{index}/{number}.bin"] = item.data
        session["evidence"].append({"type": piece.type, "file": f"evidence-{index}.json"})
    return {"session.json": json.dumps(session, indent=1).encode("ascii") + b"\n", **found}
