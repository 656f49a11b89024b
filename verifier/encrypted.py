# SPDX-License-Identifier: AGPL-3.0-or-later
"""The receipt's FHE section: what a node says of an execution on ciphertexts (``affidavit@v1``, section 9).

Ciphertexts and keys are named by the SHA-256 of their one encoding (`fhe-ciphertexts@v1`, `fhe-keys@v1`). A request in
ciphertext has no tensors to commit to, so the receipt's two commitments are::

    input  = SHA-256("affidavit/encrypted-input@v1" || 0x00 || interface || keys || request || seed)
    output = answer
    trace  = the tree over the two leaves input, output

with 32 bytes each, zeros for a seed that there is none of. Everything that decides the answer, the circuit apart, is in
``input``, and so in the context that evidence is bound to before anything runs. Nothing here reads a ciphertext:
digests alone are compared, and no key of any kind is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from circuits import Circuit
from verifier import trace
from verifier.fields import Fields

LABEL = b"affidavit/encrypted-input@v1\x00"
MAX_LAYERS = 1024
MAX_TENSOR = 1 << 16
MAX_MAGNITUDES = 16
NO_SEED = bytes(32)
LEAVES = 2
PACKINGS = ("coefficient", "columns", "diagonals")
SECURITY_BITS = 128
"""Of every preset, classical: the Homomorphic Encryption Standard's table 1, checked where :mod:`fhe` starts."""

PRESETS: Mapping[str, tuple[str, str]] = {
    "batch-lin": ("bfv", "ba945f7ae60e3610d40202f21aac1e8bfcf8d729ab6943b1d4886f27af6c0d40"),
    "batch-mlp-ckks": ("ckks", "9101ed118deae544ef49e6990a2a6bfe5e440830efaa0c4c2261ba70c560812c"),
    "batch-mlp-exact": ("bfv", "69cfd5fa906ea688c365fb54edeb86b87c45d281557aa11eff763e2c11b27a5a"),
    "card-8192": ("bfv", "adebd3d0386d440dc4ed19b0de653761da669db230dc4852ba93aa5bb5f1a623"),
    "cnn1": ("ckks", "ae00f1c5ad7d7ec32e62a91593bcb35950b886eb52d9e8e1cfdbe6e2fc47e35e"),
    "lin6-public": ("bfv", "9f4ae83efb16e8204a9eb414e14c468c653b1976c98aee11661971da7db8a444"),
    "lin8": ("bfv", "c0056ba2c64bf0aa8facd427d5b66cf24dc8a6359a406383485f19ad29ba4cce"),
    "mlp1": ("ckks", "7aa7d7caf0280e713789644c338ce79618048c0507bc563ea8f761ee4109b10e"),
}
"""Preset -> scheme, and the digest of its parameters in hex. :mod:`fhe.presets` has the parameters; a test compares."""


@dataclass(frozen=True)
class EncryptedRequest:
    """What fixes an encrypted request beside its circuit; digests of 32 bytes.

    Attributes:
        interface: of what both sides know of packing and layout (`fhe-interface@v1`).
        keys, request: of the session's evaluation keys and of the ciphertexts.
        seed: commitment to the flooding seed of protected replies; zeros where there is none.
    """

    interface: bytes
    keys: bytes
    request: bytes
    seed: bytes = NO_SEED

    @property
    def commitment(self) -> bytes:
        """The receipt's ``input``: 32 bytes."""
        return hashlib.sha256(LABEL + self.interface + self.keys + self.request + self.seed).digest()


@dataclass(frozen=True)
class FheClaim:
    """The section.

    Attributes:
        scheme, preset, parameters: by name, and the digest of degree and moduli.
        packing: of :data:`PACKINGS`.
        first, last: the circuit's tensors that came encrypted and that go back encrypted.
        magnitudes: CKKS: what the values of each linear layer were expected to stay within; none: the circuit's bounds.
        layers: names of the gates between them, in the circuit's order: what ran on ciphertexts.
        inputs: what the answer was computed from.
        answer: SHA-256 of the ciphertexts that went back.
    """

    scheme: str
    preset: str
    parameters: bytes
    packing: str
    first: int
    last: int
    magnitudes: tuple[int, ...]
    layers: tuple[str, ...]
    inputs: EncryptedRequest
    answer: bytes

    @property
    def protected(self) -> bool:
        """Whether replies are re-randomised and flooded, so that they show nothing else of the model."""
        return self.inputs.seed != NO_SEED

    @property
    def leaves(self) -> tuple[bytes, bytes]:
        """Leaves of the trace of an execution on ciphertexts."""
        return self.inputs.commitment, self.answer

    @property
    def root(self) -> bytes:
        """The trace's root."""
        return trace.root(self.leaves)

    def as_json(self) -> dict[str, Any]:
        """The section as it stands in the receipt."""
        return {
            "scheme": self.scheme,
            "preset": self.preset,
            "parameters": self.parameters.hex(),
            "packing": self.packing,
            "replies": "protected" if self.protected else "bare",
            "first": self.first,
            "last": self.last,
            "magnitudes": list(self.magnitudes),
            "layers": list(self.layers),
            "interface": self.inputs.interface.hex(),
            "keys": self.inputs.keys.hex(),
            "request": self.inputs.request.hex(),
            "answer": self.answer.hex(),
            "seed": self.inputs.seed.hex() if self.protected else None,
        }


_KEYS = {
    "scheme", "preset", "parameters", "packing", "replies", "first", "last", "magnitudes", "layers", "interface",
    "keys", "request", "answer", "seed",
}  # fmt: skip


def parse_fhe(fields: Fields) -> FheClaim:
    """Read the section. Raises MalformedError with the code of ``fields``."""
    fields.exactly(_KEYS)
    if fields.value["scheme"] not in ("bfv", "ckks"):
        raise fields.fail("scheme", "bfv or ckks")
    if fields.value["packing"] not in PACKINGS:
        raise fields.fail("packing", f"one of {PACKINGS}")
    seed = NO_SEED if fields.value["seed"] is None else fields.digest("seed")
    if fields.value["replies"] != ("bare" if seed == NO_SEED else "protected"):
        raise fields.fail("replies", "protected with a commitment to a seed, bare without")
    first = fields.integer("first", 0, MAX_TENSOR)

    def name(value: Any, path: str) -> str:
        return Fields({"name": value}, path, fields.code).text("name")

    def magnitude(value: Any, path: str) -> int:
        return Fields({"value": value}, path, fields.code).integer("value", 1, 1 << 53)

    return FheClaim(
        fields.identifier("scheme"),
        fields.identifier("preset"),
        fields.digest("parameters"),
        fields.identifier("packing"),
        first,
        fields.integer("last", first + 1, MAX_TENSOR),
        fields.list("magnitudes", magnitude, limit=MAX_MAGNITUDES),
        fields.list("layers", name, limit=MAX_LAYERS),
        EncryptedRequest(fields.digest("interface"), fields.digest("keys"), fields.digest("request"), seed),
        fields.digest("answer"),
    )


def encrypted_gates(circuit: Circuit, first: int, last: int) -> tuple[str, ...]:
    """Names of the gates that tensor ``last`` needs, without those that ``first`` is made from; the circuit's order."""
    needed, names = {last}, []
    for gate in reversed(circuit.gates):
        if gate.output in needed and gate.output > first:
            names.append(gate.name)
            needed.update(gate.inputs)
    return tuple(reversed(names))
