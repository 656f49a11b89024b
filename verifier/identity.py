# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who says it, about which request and which model: signature, signer, context, nonce, time, circuit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import circuits
from circuits import Circuit
from verifier.affidavit import Affidavit
from verifier.errors import RejectedError
from verifier.keys import SIGNATURE_BITS, key_id
from verifier.policy import Policy
from verifier.receipt import Receipt
from verifier.verdict import Check, failed, passed, skipped

CLOCK_SKEW = timedelta(minutes=5)
HASH_BITS = 128


def check_signature(affidavit: Affidavit) -> Check:
    """The receipt's envelope verifies under the signing key that the receipt itself names."""
    key = affidavit.receipt.keys.signing
    if affidavit.receipt_envelope.signed_by(key):
        return passed(
            "receipt.signature",
            f"valid under {key_id(key)[:16]}",
            "valid",
            method="ed25519",
            bits=SIGNATURE_BITS,
        )
    return failed(
        "receipt.signature",
        "receipt.signature.invalid",
        "not valid",
        f"a signature of {key_id(key)[:16]}",
        remedy="the receipt was changed after signing, or signed by somebody else",
    )


def check_signer(receipt: Receipt, policy: Policy, *, attested: bool) -> Check:
    """The key is trusted for a reason outside the file: listed, or bound to evidence that was accepted."""
    short = key_id(receipt.keys.signing)[:16]
    if receipt.keys.signing in policy.nodes:
        return passed("receipt.signer", f"{short}, listed in the policy", "a trusted key")
    if policy.nodes:
        return failed("receipt.signer", "receipt.signer.not-allowed", short, "one of the keys in the policy")
    if attested:
        return passed("receipt.signer", f"{short}, bound to accepted evidence", "a trusted key")
    return skipped(
        "receipt.signer",
        "receipt.signer.unknown",
        short,
        "a key listed in the policy or bound to accepted evidence",
        remedy="give a policy that lists the node's key or the roots of its evidence",
    )


def check_context(receipt: Receipt) -> Check:
    """The context digest follows from the receipt's own fields."""
    rebuilt = receipt.rebuilt_context().digest
    if rebuilt == receipt.context:
        return passed("receipt.context", rebuilt.hex()[:16], rebuilt.hex()[:16], method="sha-256", bits=HASH_BITS)
    return failed("receipt.context", "receipt.context.mismatch", receipt.context.hex()[:16], rebuilt.hex()[:16])


def check_nonce(receipt: Receipt, own: bytes | None, pinned: bytes | None) -> Check:
    """The answer belongs to the request for which this verifier drew the nonce; whoever states one is heard."""
    stated = [nonce for nonce in (own, pinned) if nonce is not None]
    if not stated:
        return skipped(
            "request.nonce",
            "request.nonce.unknown",
            receipt.nonce.hex()[:16],
            "the nonce of the request",
            remedy="give --nonce, or pin it in the policy's [request] section",
        )
    other = next((nonce for nonce in stated if nonce != receipt.nonce), None)
    if other is None:
        return passed("request.nonce", receipt.nonce.hex()[:16], receipt.nonce.hex()[:16])
    return failed(
        "request.nonce",
        "request.nonce.mismatch",
        receipt.nonce.hex()[:16],
        other.hex()[:16],
        remedy="this is an answer to another request",
    )


def _parse(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def check_times(receipt: Receipt, policy: Policy, at: datetime) -> list[Check]:
    """The node's own clock is plausible: an order, no future, and the policy's maximum age."""
    received, completed = _parse(receipt.received_at), _parse(receipt.completed_at)
    observed = f"{receipt.received_at} to {receipt.completed_at} (self-asserted)"
    if received is None or completed is None or completed < received:
        return [failed("receipt.time", "receipt.time.invalid", observed, "two times in order")]
    if completed - at > CLOCK_SKEW:
        return [
            failed(
                "receipt.time",
                "receipt.time.future",
                observed,
                f"not after {at.isoformat()}, give or take {CLOCK_SKEW}",
            )
        ]
    if policy.max_age_seconds is not None and (at - completed).total_seconds() > policy.max_age_seconds:
        return [failed("receipt.time", "receipt.time.too-old", observed, f"at most {policy.max_age_seconds} s old")]
    return [
        passed("receipt.time", observed, f"not after {at.isoformat(timespec='seconds')}, give or take {CLOCK_SKEW}")
    ]


@dataclass(frozen=True)
class ModelFinding:
    """What is known of the model.

    Attributes:
        checks: ``model.*``.
        circuit: the circuit that the receipt names, from the caller or from the file; ``None`` when in neither.
        vouched: whether caller or policy named that circuit, so that running it is what they asked for.
        outline: where there is no circuit, the carried outline of the one that was vouched for: the same header, but
            zeros for weights, so it says what goes in and comes out and can not be run.
        single: whether what vouches for it names this circuit and no other, so that whatever else the caller says of
            "the model" (a commitment to its weights) is about it.
    """

    checks: Sequence[Check]
    circuit: Circuit | None
    vouched: bool
    outline: Circuit | None = None
    single: bool = False

    @property
    def described(self) -> Circuit | None:
        """Ports, tensors and gates; not to be run."""
        return self.circuit or self.outline


def check_model(affidavit: Affidavit, policy: Policy, own: Circuit | None, digest: bytes | None = None) -> ModelFinding:
    """The receipt names a circuit that the verifier holds, knows by its digest, or allows by its policy.

    Raises:
        circuits.MalformedError: a circuit inside the affidavit breaks its grammar.
        MalformedError: ``proof.outline.*``: an outline does.
    """
    claim = affidavit.receipt.model
    short = claim.circuit.hex()[:16]
    circuit, checks = own, []
    named = [None if own is None else own.digest, digest]
    other = next((known for known in named if known is not None and known != claim.circuit), None)
    if other is not None:
        checks.append(
            failed(
                "model.circuit",
                "model.circuit.mismatch",
                short,
                f"{other.hex()[:16]} (the given circuit)",
                remedy="the node ran another model than the one you hold",
            )
        )
        circuit = None
    elif policy.models and claim.circuit not in policy.models:
        checks.append(failed("model.circuit", "model.circuit.not-allowed", short, "a circuit that the policy lists"))
        circuit = None
    elif own is not None or digest is not None or policy.models:
        given = own is not None or digest is not None
        required = f"{short} ({'the given circuit' if given else 'listed in the policy'})"
        checks.append(passed("model.circuit", short, required, method="sha-256", bits=HASH_BITS))
    else:
        checks.append(
            skipped(
                "model.circuit",
                "model.circuit.unknown",
                short,
                "a circuit that the verifier knows",
                remedy="give --model, or list the circuit's digest in the policy",
            )
        )
    vouched = checks[0].passed
    single = vouched and (own is not None or digest is not None or len(policy.models) == 1)
    if circuit is None and vouched:
        carried = affidavit.blob("circuit")
        if carried is not None and (found := circuits.stated_digest(carried)) != claim.circuit:
            # Only what the policy names is worth the time and memory that loading takes.
            checks.append(failed("model.carried", "model.carried.mismatch", found.hex()[:16], short))
        elif carried is not None:
            circuit = circuits.load_circuit(carried)
    outline = None
    if circuit is None and vouched:
        outline, lines = _carried_outline(affidavit)
        checks += lines
    described = circuit or outline
    if described is None:
        missing = "give --model, or an affidavit that carries the circuit"
        checks += [
            skipped(f"model.{part}", "model.circuit.missing", "no circuit at hand", "checked", remedy=missing)
            for part in ("weights", "profile")
        ]
        return ModelFinding(checks, None, vouched, None, single)
    if circuit is not None and (file := hashlib.sha256(circuits.dump_circuit(circuit)).digest()) != claim.file:
        checks.append(failed("model.file", "model.file.mismatch", claim.file.hex()[:16], file.hex()[:16]))
    weights = described.weights_digest if outline is None else _stated_weights(outline)
    if weights == claim.weights:
        checks.append(
            passed(
                "model.weights",
                claim.weights.hex()[:16],
                claim.weights.hex()[:16],
                method="sha-256",
                bits=HASH_BITS,
            )
        )
    else:
        checks.append(
            failed(
                "model.weights",
                "model.weights.mismatch",
                claim.weights.hex()[:16],
                weights.hex()[:16],
            )
        )
    if described.profile == affidavit.receipt.profile:
        checks.append(passed("model.profile", affidavit.receipt.profile, described.profile))
    else:
        checks.append(failed("model.profile", "model.profile.mismatch", affidavit.receipt.profile, described.profile))
    return ModelFinding(checks, circuit, vouched, outline, single)


def _stated_weights(outline: Circuit) -> bytes:
    from verifier.proof.outline import stated_weights

    return stated_weights(outline)


def _carried_outline(affidavit: Affidavit) -> tuple[Circuit | None, list[Check]]:
    """The circuit without its weights, where the file carries it and its digest is that of the vouched circuit."""
    carried, digest = affidavit.blob("outline"), affidavit.receipt.model.circuit
    if carried is None:
        return None, []
    from verifier.proof.outline import load_outline  # the package loads compiled kernels, which takes a while

    short = digest.hex()[:16]
    try:
        outline = load_outline(carried, digest)
    except RejectedError as error:
        return None, [failed("model.outline", error.code, error.message, f"the outline of {short}")]
    return outline, [passed("model.outline", short, short, method="sha-256", bits=HASH_BITS)]
