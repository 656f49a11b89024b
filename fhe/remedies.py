# SPDX-License-Identifier: AGPL-3.0-or-later
"""What to do about an error that says nothing of its own: by its code, or else by the code's family."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PART = "`affidavit fhe plan` says which part of the circuit can run encrypted"
_PRESETS = "`affidavit fhe presets` lists what there is"

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "fhe.answer": "ask again; a node that answers so twice does not keep to the interface",
        "fhe.ciphertext": "send what `Session.encrypt` made, whole and unaltered (docs/spec/fhe-ciphertexts-v1.md)",
        "fhe.ciphertext.too-large": "send fewer samples in one request",
        "fhe.ciphertext.transparent": "encrypt afresh; what an encryptor made, and nobody altered, is never so",
        "fhe.input.range": "give values within the model's range, or compile the model for a wider one",
        "fhe.input.shape": "give integers, samples first; `circuits.encode_inputs` makes them of real values",
        "fhe.interface": "take the interface from a plan of the circuit (docs/spec/fhe-interface-v1.md)",
        "fhe.keyfile.malformed": "name a file to which a session was saved",
        "fhe.keyfile.unopened": "give the passphrase under which it was saved; nothing else opens it",
        "fhe.keys": "send what `Session.evaluation_keys` made for this interface (docs/spec/fhe-keys-v1.md)",
        "fhe.keys.no-rotation": "take the interface from a plan: it asks for rotations alone",
        "fhe.network": _PART,
        "fhe.parameters": f"take a preset: {_PRESETS}",
        "fhe.plan.depth": f"choose a preset for more multiplications, or a part: {_PART}",
        "fhe.plan.noise": "use fewer bits for weights or inputs, or another preset",
        "fhe.plan.packing": "use fewer samples, or name no preset: then any that fits is taken",
        "fhe.plan.precision": "use fewer bits for weights or inputs, or calibrate the plan",
        "fhe.plan.range": "use fewer bits for weights or inputs, or another preset",
        "fhe.plan.spec": "take the description from a plan of this circuit (`EncryptedPlan.spec`)",
        "fhe.preset": _PRESETS,
        "fhe.privacy": f"choose a preset that can protect a model: {_PRESETS}",
        "fhe.request": "encrypt for the interface of the plan that the request names",
        "fhe.residue": "send ciphertexts and keys as they were made, whole and unaltered",
        "fhe.seed": "give the 32 bytes that the node opened for this answer, and only where replies are protected",
        "fhe.session": "make a session of the interface's preset",
        "fhe.tenseal": "make context and tensor as the node's plan at /v1/models/DIGEST/tenseal says",
        "fhe.worker.circuit": "give the node the model again",
        "fhe.worker.closed": "make a new pool",
        "fhe.worker.died": "ask again, of a new worker; if it dies as well, look at the machine's memory",
        "fhe.worker.garbled": "ask again, of a new worker",
        "fhe.worker.memory": "send fewer samples in one request, or ask a node with more memory",
        "fhe.worker.sandbox": "run the node on Linux with seccomp, and not where a container forbids it",
        "fhe.worker.timeout": "send fewer samples in one request, or choose a cheaper preset",
    }
)


def remedy_of(code: str) -> str:
    """What helps in general; empty where only whoever raises it knows."""
    return REMEDIES.get(code) or REMEDIES.get(code.rpartition(".")[0], "")
