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
    """

    checks: Sequence[Check]
    circuit: Circuit | None
    vouched: bool


def check_model(affidavit: Affidavit, policy: Policy, own: Circuit | None) -> ModelFinding:
    """The receipt names a circuit that the verifier holds or its policy allows.

    Raises:
        circuits.MalformedError: a circuit inside the affidavit breaks its grammar.
    """
    claim = affidavit.receipt.model
    short = claim.circuit.hex()[:16]
    circuit, checks = own, []
    if own is not None and own.digest != claim.circuit:
        checks.append(
            failed(
                "model.circuit",
                "model.circuit.mismatch",
                short,
                f"{own.digest.hex()[:16]} (the given circuit)",
                remedy="the node ran another model than the one you hold",
            )
        )
        circuit = None
    elif policy.models and claim.circuit not in policy.models:
        checks.append(failed("model.circuit", "model.circuit.not-allowed", short, "a circuit that the policy lists"))
        circuit = None
    elif own is not None or policy.models:
        required = f"{short} ({'the given circuit' if own is not None else 'listed in the policy'})"
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
    if circuit is None and vouched:
        carried = affidavit.blob("circuit")
        if carried is not None and (found := circuits.stated_digest(carried)) != claim.circuit:
            # Only what the policy names is worth the time and memory that loading takes.
            checks.append(failed("model.carried", "model.carried.mismatch", found.hex()[:16], short))
        elif carried is not None:
            circuit = circuits.load_circuit(carried)
    if circuit is None:
        missing = "give --model, or an affidavit that carries the circuit"
        checks += [
            skipped(f"model.{part}", "model.circuit.missing", "no circuit at hand", "checked", remedy=missing)
            for part in ("weights", "profile")
        ]
        return ModelFinding(checks, None, vouched)
    if (file := hashlib.sha256(circuits.dump_circuit(circuit)).digest()) != claim.file:
        checks.append(failed("model.file", "model.file.mismatch", claim.file.hex()[:16], file.hex()[:16]))
    if circuit.weights_digest == claim.weights:
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
                circuit.weights_digest.hex()[:16],
            )
        )
    if circuit.profile == affidavit.receipt.profile:
        checks.append(passed("model.profile", affidavit.receipt.profile, circuit.profile))
    else:
        checks.append(failed("model.profile", "model.profile.mismatch", affidavit.receipt.profile, circuit.profile))
    return ModelFinding(checks, circuit, vouched)
