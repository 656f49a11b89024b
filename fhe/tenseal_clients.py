# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that only have TenSEAL: its encrypted tensors in, its encrypted tensors out.

A batched ``bfv_tensor`` or ``ckks_tensor`` (``batch=True``) of shape [samples, inputs] holds one ciphertext per
input with the samples in its slots, which is the `columns` packing. :func:`read_tensor` and :func:`read_relin` take
apart TenSEAL's protobuf and SEAL's serialisation byte by byte: field order, lengths, header, parms_id, levels, scale,
the decompressed size *before* anything is decompressed, and every residue. Decompression is native code (zstandard),
so on a node both run in a worker (:meth:`fhe.pool.EvaluationPool.from_tenseal`). From there on a request is
`fhe-ciphertexts@v1` like any other. A TenSEAL *context* is never read.

On the client, with the moduli of the preset and the scale of the interface::

    context = tenseal.context(SCHEME_TYPE.BFV, preset.n, plain_modulus=..., coeff_mod_bit_sizes=[...])
    request = tenseal.bfv_tensor(context, tenseal.plain_tensor(x), batch=True).serialize()
    result = tenseal.bfv_tensor_from(context, answer).decrypt()
"""

from __future__ import annotations

import hashlib
import struct
from importlib import import_module

import numpy as np

from fhe.errors import MalformedError, UnsupportedError
from fhe.interface import Interface
from fhe.limits import MAX_CIPHERTEXTS
from fhe.presets import Preset
from fhe.wire import Ciphertexts, EvaluationKeys, Limbs

__all__ = ["read_relin", "read_tensor", "write_tensor"]

_HEADER = struct.Struct("<HBBBBHQ")
_CIPHERTEXT = struct.Struct("<32sBQQQdQ")
_MAGIC, _MAJOR, _WRITTEN_MINOR = 0xA15E, 4, 3
_NONE, _ZSTD = 0, 2
_SCHEMES = {"bfv": 1, "ckks": 2}


def parameters_id(preset: Preset, moduli: tuple[int, ...]) -> bytes:
    """SEAL's parms_id: BLAKE2b-256 over scheme, degree, moduli and plaintext modulus as 64-bit words."""
    words = [_SCHEMES[preset.scheme], preset.n, *moduli, preset.plain_modulus]
    return hashlib.blake2b(struct.pack(f"<{len(words)}Q", *words), digest_size=32).digest()


def read_tensor(interface: Interface, data: bytes) -> Ciphertexts:
    """A serialised TenSEAL tensor as a request for that interface.

    Raises:
        MalformedError: ``fhe.tenseal.malformed``; ``fhe.residue.range``; ``fhe.ciphertext.transparent``.
        UnsupportedError: ``fhe.tenseal.packing``, ``fhe.library.missing``.
    """
    preset = interface.preset
    if interface.encoding != "columns":
        raise UnsupportedError(
            "fhe.tenseal.packing", f"TenSEAL tensors are columns; this plan has {interface.encoding}"
        )
    fields = _Fields(data)
    if fields.packed(1) != [interface.inputs]:
        raise _bad(f"another shape than [{interface.inputs}] per sample")
    blobs = fields.repeated(2, min(interface.inputs + 1, MAX_CIPHERTEXTS))
    if len(blobs) != interface.inputs:
        raise _bad(f"{len(blobs)} ciphertexts; required {interface.inputs}")
    if preset.scheme == "ckks" and fields.double(3) != interface.input_scale:
        raise _bad(f"another scale than {interface.input_scale}")
    if fields.integer(4 if preset.scheme == "ckks" else 3) != interface.samples:
        raise _bad(f"another number of samples than {interface.samples}")
    fields.end()
    moduli = preset.moduli[: preset.levels]
    bfv = preset.scheme == "bfv"
    limbs = np.stack([_ciphertext(blob, preset, moduli, not bfv, interface.input_scale) for blob in blobs])
    if not limbs[:, 1].any(axis=-1).all():
        raise MalformedError("fhe.ciphertext.transparent", "a ciphertext whose second polynomial is zero")
    return Ciphertexts(preset, limbs, interface.input_scale)


def read_relin(interface: Interface, data: bytes) -> EvaluationKeys:
    """SEAL's serialised relinearisation keys (``context.relin_keys().data.save(path)``) as a session's keys.

    Raises as :func:`read_tensor`.
    """
    preset = interface.preset
    size = 2 * preset.n * len(preset.moduli) * 8 + _CIPHERTEXT.size + 2 * _HEADER.size + 8
    body = _body(data, 32 + 8 + 8 + preset.levels * size)
    if body[:48] != parameters_id(preset, preset.moduli) + struct.pack("<QQ", 1, preset.levels):
        raise _bad("relinearisation keys of other parameters, or not one key")
    parts = [
        _ciphertext(body[48 + i * size : 48 + (i + 1) * size], preset, preset.moduli, True, 1.0)
        for i in range(preset.levels)
    ]
    key = np.stack(parts)
    if not key[:, 1].any(axis=-1).all():
        raise MalformedError("fhe.keys.degenerate", "a key whose second polynomial is zero")
    return EvaluationKeys(preset, relin=key)


def write_tensor(interface: Interface, answer: Ciphertexts) -> bytes:
    """An answer as a TenSEAL tensor of shape [samples, outputs]."""
    preset = answer.preset
    parts = [_tagged(1, _varint(interface.outputs))]
    level = answer.level
    identity = parameters_id(preset, preset.moduli[:level])
    for one in answer.limbs:
        raw = np.ascontiguousarray(one, "<u8").tobytes()
        body = _CIPHERTEXT.pack(identity, preset.scheme == "ckks", 2, preset.n, level, answer.scale, 1)
        inner = struct.pack("<Q", len(raw) // 8) + raw
        parts.append(_tagged(2, _framed(body + _framed(inner))))
    if preset.scheme == "ckks":
        parts.append(_varint(3 << 3 | 1) + struct.pack("<d", answer.scale))
    parts.append(_varint((4 if preset.scheme == "ckks" else 3) << 3) + _varint(interface.samples))
    return b"".join(parts)


def _ciphertext(blob: bytes, preset: Preset, moduli: tuple[int, ...], ntt: bool, scale: float) -> Limbs:
    """Limbs [2, k, n] of one serialised ciphertext of exactly those parameters."""
    count = 2 * len(moduli) * preset.n
    raw = 8 * count
    body = _body(blob, _CIPHERTEXT.size + _HEADER.size + 8 + raw)
    expected = _CIPHERTEXT.pack(parameters_id(preset, moduli), ntt, 2, preset.n, len(moduli), scale, 1)
    if body[: _CIPHERTEXT.size] != expected:
        raise _bad("a ciphertext of other parameters, form, level, size or scale")
    inner = body[_CIPHERTEXT.size :]
    if _header(inner) != _NONE or inner[_HEADER.size : _HEADER.size + 8] != struct.pack("<Q", count):
        raise _bad("a seeded or nested compressed ciphertext")
    limbs = np.frombuffer(inner, "<u8", count, _HEADER.size + 8).reshape(2, len(moduli), preset.n)
    for i, q in enumerate(moduli):
        if int(limbs[:, i].max()) >= q:
            raise MalformedError("fhe.residue.range", f"a residue at or above {q}")
    return limbs.astype(np.uint64)


def _header(blob: bytes) -> int:
    """The compression of a SEAL object that fills its blob."""
    if len(blob) < _HEADER.size:
        raise _bad("a SEAL object that ends early")
    magic, size, major, _, compression, reserved, length = _HEADER.unpack_from(blob)
    if (magic, size, major, reserved, length) != (_MAGIC, _HEADER.size, _MAJOR, 0, len(blob)):
        raise _bad("no SEAL object of version 4 of that length")
    return int(compression)


def _body(blob: bytes, size: int) -> bytes:
    """What is behind a SEAL header: `size` bytes, decompressed only if the frame says that it holds just so many."""
    compression = _header(blob)
    body = blob[_HEADER.size :]
    if compression == _ZSTD:
        try:
            zstandard = import_module("zstandard")
        except ImportError:
            raise UnsupportedError(
                "fhe.library.missing", "zstandard is not installed", "pip install 'affidavit[fhe]'"
            ) from None
        try:
            if zstandard.frame_content_size(body) != size:
                raise _bad("a compressed object that would have another size")
            body = zstandard.ZstdDecompressor().decompress(body, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError:
            raise _bad("not one zstd frame") from None
    elif compression != _NONE:
        raise _bad(f"compression {compression}; required none or zstd")
    if len(body) != size:
        raise _bad(f"an object of {len(body)} bytes; required {size}")
    return body


def _framed(body: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, _HEADER.size, _MAJOR, _WRITTEN_MINOR, _NONE, 0, _HEADER.size + len(body)) + body


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _tagged(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


class _Fields:
    """A protobuf message, fields in increasing order, each exactly where it is expected."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def _number(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            if self._at >= len(self._data):
                raise _bad("the message ends early")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise _bad("a number of over 63 bits")

    def _next_is(self, number: int, wire: int) -> bool:
        """Whether the next field is that one; its tag is then read."""
        tag = _varint(number << 3 | wire)
        found = self._data[self._at : self._at + len(tag)] == tag
        self._at += len(tag) if found else 0
        return found

    def _bytes(self) -> bytes:
        length = self._number()
        content = self._data[self._at : self._at + length]
        if len(content) != length:
            raise _bad("a field longer than the message")
        self._at += length
        return content

    def packed(self, number: int) -> list[int]:
        """A packed list of integers."""
        if not self._next_is(number, 2):
            return []
        inner = _Fields(self._bytes())
        values = []
        while inner._at < len(inner._data):
            values.append(inner._number())
        return values

    def repeated(self, number: int, most: int) -> list[bytes]:
        """Byte strings, not more than `most`."""
        found: list[bytes] = []
        while len(found) < most and self._next_is(number, 2):
            found.append(self._bytes())
        return found

    def double(self, number: int) -> float:
        """A double; 0.0 where there is none."""
        if not self._next_is(number, 1):
            return 0.0
        content = self._data[self._at : self._at + 8]
        if len(content) != 8:
            raise _bad("the message ends early")
        self._at += 8
        return float(struct.unpack("<d", content)[0])

    def integer(self, number: int) -> int:
        """An integer; 0 where there is none."""
        return self._number() if self._next_is(number, 0) else 0

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise _bad("other fields, or fields out of order")


def _bad(message: str) -> MalformedError:
    return MalformedError("fhe.tenseal.malformed", message)
