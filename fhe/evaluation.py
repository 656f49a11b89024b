# SPDX-License-Identifier: AGPL-3.0-or-later
"""Limbs in, limbs out: one plan under one session's keys. On a node this runs in a sandboxed worker only."""

from __future__ import annotations

import hashlib

from fhe.errors import MalformedError, RejectedError
from fhe.packing.coefficient import CoefficientLayer
from fhe.packing.columns import ColumnNetwork
from fhe.packing.slots import SlotNetwork
from fhe.planning import EncryptedPlan
from fhe.privacy import SEED_BYTES, Flooding
from fhe.ring import Ring
from fhe.wire import Ciphertexts, EvaluationKeys

__all__ = ["Evaluation"]


class Evaluation:
    """A plan with its weights encoded and a session's keys prepared.

    Raises:
        RejectedError: ``fhe.keys.preset-mismatch``.
        MalformedError: ``fhe.keys.missing``.
    """

    def __init__(self, plan: EncryptedPlan, keys: EvaluationKeys) -> None:
        if keys.preset != plan.preset:
            raise RejectedError("fhe.keys.preset-mismatch", f"keys for {keys.preset.name}; required {plan.preset.name}")
        self.plan, self.keys_digest = plan, keys.digest
        check_keys(plan, keys)
        self.network: CoefficientLayer | ColumnNetwork | SlotNetwork
        if plan.packing == "coefficient":
            self.network = CoefficientLayer(plan.network, plan.interface)
        elif plan.packing == "columns":
            self.network = ColumnNetwork(plan.network, plan.interface, keys)
        else:
            self.network = SlotNetwork(plan.network, plan.interface, keys)
        self._flooding = None
        if plan.private and keys.public is not None:
            self._flooding = Flooding(Ring(plan.preset), plan, keys.public)

    def run(self, request: Ciphertexts, seed: bytes | None = None) -> Ciphertexts:
        """The answer: a pure function of request, keys, plan and seed.

        Raises:
            RejectedError: ``fhe.request.mismatch`` (preset, count, level or scale are not the interface's).
            MalformedError: ``fhe.ciphertext.transparent`` (masks that cancel out where BFV squares);
                ``fhe.seed.length``: a seed is required for a private plan, and refused for others.
        """
        check_request(self.plan, request)
        if (seed is not None) != self.plan.private or (seed is not None and len(seed) != SEED_BYTES):
            raise MalformedError("fhe.seed.length", f"a private plan takes a seed of {SEED_BYTES} bytes, others none")
        limbs = self.network.evaluate(request.limbs)
        if self._flooding is not None and seed is not None:
            limbs = self._flooding.apply(limbs, seed, binding_of(self.plan, request, self.keys_digest))
        return Ciphertexts(self.plan.preset, limbs, self.plan.interface.output_scale)


def binding_of(plan: EncryptedPlan, request: Ciphertexts, keys_digest: bytes) -> bytes:
    """SHA-256 over circuit, interface, request and keys: what a reply's noise is bound to."""
    parts = (plan.circuit_digest, plan.interface.digest, request.digest, keys_digest)
    return hashlib.sha256(b"affidavit/fhe-reply@v1\0" + b"".join(parts)).digest()


def check_request(plan: EncryptedPlan, request: Ciphertexts) -> None:
    """Raises RejectedError (``fhe.request.mismatch``)."""
    interface = plan.interface
    expected = (interface.preset.name, interface.sent, interface.preset.levels, interface.input_scale)
    observed = (request.preset.name, request.count, request.level, request.scale)
    if observed != expected:
        raise RejectedError(
            "fhe.request.mismatch", f"preset, ciphertexts, level, scale {observed}; required {expected}"
        )


def check_keys(plan: EncryptedPlan, keys: EvaluationKeys) -> None:
    """Raises MalformedError (``fhe.keys.missing``, ``.surplus``): exactly what the interface demands."""
    demand = plan.interface.keys
    held = (keys.public is not None, 0 if keys.relin is None else len(keys.relin))
    galois = {element: len(key) for element, key in keys.galois.items()}
    if held == (demand.public, demand.relin) and galois == dict(demand.galois):
        return
    short = (
        held[0] < demand.public or held[1] < demand.relin or any(galois.get(e, 0) < d for e, d in demand.galois.items())
    )
    code = "fhe.keys.missing" if short else "fhe.keys.surplus"
    raise MalformedError(
        code,
        f"public {held[0]}, relin {held[1]}, {len(galois)} Galois keys; required {demand.public}, "
        f"{demand.relin}, {len(demand.galois)} with the interface's digits",
    )
