# SPDX-License-Identifier: AGPL-3.0-or-later
"""SEAL's serialisation (version 4), read and written without SEAL: ciphertexts, keys, encryption parameters.

Header, lengths, parms_id, levels, scale, the decompressed size *before* anything is decompressed, and every residue are
checked. What is expected is known beforehand, so nothing is sized by what the bytes say. Decompression is native code
(zstandard): on a node, reading happens in a worker alone.

Source: SEAL 4, `native/src/seal/{serialization,ciphertext,kswitchkeys,encryptionparams,modulus}.cpp`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from importlib import import_module

import numpy as np

from fhe.errors import MalformedError, UnsupportedError
from fhe.presets import Preset
from fhe.protobuf import malformed
from fhe.wire import Limbs

__all__ = [
    "dump_ciphertext",
    "encryption_parameters",
    "parameters_id",
    "read_body",
    "read_ciphertext",
    "read_galois",
    "read_public",
    "read_relin",
]

_HEADER = struct.Struct("<HBBBBHQ")
_CIPHERTEXT = struct.Struct("<32sBQQQdQ")
_MAGIC, _MAJOR, _WRITTEN_MINOR = 0xA15E, 4, 3
_NONE, _ZSTD = 0, 2
_SCHEMES = {"bfv": 1, "ckks": 2}
SEAL_MAGIC = struct.pack("<HB", _MAGIC, _HEADER.size)
"""How every SEAL object begins."""

Bytes = bytes | memoryview


def parameters_id(preset: Preset, moduli: tuple[int, ...]) -> bytes:
    """SEAL's parms_id: BLAKE2b-256 over scheme, degree, moduli and plaintext modulus as 64-bit words."""
    words = [_SCHEMES[preset.scheme], preset.n, *moduli, preset.plain_modulus]
    return hashlib.blake2b(struct.pack(f"<{len(words)}Q", *words), digest_size=32).digest()


def encryption_parameters(preset: Preset) -> bytes:
    """What is behind the header of SEAL's encryption parameters: scheme, degree, moduli, plaintext modulus."""
    moduli = [_modulus(q) for q in (*preset.moduli, preset.plain_modulus)]
    return struct.pack("<BQQ", _SCHEMES[preset.scheme], preset.n, len(preset.moduli)) + b"".join(moduli)


def _modulus(value: int) -> bytes:
    head = _HEADER.pack(_MAGIC, _HEADER.size, _MAJOR, _WRITTEN_MINOR, _NONE, 0, _HEADER.size + 8)
    return head + struct.pack("<Q", value)


def read_ciphertext(blob: Bytes, preset: Preset, moduli: tuple[int, ...], *, ntt: bool, scale: float) -> Limbs:
    """Limbs [2, k, n] of one ciphertext of exactly those parameters.

    Raises MalformedError: ``fhe.tenseal.malformed``, ``fhe.residue.range``.
    """
    count = 2 * len(moduli) * preset.n
    raw = 8 * count
    body = read_body(blob, _CIPHERTEXT.size + _HEADER.size + 8 + raw)
    expected = _CIPHERTEXT.pack(parameters_id(preset, moduli), ntt, 2, preset.n, len(moduli), scale, 1)
    if body[: _CIPHERTEXT.size] != expected:
        raise malformed("a ciphertext of other parameters, form, level, size or scale")
    inner = body[_CIPHERTEXT.size :]
    if _header(inner) != _NONE or inner[_HEADER.size : _HEADER.size + 8] != struct.pack("<Q", count):
        raise malformed("a seeded or nested compressed ciphertext")
    limbs = np.frombuffer(inner, "<u8", count, _HEADER.size + 8).reshape(2, len(moduli), preset.n)
    for i, q in enumerate(moduli):
        if int(limbs[:, i].max()) >= q:
            raise MalformedError("fhe.residue.range", f"a residue at or above {q}")
    checked: Limbs = np.array(limbs, np.uint64)
    return checked


def dump_ciphertext(preset: Preset, limbs: Limbs, scale: float) -> bytes:
    """One ciphertext [2, level, n], uncompressed: one encoding, whatever library reads it."""
    level = limbs.shape[1]
    raw = np.ascontiguousarray(limbs, "<u8").tobytes()
    identity = parameters_id(preset, preset.moduli[:level])
    body = _CIPHERTEXT.pack(identity, preset.scheme == "ckks", 2, preset.n, level, scale, 1)
    return _framed(body + _framed(struct.pack("<Q", len(raw) // 8) + raw))


def read_public(preset: Preset, blob: Bytes) -> Limbs:
    """A public key: [2, all moduli, n]. Raises as :func:`read_ciphertext`, and ``fhe.keys.degenerate``."""
    key: Limbs = read_ciphertext(blob, preset, preset.moduli, ntt=True, scale=1.0)
    _masked(key[None])
    return key


def read_relin(preset: Preset, blob: Bytes) -> Limbs:
    """Relinearisation keys, one key of full level: [levels, 2, all moduli, n]. Raises as :func:`read_public`."""
    return _switching(preset, blob, 1, (0,))[0]


def read_galois(preset: Preset, blob: Bytes, elements: Iterable[int]) -> dict[int, Limbs]:
    """Galois keys of exactly those elements, each like a relinearisation key. Raises as :func:`read_public`."""
    chosen = sorted(elements)
    keys = _switching(preset, blob, preset.n, tuple((element - 1) // 2 for element in chosen))
    return dict(zip(chosen, keys, strict=True))


def _switching(preset: Preset, blob: Bytes, places: int, taken: tuple[int, ...]) -> list[Limbs]:
    """SEAL's KSwitchKeys: parms_id, the number of places, and per place a number of digits and its digits."""
    digit = 2 * preset.n * len(preset.moduli) * 8 + _CIPHERTEXT.size + 2 * _HEADER.size + 8
    body = read_body(blob, 40 + 8 * places + len(taken) * preset.levels * digit)
    if body[:40] != parameters_id(preset, preset.moduli) + struct.pack("<Q", places):
        raise malformed("switching keys of other parameters, or of another kind")
    at, found = 40, []
    for place in range(places):
        held = preset.levels if place in taken else 0
        if body[at : at + 8] != struct.pack("<Q", held):
            raise malformed("other keys than those that the plan names")
        at += 8
        if held:
            parts = [body[at + i * digit : at + (i + 1) * digit] for i in range(held)]
            key = np.stack([read_ciphertext(part, preset, preset.moduli, ntt=True, scale=1.0) for part in parts])
            found.append(_masked(key))
            at += held * digit
    return found


def _masked(key: Limbs) -> Limbs:
    """A mask that is zero in some modulus hides nothing; no generator makes one."""
    if not key[:, 1].any(axis=-1).all():
        raise MalformedError("fhe.keys.degenerate", "a key whose second polynomial is zero")
    return key


def read_body(blob: Bytes, size: int) -> memoryview:
    """What is behind a SEAL header: `size` bytes, decompressed only if the frame says that it holds just so many.

    Raises MalformedError (``fhe.tenseal.malformed``), UnsupportedError (``fhe.library.missing``).
    """
    compression = _header(blob)
    body = memoryview(blob)[_HEADER.size :]
    if compression == _ZSTD:
        try:
            zstandard = import_module("zstandard")
        except ImportError:
            raise UnsupportedError(
                "fhe.library.missing", "zstandard is not installed", "pip install 'affidavit[fhe]'"
            ) from None
        try:
            if zstandard.frame_content_size(body) != size:
                raise malformed("a compressed object that would have another size")
            opened = zstandard.ZstdDecompressor().decompress(body, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError:
            raise malformed("not one zstd frame") from None
        body = memoryview(opened)
    elif compression != _NONE:
        raise malformed(f"compression {compression}; required none or zstd")
    if len(body) != size:
        raise malformed(f"an object of {len(body)} bytes; required {size}")
    return body


def _header(blob: Bytes) -> int:
    """The compression of a SEAL object that fills its blob."""
    if len(blob) < _HEADER.size:
        raise malformed("a SEAL object that ends early")
    magic, size, major, _, compression, reserved, length = _HEADER.unpack_from(blob)
    if (magic, size, major, reserved, length) != (_MAGIC, _HEADER.size, _MAJOR, 0, len(blob)):
        raise malformed("no SEAL object of version 4 of that length")
    return int(compression)


def _framed(body: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, _HEADER.size, _MAJOR, _WRITTEN_MINOR, _NONE, 0, _HEADER.size + len(body)) + body
