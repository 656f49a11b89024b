# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is believed: affidavits, evidence and executions in, verdicts out.

::

    context = H(nonce, policy, circuit, weights, profile, input, keys)      what was asked        context.py
    trace   = MerkleRoot(H(tensor_0), ..., H(tensor_n))                     what was computed     trace.py
    receipt = Sign_node(context, input, output, trace, evidence, ...)       what is claimed       receipt.py
    verdict = decide(receipt, evidence(context), recompute(circuit, input), policy, at)          verify.py

==============  =========================================================================
module          holds
==============  =========================================================================
verify          the one decision: bytes -> verdict, checks, ledger, score, answer
identity        signature, signer, context, nonce, time, model
answer          input and output against their commitments
execution       trace commitment, recomputation, other parties' rechecks
proving, proof/ succinct proofs: bound to the receipt; the protocol and its verifier
evidence        what the machine says, by way of ``attestation``
policy          what is demanded (TOML)
ledger, score   which assurance was reached; the integrity score
affidavit       the file: manifest, envelopes, blobs; ``container`` is the zip around it
receipt, recheck, statement, dsse   what gets signed
tensors, trace, context, keys       what digests and signatures cover
verdict, codes, errors              the vocabulary
==============  =========================================================================

The core is pure: time, roots, policy and nonce are arguments. It has no clock, network, environment,
database or global state, is total on hostile bytes, and imports numpy, cryptography, a CBOR reader,
``circuits`` and the pure part of ``attestation``; never ``prover``. ``verifier.service`` is the server
around it and not part of it.

It does *not* check: that the weights are the ones somebody trained, that the hardware resists its owner,
that a rechecker named in the policy is honest, or zero-knowledge of anything (see docs/limits.md).
"""

from __future__ import annotations

from verifier.affidavit import Affidavit, read_affidavit, write_affidavit
from verifier.errors import MalformedError, OperationalError, RejectedError, UnsupportedError, VerifierError
from verifier.policy import DEFAULT_POLICY, Policy, parse_policy
from verifier.receipt import Receipt
from verifier.tensors import Opening
from verifier.verdict import Check, Outcome, Verdict
from verifier.verify import Known, Result, verify

__all__ = [
    "DEFAULT_POLICY",
    "Affidavit",
    "Check",
    "Known",
    "MalformedError",
    "Opening",
    "OperationalError",
    "Outcome",
    "Policy",
    "Receipt",
    "RejectedError",
    "Result",
    "UnsupportedError",
    "Verdict",
    "VerifierError",
    "parse_policy",
    "read_affidavit",
    "verify",
    "write_affidavit",
]
