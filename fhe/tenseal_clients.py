# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that only have TenSEAL: its encrypted tensors and vectors in, the same out.

A batched ``bfv_tensor`` or ``ckks_tensor`` of shape [samples, inputs] holds one ciphertext per input with the samples
in its slots, which is the `columns` packing. A ``ckks_vector`` of whole ciphertexts holds its values in the slots, in
order, which is the `diagonals` packing where the client has put them in the places of ``Interface.gather``.

Bytes are taken apart by :mod:`fhe.protobuf` and :mod:`fhe.seal_objects`, field by field; TenSEAL itself, which crashes
on malformed messages, is not used. On a node reading happens in a worker alone. Writing makes one encoding,
uncompressed, so an answer has a digest that whoever executes again arrives at.
"""

from __future__ import annotations

import numpy as np

from fhe.errors import MalformedError, UnsupportedError
from fhe.interface import Interface
from fhe.limits import MAX_CIPHERTEXTS
from fhe.protobuf import Fields, malformed, tagged, varint
from fhe.seal_objects import dump_ciphertext, read_ciphertext
from fhe.wire import Ciphertexts

__all__ = ["is_tenseal", "kind_of", "read_tenseal", "write_tenseal"]

_KINDS = {
    ("columns", "bfv"): "bfv_tensor",
    ("columns", "ckks"): "ckks_tensor",
    ("slots", "ckks"): "ckks_vector",
}


def is_tenseal(blob: bytes) -> bool:
    """Whether bytes are to be read as TenSEAL's: its messages begin with field 1, this project's own with "AFFFHE"."""
    return blob[:1] == b"\x0a"


def kind_of(interface: Interface) -> str:
    """The TenSEAL class whose objects an interface takes and gives, by its constructor's name.

    Raises UnsupportedError (``fhe.tenseal.packing``): coefficient encoding has none.
    """
    try:
        return _KINDS[interface.encoding, interface.preset.scheme]
    except KeyError:
        raise UnsupportedError(
            "fhe.tenseal.packing",
            f"no TenSEAL object holds {interface.encoding} of {interface.preset.scheme}",
            "take a plan in columns (tensors) or diagonals (vectors)",
        ) from None


def read_tenseal(interface: Interface, data: bytes) -> Ciphertexts:
    """A serialised TenSEAL tensor or vector as a request for that interface.

    Raises:
        MalformedError: ``fhe.tenseal.malformed``; ``fhe.residue.range``; ``fhe.ciphertext.transparent``.
        UnsupportedError: ``fhe.tenseal.packing``, ``fhe.library.missing``.
    """
    vector = kind_of(interface) == "ckks_vector"
    preset, fields, count = interface.preset, Fields(data), interface.sent
    shape = [interface.width] * count if vector else [interface.inputs]
    if fields.packed(1, len(shape)) != shape:
        what = f"{interface.width} slots in {count} ciphertexts" if vector else f"{interface.inputs} elements a sample"
        raise malformed(f"another shape than {what}")
    blobs = fields.repeated(2, min(count + 1, MAX_CIPHERTEXTS))
    if len(blobs) != count:
        raise malformed(f"{len(blobs)} ciphertexts; required {count}")
    ckks = preset.scheme == "ckks"
    if ckks and fields.double(3) != interface.input_scale:
        raise malformed(f"another scale than {interface.input_scale}")
    if not vector and fields.integer(4 if ckks else 3) != interface.samples:
        raise malformed(f"another number of samples than {interface.samples}")
    fields.end()
    moduli = preset.moduli[: preset.levels]
    limbs = np.stack([read_ciphertext(b, preset, moduli, ntt=ckks, scale=interface.input_scale) for b in blobs])
    if not limbs[:, 1].any(axis=-1).all():
        raise MalformedError("fhe.ciphertext.transparent", "a ciphertext whose second polynomial is zero")
    return Ciphertexts(preset, limbs, interface.input_scale)


def write_tenseal(interface: Interface, answer: Ciphertexts) -> bytes:
    """An answer as a TenSEAL tensor of shape [samples, outputs], or as a vector of whole ciphertexts."""
    vector, ckks = kind_of(interface) == "ckks_vector", answer.preset.scheme == "ckks"
    shape = [interface.width] * answer.count if vector else [interface.outputs]
    parts = [tagged(1, b"".join(map(varint, shape)))]
    parts += [tagged(2, dump_ciphertext(answer.preset, limbs, answer.scale)) for limbs in answer.limbs]
    if ckks:
        parts.append(varint(3 << 3 | 1) + np.float64(answer.scale).astype("<f8").tobytes())
    if not vector:
        parts.append(varint((4 if ckks else 3) << 3) + varint(interface.samples))
    return b"".join(parts)
