# SPDX-License-Identifier: AGPL-3.0-or-later
"""`fhe-ciphertexts@v1`: a bundle of ciphertexts of one preset, level and scale (docs/spec/fhe-ciphertexts-v1.md).

::

    "AFFFHEC1" | preset name, 16 bytes, NUL-padded | level u8 | polynomials u8 (2) | zero u16 | count u32
    | scale f64 | residues [count, 2, level, n], each in the bytes of its modulus; integers little-endian

Form (NTT or coefficients), degree and moduli are the preset's. There is one encoding of a bundle, so the digest of its
content is well defined; it covers the parameters, not only their name, and never a library's bytes.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass

import numpy as np

from fhe.errors import MalformedError
from fhe.limits import MAX_BUNDLE_BYTES, MAX_CIPHERTEXTS, MAX_POLYNOMIALS
from fhe.presets import PRESETS, Preset
from fhe.wire.residues import Limbs, dump_residues, parse_residues

__all__ = ["Ciphertexts", "dump_ciphertexts", "parse_ciphertexts"]

MAGIC = b"AFFFHEC1"
_HEAD = struct.Struct("<8s16sBBHId")
MAX_SCALE_BITS = 160


@dataclass(frozen=True, eq=False, slots=True)
class Ciphertexts:
    """Ciphertexts side by side.

    Attributes:
        preset: their parameters.
        limbs: uint64 [count, 2, level, n], residues below the preset's first `level` moduli, in the preset's form.
        scale: CKKS: encrypted value = scale * real value; exactly 1.0 for BFV.
    """

    preset: Preset
    limbs: Limbs
    scale: float = 1.0

    @property
    def count(self) -> int:
        """Number of ciphertexts."""
        return int(self.limbs.shape[0])

    @property
    def level(self) -> int:
        """Moduli left."""
        return int(self.limbs.shape[2])

    @property
    def digest(self) -> bytes:
        """SHA-256 of label, parameters, level, scale and residues as 64-bit little-endian integers: 32 bytes."""
        hasher = hashlib.sha256(b"affidavit/fhe-ciphertexts@v1\0" + self.preset.digest)
        hasher.update(struct.pack("<IBBHd", self.count, self.level, self.limbs.shape[1], 0, self.scale))
        hasher.update(np.ascontiguousarray(self.limbs, dtype="<u8").data)
        return hasher.digest()


def dump_ciphertexts(bundle: Ciphertexts) -> bytes:
    """The one encoding of a bundle."""
    preset, (count, polynomials, level, _) = bundle.preset, bundle.limbs.shape
    head = _HEAD.pack(MAGIC, preset.name.encode(), level, polynomials, 0, count, bundle.scale)
    return head + dump_residues(bundle.limbs, preset.moduli[:level])


def parse_ciphertexts(data: bytes | memoryview, *, answer: bool = False) -> Ciphertexts:
    """The bundle whose one encoding `data` is. Memory is bounded by a small multiple of the data's length.

    In an answer a ciphertext may be transparent: an output that depends on no input is public.

    Raises:
        MalformedError: ``fhe.ciphertext.magic``, ``.preset``, ``.level``, ``.polynomials``, ``.scale``, ``.count``,
            ``.length``, ``.too-large``, ``.transparent``; ``fhe.residue.range``.
    """
    view = memoryview(data)
    if len(view) > MAX_BUNDLE_BYTES:
        raise _bad("too-large", f"{len(view)} bytes; required at most {MAX_BUNDLE_BYTES}")
    if len(view) < _HEAD.size:
        raise _bad("length", f"{len(view)} bytes; required at least {_HEAD.size}")
    magic, name, level, polynomials, reserved, count, scale = _HEAD.unpack_from(view)
    if magic != MAGIC or reserved:
        raise _bad("magic", f"begins with {magic!r}; required {MAGIC!r} and zeros where the format has zeros")
    preset = parse_preset(name, "fhe.ciphertext.preset")
    if not 1 <= level <= preset.levels:
        raise _bad("level", f"level {level}; required 1 to {preset.levels} for {preset.name}")
    if polynomials != MAX_POLYNOMIALS:
        raise _bad("polynomials", f"{polynomials} polynomials; required {MAX_POLYNOMIALS}")
    if not 1 <= count <= MAX_CIPHERTEXTS:
        raise _bad("count", f"{count} ciphertexts; required 1 to {MAX_CIPHERTEXTS}")
    exact = scale == 1.0 if preset.scheme == "bfv" else math.isfinite(scale) and 1.0 <= scale <= 2.0**MAX_SCALE_BITS
    if not exact:
        raise _bad("scale", f"scale {scale}; required 1 for BFV, 1 to 2^{MAX_SCALE_BITS} for CKKS")
    required = _HEAD.size + count * preset.ciphertext_bytes(level)
    if len(view) != required:
        raise _bad("length", f"{len(view)} bytes; required {required}")
    moduli = preset.moduli[:level]
    limbs = parse_residues(view[_HEAD.size :], count * polynomials, moduli, preset.n)
    limbs = limbs.reshape(count, polynomials, level, preset.n)
    if not answer and not limbs[:, 1].any(axis=-1).all():
        raise _bad("transparent", "a ciphertext whose second polynomial is zero: its content is readable by anybody")
    return Ciphertexts(preset, limbs, float(scale))


def parse_preset(name: bytes, code: str) -> Preset:
    """The preset named in 16 bytes, NUL-padded. Raises MalformedError with that code."""
    stripped = name.rstrip(b"\0")
    preset = PRESETS.get(stripped.decode("ascii", "replace"))
    if preset is None:
        raise MalformedError(code, f"preset {stripped!r}; known: {', '.join(PRESETS)}")
    return preset


def _bad(code: str, message: str) -> MalformedError:
    return MalformedError(f"fhe.ciphertext.{code}", message)
