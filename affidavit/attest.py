# SPDX-License-Identifier: AGPL-3.0-or-later
"""Remote attestation of a node: a fresh nonce out, its keys and its machine's evidence back, judged here.

::

    nonce (32, ours)  --GET /v1/keys?challenge=-->  keys, signature, evidence
    challenge = SHA-256("affidavit/keys@v1" || 0x00 || nonce || signing key || sealing key)

The evidence must be bound to ``challenge``, so to the nonce and to both keys at once; the label keeps it apart from the
contexts of inferences, so that neither can stand in for the other. The signature shows that the node holds the key.

Over https the same can be bound to the TLS connection as well (docs/spec/channel-v1.md): nobody in between can pass on
the answer that the node gave to somebody else's connection.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attestation.errors
from affidavit.errors import ClientError, RejectedError, UnsupportedError
from affidavit.transport import MAX_JSON_BYTES, Answer, RefusedError, Transport
from affidavit.wire import read_channel_bindings, read_identity
from attestation import raw
from attestation.channel.binding import TLS_EXPORTER
from attestation.channel.session import Channel
from attestation.clock import Counters
from attestation.collateral import EMPTY, Collateral
from node.evidence import CHALLENGE_BYTES, Evidence, Identity, keys_digest, keys_message
from verifier.appraisal.carried import split_members
from verifier.appraisal.judgement import Judgement, conclude, judge
from verifier.keys import key_id, signature_valid
from verifier.policy import Policy
from verifier.verdict import Verdict

_FROM_WORST = (Verdict.ERROR, Verdict.MALFORMED, Verdict.REJECT, Verdict.UNVERIFIABLE, Verdict.ACCEPT)


class Binding(StrEnum):
    """What is asked of the connection."""

    REQUIRE = "require"
    """Bound to it, or refused."""
    PREFER = "prefer"
    """Bound where the node announces over this connection that it can; the result says."""
    OFF = "off"


@dataclass(frozen=True)
class Attested:
    """What a node said and what we think of it.

    Attributes:
        identity: keys, signature and evidence, as they came.
        nonce: the 32 bytes we drew.
        challenge: what the evidence had to be bound to.
        judgements: one per piece of evidence, in its order; one that says so where there is none.
        channel: the TLS connection that signature and evidence are bound to; ``None`` for none.
        unbound: why there is none; empty where there is one.
    """

    identity: Identity
    nonce: bytes
    challenge: bytes
    judgements: tuple[Judgement, ...]
    channel: Channel | None = None
    unbound: str = ""

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
    binding: Binding = Binding.PREFER,
) -> Attested:
    """Challenge a node.

    Args:
        transport: the connection to it; made with ``channel=True``, or nothing can be bound.
        policy: whom to trust; where it lists nodes, the key must be one of them.
        at: the time of the question, aware.
        collateral, reference: what is known of its machine besides.
        seen: what TPMs said of their clocks when last asked (:class:`affidavit.known_tpms.KnownTpms`).
        draw: where the nonce comes from.
        binding: what is asked of the connection.

    Raises:
        ClientError: no answer, or one that breaks the API's grammar; ``client.keys.challenge-mismatch``,
            ``client.keys.signature-invalid``, ``client.keys.not-allowed``, ``client.channel-binding.*``.
    """
    nonce, unbound = draw(CHALLENGE_BYTES), _unbound(transport, binding)
    asked = {"challenge": nonce.hex()} | ({} if unbound else {"channel_binding": TLS_EXPORTER})
    answer = _get(transport, "/v1/keys", asked)
    identity = read_identity(answer.body)
    keys, channel = identity.keys, None if unbound else _bound_to(answer, identity)
    exporter = None if channel is None else channel.exporter
    short = key_id(keys.signing)[:16]
    if identity.challenge != nonce:
        raise RejectedError("client.keys.challenge-mismatch", "the node answered another challenge")
    if not signature_valid(keys.signing, identity.signature, keys_message(nonce, keys, exporter)):
        if exporter is not None:
            raise RejectedError(
                "client.channel-binding.mismatch",
                f"node {short} did not sign the keys it gave over this TLS connection",
                remedy="somebody is in between: find out who, or ask the node directly",
            )
        raise RejectedError("client.keys.signature-invalid", f"node {short} did not sign the keys it gave")
    if policy.nodes and keys.signing not in policy.nodes:
        raise RejectedError("client.keys.not-allowed", f"node {short} is none that the policy lists")
    challenge = keys_digest(nonce, keys, exporter)
    found = tuple(_judge(piece, challenge, policy, at, collateral, reference, seen) for piece in identity.evidence)
    return Attested(identity, nonce, challenge, found or (_nothing(at),), channel, unbound)


def _get(transport: Transport, path: str, params: Mapping[str, str]) -> Answer:
    try:
        return transport.exchange("GET", path, limit=MAX_JSON_BYTES, params=params)
    except RefusedError as refused:
        raise refused.error from None


def _unbound(transport: Transport, binding: Binding) -> str:
    """Why nothing will be bound; empty where it will be. Raises ``client.channel-binding.unsupported``."""
    if binding is Binding.OFF:
        return "not asked for"
    if not transport.secure:
        reason = "plain HTTP"
        if binding is Binding.REQUIRE:
            raise _unsupported(f"{reason}, required TLS 1.3")
        return reason
    if binding is Binding.REQUIRE:
        return ""
    announced = _get(transport, "/health", {})
    if TLS_EXPORTER not in read_channel_bindings(announced.body):
        return "the node does not offer it over this connection"
    return ""


def _bound_to(answer: Answer, identity: Identity) -> Channel:
    """Our end of the connection to which the node says that it bound its answer."""
    channel = answer.channel
    if channel is None or channel.exporter is None:
        observed = "the connection's exporter is not known" if channel is None else channel.version
        raise _unsupported(f"{observed}, required TLS 1.3")
    if identity.channel_binding != TLS_EXPORTER:
        raise _unsupported("the node bound its answer to nothing but the nonce")
    return channel


def _unsupported(message: str) -> ClientError:
    return UnsupportedError(
        "client.channel-binding.unsupported",
        message,
        remedy="ask the node itself over https, without a proxy that ends TLS; or do without channel binding",
    )


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
        everything = collateral + carried  # the caller's own first: see `judge_file`
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


def channel_json(attested: Attested) -> dict[str, Any]:
    """Whether signature and evidence are bound to the TLS connection, and to which; for people and for the record."""
    channel = attested.channel
    if channel is None or channel.exporter is None:
        return {"bound": False, "reason": attested.unbound}
    return {"bound": True, "type": TLS_EXPORTER, "tls": channel.version, "exporter": channel.exporter.hex()}


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
        "channel_binding": channel_json(attested),
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
