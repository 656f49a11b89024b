# SPDX-License-Identifier: AGPL-3.0-or-later
"""A proof with its statement in one file (``proof-file@v1``), for proofs that travel without an affidavit.

::

    file = "AFFPRFL1" || u32 length || header || input opening || output opening || outline || proof
    header (canonical JSON) = {"circuit", "context", "mode", "weights", "sizes": [input, output, outline, proof]}

``weights`` is the commitment that a proof in mode ``committed`` speaks of, and the outline the circuit without its
weights; ``null`` and empty in mode ``held``. Nothing in the
file is believed: the verifier compares the circuit's digest with its own, and the commitment with one that it has
from somebody it trusts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from verifier import strict_json
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.tensors import Opening, decode_tensors

MAGIC = b"AFFPRFL1"
CODE = "proof.file.malformed"
MODES = ("held", "committed")
MAX_PART = 1 << 30


@dataclass(frozen=True)
class ProofFile:
    """What is claimed, and the proof of it.

    Attributes:
        circuit: digest, 32 bytes.
        context: 32 bytes that the proof was made for.
        mode: ``held`` or ``committed``.
        weights: the commitment of mode ``committed``; ``None`` otherwise.
        inputs, outputs: integers by port name, batch first.
        outline: the circuit without its weights (:mod:`verifier.proof.outline`) in mode ``committed``; else empty.
        proof: the proof's bytes.
    """

    circuit: bytes
    context: bytes
    mode: str
    weights: bytes | None
    inputs: Opening
    outputs: Opening
    outline: bytes
    proof: bytes

    def encode(self) -> bytes:
        """The file's bytes."""
        parts = [self.inputs.encode(), self.outputs.encode(), self.outline, self.proof]
        header: dict[str, Any] = {
            "circuit": self.circuit.hex(),
            "context": self.context.hex(),
            "mode": self.mode,
            "weights": None if self.weights is None else self.weights.hex(),
            "sizes": [len(part) for part in parts],
        }
        raw = strict_json.dumps(header)
        return MAGIC + struct.pack("<I", len(raw)) + raw + b"".join(parts)


def parse_proof_file(data: bytes) -> ProofFile:
    """Read a proof file.

    Raises:
        MalformedError: ``proof.file.malformed``, ``affidavit.tensors.malformed``.
    """
    start = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise MalformedError(CODE, "not a proof file: wrong magic")
    end = start + struct.unpack("<I", data[len(MAGIC) : start])[0]
    raw = data[start:end]
    fields = Fields.of(strict_json.loads(raw, code=CODE, what="header"), "header", CODE)
    fields.exactly({"circuit", "context", "mode", "weights", "sizes"})
    mode = fields.text("mode")
    if mode not in MODES:
        raise fields.fail("mode", f"one of {MODES}")
    weights = None if fields.value["weights"] is None else fields.digest("weights")
    if (mode == "committed") != (weights is not None):
        raise fields.fail("weights", "a commitment in mode committed, null in mode held")

    def size(value: Any, path: str) -> int:
        if type(value) is not int or not 0 <= value <= MAX_PART:
            raise MalformedError(CODE, f"{path}: a size in bytes expected")
        return value

    sizes = fields.list("sizes", size, limit=4)
    if len(sizes) != 4 or end + sum(sizes) != len(data):
        raise MalformedError(CODE, f"{len(data)} bytes, the header promises another number")
    first, second = end + sizes[0], end + sizes[0] + sizes[1]
    third = second + sizes[2]
    if (mode == "committed") != (sizes[2] > 0):
        raise fields.fail("sizes", "an outline in mode committed, none in mode held")
    found = ProofFile(
        fields.digest("circuit"),
        fields.digest("context"),
        mode,
        weights,
        decode_tensors(data[end:first]),
        decode_tensors(data[first:second]),
        data[second:third],
        data[third:],
    )
    if found.encode() != data:
        raise MalformedError(CODE, "the header is not in the canonical form")
    return found
