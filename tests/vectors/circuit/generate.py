# SPDX-License-Identifier: AGPL-3.0-or-later
"""Write the golden circuit files and their manifest: python -m tests.vectors.circuit.generate [FOLDER].

Positive vectors come with digests and with the reference's output on a fixed input. Each negative vector is
`tiny.circuit` with exactly one defect, and names the code that must refuse it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from circuits import Circuit, dump_circuit, evaluate
from circuits.canonical_cbor import decode, encode
from tests.circuits.samples import every_gate, small_net, tiny

HERE = Path(__file__).resolve().parent
Fields = dict[str, Any]


def assemble(header: bytes, constants: bytes) -> bytes:
    """A file around any header."""
    return b"AFFCIRC1" + len(header).to_bytes(4, "little") + header + constants


def body(circuit: Circuit) -> bytes:
    """The constants' bytes."""
    return b"".join(c.raw for c in circuit.constants)


def changed(edit: Callable[[Fields], object]) -> bytes:
    """`tiny` with its header edited and encoded canonically again."""
    circuit = tiny()
    fields: Any = decode(circuit.header, max_depth=8, max_items=10_000)
    edit(fields)
    return assemble(encode(fields), body(circuit))


def patched(old: bytes, new: bytes) -> bytes:
    """`tiny` with the first occurrence of some header bytes replaced."""
    circuit = tiny()
    if old not in circuit.header:
        raise ValueError("the bytes to replace are not in the header")
    return assemble(circuit.header.replace(old, new, 1), body(circuit))


def add_constant(fields: Fields) -> None:
    """A second copy of the shift, which nothing reads."""
    fields["constants"].append(["idle", *fields["constants"][2][1:]])


def widened() -> bytes:
    """`tiny` with its shift stored as i16, with the right digest."""
    raw = body(tiny())
    shift = np.int16(4).astype("<i2").tobytes()
    fields: Any = decode(tiny().header, max_depth=8, max_items=10_000)
    fields["constants"][2][1] = "i16"
    fields["constants"][2][3] = hashlib.sha256(shift).digest()
    return assemble(encode(fields), raw[:-1] + shift)


def negatives() -> dict[str, tuple[str, str, bytes]]:
    """name -> (code, the one defect, file)."""
    good = dump_circuit(tiny())
    header = tiny().header
    deep = encode({"a": [[[[[[[[[[]]]]]]]]]]})
    return {
        "magic": ("circuit.container.magic", "first byte of the magic", b"B" + good[1:]),
        "version": ("circuit.container.unknown-version", "magic AFFCIRC2", b"AFFCIRC2" + good[8:]),
        "empty": ("circuit.container.truncated", "no bytes at all", b""),
        "cut-header": ("circuit.container.truncated", "ends inside the header", good[:100]),
        "cut-constants": ("circuit.container.truncated", "last byte missing", good[:-1]),
        "trailing": ("circuit.container.trailing", "one byte too many", good + b"\0"),
        "header-length": ("circuit.header.too-large", "header length 2^32 - 1", good[:8] + b"\xff" * 4 + good[12:]),
        "cbor-trailing": (
            "circuit.cbor.trailing",
            "a null after the header map",
            assemble(header + b"\xf6", body(tiny())),
        ),
        "cbor-truncated": ("circuit.cbor.truncated", "header map without its end", assemble(header[:-1], body(tiny()))),
        "cbor-long-integer": (
            "circuit.cbor.not-canonical",
            "3 in two bytes",
            patched(b"\x61x\x81\x03", b"\x61x\x81\x18\x03"),
        ),
        "cbor-long-float": (
            "circuit.cbor.not-canonical",
            "0.125 as float32",
            patched(b"\xf9\x30\x00", b"\xfa\x3e\x00\x00\x00"),
        ),
        "cbor-indefinite": (
            "circuit.cbor.type",
            "a shape of indefinite length",
            patched(b"\x61x\x81\x03", b"\x61x\x9f\x03\xff"),
        ),
        "cbor-tag": ("circuit.cbor.type", "a tagged shape", patched(b"\x61x\x81\x03", b"\x61x\xc1\x81\x03")),
        "cbor-deep": ("circuit.cbor.too-deep", "nesting of eleven", assemble(deep, b"")),
        "header-list": ("circuit.header.type", "an array instead of the map", assemble(b"\x80", b"")),
        "format": (
            "circuit.header.unknown-format",
            "format circuit@v2",
            changed(lambda f: f.update(format="circuit@v2")),
        ),
        "missing-field": ("circuit.header.fields", "no quality", changed(lambda f: f.pop("quality"))),
        "unknown-field": ("circuit.header.fields", "a field more", changed(lambda f: f.update(extra=1))),
        "integer-scale": (
            "circuit.header.type",
            "an integer as scale",
            changed(lambda f: f["inputs"][0].__setitem__(3, 1)),
        ),
        "empty-name": ("circuit.header.name", "empty input name", changed(lambda f: f["inputs"][0].__setitem__(0, ""))),
        "profile": (
            "circuit.profile.unknown",
            "profile int-shift-floor@v2",
            changed(lambda f: f.update(profile="int-shift-floor@v2")),
        ),
        "constant-bit": (
            "circuit.constant.digest-mismatch",
            "one bit of a weight",
            good[:-16] + bytes([good[-16] ^ 1]) + good[-15:],
        ),
        "constant-wide": ("circuit.constant.not-canonical", "i16 where i8 would do", widened()),
        "constant-shape": (
            "circuit.constant.shape",
            "a size of zero",
            changed(lambda f: f["constants"][2].__setitem__(2, [0])),
        ),
        "unused-constant": ("circuit.container.truncated", "a constant without bytes", changed(add_constant)),
        "idle-constant": (
            "circuit.graph.unused",
            "a constant that nothing reads",
            changed(add_constant) + tiny().constants[2].raw,
        ),
        "dead-gate": ("circuit.graph.unused", "the output skips the last gate", changed(skip_last_gate)),
        "gate-order": (
            "circuit.graph.order",
            "a gate says another output",
            changed(lambda f: f["gates"][0].__setitem__(3, 2)),
        ),
        "forward": (
            "circuit.graph.index",
            "a gate reads its own output",
            changed(lambda f: f["gates"][0].__setitem__(2, [1])),
        ),
        "gate-name": (
            "circuit.graph.name",
            "a gate's name is not its tensor's",
            changed(lambda f: f["gates"][0].__setitem__(1, "fd")),
        ),
        "same-name": (
            "circuit.graph.name",
            "two constants of one name",
            changed(lambda f: f["constants"][1].__setitem__(0, "fc.weight")),
        ),
        "no-outputs": ("circuit.graph.empty", "no outputs", changed(lambda f: f.update(outputs=[]))),
        "extra-tensor": (
            "circuit.graph.tensor-count",
            "a tensor too many",
            changed(lambda f: f["tensors"].append(["z", [1], 0, 1])),
        ),
        "gate-kind": ("circuit.gate.unknown", "kind densf", changed(lambda f: f["gates"][0].__setitem__(0, "densf"))),
        "gate-arity": (
            "circuit.gate.arity",
            "requant of two tensors",
            changed(lambda f: f["gates"][1].__setitem__(2, [1, 0])),
        ),
        "attribute": ("circuit.gate.attribute", "no hi", changed(lambda f: f["gates"][1][5].pop("hi"))),
        "gate-shape": (
            "circuit.gate.shape",
            "an input of four elements",
            changed(lambda f: f["tensors"][0].__setitem__(1, [4])),
        ),
        "too-wide": (
            "circuit.bounds.too-wide",
            "an input of 52 bits",
            changed(lambda f: f["tensors"][0].__setitem__(3, 1 << 52)),
        ),
        "tensor-shape": (
            "circuit.tensor.shape-mismatch",
            "a stated shape",
            changed(lambda f: f["tensors"][2].__setitem__(1, [3])),
        ),
        "tensor-bounds": (
            "circuit.tensor.bounds-mismatch",
            "a stated bound",
            changed(lambda f: f["tensors"][1].__setitem__(3, 99999)),
        ),
        "input-shape": (
            "circuit.tensor.shape",
            "an input of size zero",
            changed(lambda f: f["tensors"][0].__setitem__(1, [0])),
        ),
        "input-bounds": (
            "circuit.tensor.bounds",
            "lo above hi",
            changed(lambda f: f["tensors"][0].__setitem__(2, 128)),
        ),
        "port-dtype": (
            "circuit.port.dtype",
            "dtype complex64",
            changed(lambda f: f["inputs"][0].__setitem__(2, "complex64")),
        ),
        "port-scale": ("circuit.port.range", "scale 0", changed(lambda f: f["inputs"][0].__setitem__(3, 0.0))),
        "port-range": (
            "circuit.port.range-mismatch",
            "output range",
            changed(lambda f: f["outputs"][0].__setitem__(5, 1.0)),
        ),
    }


def skip_last_gate(fields: Fields) -> None:
    """The output port at the tensor before the last, with its range."""
    _, lo, hi = fields["tensors"][1][1:]
    scale = fields["outputs"][0][3]
    fields["outputs"][0][1] = 1
    fields["outputs"][0][4:] = [lo * scale, hi * scale]


def fixed_inputs(circuit: Circuit) -> dict[str, np.ndarray]:
    """Two samples: a ramp through the bounds, and the bounds in turn."""
    arrays = {}
    for port in circuit.inputs:
        t = circuit.tensors[port.tensor]
        ramp = t.lo + np.arange(t.elements, dtype=np.int64) * 7 % (t.hi - t.lo + 1)
        ends = np.where(np.arange(t.elements) % 2 == 0, t.lo, t.hi)
        arrays[port.name] = np.stack([ramp, ends]).reshape(2, *t.shape)
    return arrays


def positive(name: str, circuit: Circuit) -> dict[str, object]:
    """The manifest entry of a good circuit."""
    tensors = evaluate(circuit, fixed_inputs(circuit))
    trace = hashlib.sha256(b"".join(t.astype("<i8").tobytes() for t in tensors)).hexdigest()
    return {
        "file": f"{name}.circuit",
        "digest": circuit.digest.hex(),
        "weights_digest": circuit.weights_digest.hex(),
        "trace_sha256": trace,
        "outputs": {p.name: tensors[p.tensor].ravel().tolist() for p in circuit.outputs},
    }


def generate(folder: Path) -> None:
    """Write everything into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    good = {"tiny": tiny(), "small-net": small_net(), "every-gate": every_gate()}
    manifest: dict[str, object] = {
        "provenance": "synthetic; python -m tests.vectors.circuit.generate",
        "accept": [positive(name, circuit) for name, circuit in good.items()],
        "refuse": [
            {"file": f"bad-{name}.circuit", "code": code, "defect": defect}
            for name, (code, defect, _) in negatives().items()
        ],
    }
    for name, circuit in good.items():
        (folder / f"{name}.circuit").write_bytes(dump_circuit(circuit))
    for name, (_, _, data) in negatives().items():
        (folder / f"bad-{name}.circuit").write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
