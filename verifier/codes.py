# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of the verifying core with its meaning, one line each. Codes are never renamed.

Codes of what the core calls (``circuit.*``, ``input.*``, ``evidence.*``) stand in :mod:`circuits.codes` and
:mod:`attestation.codes`; docs/codes.md lists those of all rooms.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attestation.codes
import circuits.codes

CODES: Mapping[str, str] = MappingProxyType(
    {
        "affidavit.blob.unreferenced": "a blob that neither a role nor the receipt names",
        "affidavit.container.bad-name": "a member name outside the format's grammar",
        "affidavit.container.checksum": "a member's CRC-32 is wrong",
        "affidavit.container.duplicate-name": "two members of one name",
        "affidavit.container.non-canonical": "the zip structure is not the one its members imply",
        "affidavit.container.not-a-container": "the file does not start like an affidavit",
        "affidavit.container.too-large": "the file is larger than the format allows",
        "affidavit.container.too-many-members": "more members than the format allows",
        "affidavit.container.truncated": "the file ends early",
        "affidavit.container.unsorted": "members are not in the order of their names",
        "affidavit.envelope.malformed": "an envelope is not a canonical DSSE envelope with one signature",
        "affidavit.envelope.unknown": "an envelope whose predicate this version does not know; it gives nothing",
        "affidavit.manifest.malformed": "manifest.json breaks its grammar or canonical form",
        "affidavit.manifest.members-differ": "manifest.json and the file do not list the same members",
        "affidavit.manifest.missing": "the file has no manifest.json",
        "affidavit.member.digest-mismatch": "a member's content is not what it is listed as",
        "affidavit.receipt.missing": "the file has no receipt",
        "affidavit.statement.malformed": "a signed payload is not an in-toto statement with one SHA-256 subject",
        "affidavit.tensors.malformed": "an opening breaks its grammar or canonical form",
        "affidavit.version.unknown": "a format version that this reader does not know",
        "answer.fit.mismatch": "the answer has other names, shapes or bounds than the circuit's outputs",
        "answer.output.mismatch": "the offered answer is not the signed one",
        "answer.output.missing": "no answer is at hand that opens the signed commitment",
        "evidence.absent": "the receipt names no evidence",
        "evidence.member.missing": "a part of the evidence is not in the file",
        "evidence.type.not-accepted": "the policy does not accept evidence of this type",
        "evidence.type.unsupported": "this version cannot appraise evidence of this type",
        "model.carried.mismatch": "the circuit in the file is not the one that the receipt names",
        "model.circuit.mismatch": "the receipt names another circuit than the one given",
        "model.circuit.missing": "no copy of the circuit is at hand",
        "model.circuit.not-allowed": "the policy does not list the receipt's circuit",
        "model.circuit.unknown": "nobody but the file says which circuit this is",
        "model.file.mismatch": "the receipt names another circuit file than its circuit's",
        "model.profile.mismatch": "the receipt names another arithmetic profile than its circuit's",
        "model.weights.mismatch": "the receipt names other weights than its circuit's",
        "policy.attested.not-reached": "the policy demands evidence and none was accepted",
        "policy.malformed": "the policy breaks its grammar",
        "policy.private.not-reached": "the policy demands encrypted execution, which this version cannot check",
        "policy.proved.not-reached": "the policy demands a proof and there is none",
        "policy.rechecked.not-reached": "the policy demands a recheck and there is none",
        "policy.score.too-low": "the integrity score is below the policy's minimum",
        "policy.signed.not-reached": "the policy demands a signature of a trusted key and there is none",
        "policy.unsafe.in-production": "unsafe_accept_simulated stands in a policy that is not for development",
        "policy.version.unknown": "a policy format that this reader does not know",
        "proof.circuit.missing": "checking the proof needs the circuit",
        "proof.claims.mismatch": "the committed values do not satisfy the combined claims",
        "proof.file.malformed": "a proof file that breaks its grammar",
        "proof.gate.unsupported": "a gate that this protocol cannot prove",
        "proof.layer.operands": "the operands of a layer do not give its claim",
        "proof.layer.round-mismatch": "a round of a layer's sumcheck does not continue the claim",
        "proof.lookup.children": "the children of a level do not add up to the claim on their parents",
        "proof.lookup.pole": "a lookup denominator is zero",
        "proof.lookup.round-mismatch": "a round of a lookup's sumcheck does not continue the claim",
        "proof.lookup.sum": "the lookup fractions do not add up to zero",
        "proof.missing": "the proof that the receipt names is not in the file",
        "proof.opening.evaluation": "the evaluated row is not that of the opened columns",
        "proof.opening.path": "the opened columns are not under the commitment",
        "proof.opening.proximity": "the random combination of rows is not that of the opened columns",
        "proof.product.operands": "the operands of a product do not give its claim",
        "proof.product.round-mismatch": "a round of a product's sumcheck does not continue the claim",
        "proof.size.unsupported": "a circuit and batch too large for this protocol",
        "proof.soundness.too-low": "a proof of this size would have less than 100 bits",
        "proof.statement.batch": "inputs and outputs of different or impossible batch sizes",
        "proof.statement.bounds": "inputs or outputs outside the circuit's bounds",
        "proof.statement.context": "a context that is not 32 bytes",
        "proof.statement.missing": "checking the proof needs input and answer",
        "proof.statement.names": "inputs or outputs of other names than the circuit's",
        "proof.statement.shape": "inputs or outputs of other shapes than the circuit's",
        "proof.system.unsupported": "a proof system or mode that this version cannot check",
        "proof.weights.mismatch": "the committed weights do not satisfy the claims on them",
        "proof.weights.unknown": "a proof about committed weights, and no commitment to compare with",
        "proof.wire.element": "a field element that is not below the modulus",
        "proof.wire.magic": "the bytes do not begin like a proof",
        "proof.wire.too-large": "a proof over the size limit",
        "proof.wire.trailing": "bytes behind the last message",
        "proof.wire.truncated": "the proof ends early",
        "receipt.context.mismatch": "the context is not the digest of the receipt's own fields",
        "receipt.fallback.unsupported": "a fallback section, which this version cannot check",
        "receipt.fhe.unsupported": "an encrypted-execution section, which this version cannot check",
        "receipt.hops.unsupported": "a section on shards, which this version cannot check",
        "receipt.malformed": "the receipt breaks its grammar",
        "receipt.signature.invalid": "the signature does not verify under the key that the receipt names",
        "receipt.signer.not-allowed": "the policy lists node keys, and this is none of them",
        "receipt.signer.unknown": "the key is neither listed in the policy nor bound to accepted evidence",
        "receipt.time.future": "the receipt says that it was completed after the time of the question",
        "receipt.time.invalid": "the receipt's times are no times or in the wrong order",
        "receipt.time.too-old": "the receipt is older than the policy allows",
        "receipt.version.unknown": "a receipt type that this reader does not know",
        "recheck.circuit.missing": "recomputing needs the circuit",
        "recheck.disagrees": "a rechecker whom the policy lists computed something else",
        "recheck.input.missing": "recomputing needs the input",
        "recheck.receipt.mismatch": "a recheck statement speaks of another receipt",
        "recheck.signer.unknown": "a recheck statement of somebody whom the policy does not list; it gives nothing",
        "recheck.statement.malformed": "a recheck statement breaks its grammar",
        "recheck.too-expensive": "recomputing would take more operations than the policy allows",
        "recheck.trace.mismatch": "recomputing gives other tensors than the node committed to",
        "request.fit.mismatch": "the input in the file has other names, shapes or bounds than the circuit's inputs",
        "request.input.mismatch": "the receipt commits to another input than the verifier's",
        "request.input.unknown": "nobody but the file says what the input was",
        "request.nonce.mismatch": "an answer to a request with another nonce",
        "request.nonce.unknown": "nobody but the file says what the nonce was",
        "trace.input.mismatch": "the trace starts from another input than the committed one",
        "trace.leaves.malformed": "the trace blob is not a list of digests",
        "trace.leaves.mismatch": "the trace blob is not the signed one",
        "trace.leaves.missing": "the file carries no trace leaves",
        "trace.length.mismatch": "the trace has another number of tensors than the circuit",
        "trace.output.mismatch": "the trace ends in another answer than the committed one",
        "trace.root.mismatch": "the leaves do not give the signed root",
    }
)


def explain(code: str) -> str:
    """The meaning of a code that the core or what it calls can produce; the code itself where it is not known."""
    for codes in (CODES, circuits.codes.CODES, attestation.codes.CODES):
        if code in codes:
            return codes[code]
    return code
