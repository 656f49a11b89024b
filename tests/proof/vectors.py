# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stored proofs: what a release proved must verify for ever.

``python -m tests.proof.vectors`` compares the stored files with new ones; ``--write`` replaces them.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np

from circuits import dump_circuit
from prover import commit_weights, prove
from tests.proof.models import CONTEXT, convolutional, mixed, sample
from verifier.proof import dump_outline

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "proof"
CASES = {"convolutional": convolutional, "mixed": mixed}


def files() -> dict[str, bytes]:
    """All vector files by name."""
    out: dict[str, bytes] = {}
    manifest: dict[str, dict[str, object]] = {}
    for name, make in CASES.items():
        circuit = make()
        inputs = sample(circuit, 2)
        out[f"{name}.circuit"], out[f"{name}.outline"] = dump_circuit(circuit), dump_outline(circuit)
        for mode in ("held", "committed"):
            proof = prove(circuit, inputs, context=CONTEXT, mode="held" if mode == "held" else "committed")
            out[f"{name}.{mode}.proof"] = proof.bytes
            manifest[f"{name}.{mode}"] = {
                "circuit": circuit.digest.hex(),
                "context": CONTEXT.hex(),
                "weights_commitment": commit_weights(circuit).root.hex() if mode == "committed" else None,
                "verdict": "ACCEPT",
            }
            for key, arrays in (("inputs", inputs), ("outputs", proof.outputs)):
                for port, array in arrays.items():
                    stream = io.BytesIO()
                    np.save(stream, array)
                    out[f"{name}.{key}.{port}.npy"] = stream.getvalue()
    out["manifest.json"] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    return out


def main() -> int:
    """Compare or write."""
    made = files()
    if "--write" in sys.argv:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, data in made.items():
            (FOLDER / name).write_bytes(data)
        return 0
    different = [n for n, data in made.items() if not (FOLDER / n).exists() or (FOLDER / n).read_bytes() != data]
    print("\n".join(different) or "vectors are as stored")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
