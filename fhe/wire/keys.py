# SPDX-License-Identifier: AGPL-3.0-or-later
"""`fhe-keys@v1`: public, relinearisation and Galois keys of one session (docs/spec/fhe-keys-v1.md).

::

    "AFFFHEK1" | preset name, 16 bytes, NUL-padded | public u8 (0, 1) | relin u8 (digits, 0 for none) | galois u16
    | per Galois key: element u32, digits u8, zero 3 bytes; elements odd, increasing, below 2n
    | public key [2, all moduli, n] | relin [digits, 2, digits + 1, n] | each Galois key, the same

All in NTT form. A switching key of d digits serves ciphertexts of level d and below: its moduli are the first d and
the special one (Halevi, Polyakov and Shoup's RNS decomposition with one digit per modulus, as SEAL has it). A secret
key has no encoding here.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fhe.errors import MalformedError
from fhe.limits import MAX_GALOIS_KEYS, MAX_KEY_BYTES
from fhe.presets import Preset
from fhe.wire.ciphertexts import parse_preset
from fhe.wire.residues import Limbs, dump_residues, parse_residues

__all__ = ["EvaluationKeys", "dump_keys", "parse_keys"]

MAGIC = b"AFFFHEK1"
_HEAD = struct.Struct("<8s16sBBH")
_GALOIS = struct.Struct("<IB3s")


@dataclass(frozen=True, eq=False, slots=True)
class EvaluationKeys:
    """What a node may know of a session's keys.

    Attributes:
        preset: their parameters.
        public: uint64 [2, all moduli, n], or None.
        relin: uint64 [d, 2, d + 1, n], or None; the last modulus is the special one.
        galois: automorphism's element -> key like `relin`.
    """

    preset: Preset
    public: Limbs | None = None
    relin: Limbs | None = None
    galois: Mapping[int, Limbs] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """SHA-256 of label, parameters and the one encoding: 32 bytes."""
        return keys_digest(self.preset, dump_keys(self))


def keys_digest(preset: Preset, encoding: bytes) -> bytes:
    """The digest of keys that have been parsed, from their one encoding."""
    hasher = hashlib.sha256(b"affidavit/fhe-keys@v1\0" + preset.digest)
    hasher.update(encoding)
    return hasher.digest()


def switching_moduli(preset: Preset, digits: int) -> tuple[int, ...]:
    """Moduli of a switching key of so many digits."""
    return (*preset.moduli[:digits], preset.moduli[-1])


def trimmed(key: Limbs, digits: int) -> Limbs:
    """The part of a switching key of full level that serves levels up to `digits`."""
    moduli = [*range(digits), key.shape[2] - 1]
    return np.ascontiguousarray(key[:digits][:, :, moduli])


def dump_keys(keys: EvaluationKeys) -> bytes:
    """The one encoding."""
    preset = keys.preset
    relin = 0 if keys.relin is None else len(keys.relin)
    parts = [_HEAD.pack(MAGIC, preset.name.encode(), keys.public is not None, relin, len(keys.galois))]
    elements = sorted(keys.galois)
    parts += [_GALOIS.pack(element, len(keys.galois[element]), bytes(3)) for element in elements]
    if keys.public is not None:
        parts.append(dump_residues(keys.public, preset.moduli))
    switching = ([] if keys.relin is None else [keys.relin]) + [keys.galois[element] for element in elements]
    parts += [dump_residues(key, switching_moduli(preset, len(key))) for key in switching]
    return b"".join(parts)


def parse_keys(data: bytes | memoryview) -> EvaluationKeys:
    """The keys whose one encoding `data` is.

    Raises MalformedError: ``fhe.keys.magic``, ``.preset``, ``.flags``, ``.digits``, ``.galois``, ``.length``,
    ``.too-large``, ``.degenerate``; ``fhe.residue.range``.
    """
    view = memoryview(data)
    if len(view) > MAX_KEY_BYTES:
        raise _bad("too-large", f"{len(view)} bytes; required at most {MAX_KEY_BYTES}")
    if len(view) < _HEAD.size:
        raise _bad("length", f"{len(view)} bytes; required at least {_HEAD.size}")
    magic, name, public, relin, count = _HEAD.unpack_from(view)
    if magic != MAGIC:
        raise _bad("magic", f"begins with {magic!r}; required {MAGIC!r}")
    preset = parse_preset(name, "fhe.keys.preset")
    if public > 1 or count > MAX_GALOIS_KEYS:
        raise _bad("flags", f"{public} public keys, {count} Galois keys; required at most 1 and {MAX_GALOIS_KEYS}")
    at = _HEAD.size + count * _GALOIS.size
    if len(view) < at:
        raise _bad("length", f"{len(view)} bytes; required at least {at}")
    listed = [_GALOIS.unpack_from(view, _HEAD.size + i * _GALOIS.size) for i in range(count)]
    elements = [element for element, _, _ in listed]
    if any(zero != bytes(3) for *_, zero in listed) or elements != sorted(set(elements)):
        raise _bad("galois", "elements out of order or repeated; required increasing")
    if any(not element & 1 or not 3 <= element < 2 * preset.n for element in elements):
        raise _bad("galois", f"an element that is no automorphism of degree {preset.n}")
    all_digits = ([relin] if relin else []) + [digits for _, digits, _ in listed]
    if any(not 1 <= digits <= preset.levels or preset.special is None for digits in all_digits):
        raise _bad("digits", f"switching keys of {all_digits} digits; required 1 to {preset.levels} for {preset.name}")
    sizes = [_switching_bytes(preset, digits) for digits in all_digits]
    required = at + public * preset.public_key_bytes + sum(sizes)
    if len(view) != required:
        raise _bad("length", f"{len(view)} bytes; required {required}")
    public_key = None
    if public:
        public_key = parse_residues(view[at : at + preset.public_key_bytes], 2, preset.moduli, preset.n)
        at += preset.public_key_bytes
        _check(public_key[None])
    switching: list[Limbs] = []
    for digits, size in zip(all_digits, sizes, strict=True):
        limbs = parse_residues(view[at : at + size], 2 * digits, switching_moduli(preset, digits), preset.n)
        switching.append(limbs.reshape(digits, 2, digits + 1, preset.n))
        _check(switching[-1])
        at += size
    return EvaluationKeys(
        preset,
        public_key,
        switching[0] if relin else None,
        dict(zip(elements, switching[1 if relin else 0 :], strict=True)),
    )


def _switching_bytes(preset: Preset, digits: int) -> int:
    return digits * 2 * preset.n * preset.residue_bytes(switching_moduli(preset, digits))


def _check(key: Limbs) -> None:
    """A mask that is zero in some modulus hides nothing; no generator makes one."""
    if not np.all(key[:, 1].any(axis=-1)):
        raise _bad("degenerate", "a key whose second polynomial is zero")


def _bad(code: str, message: str) -> MalformedError:
    return MalformedError(f"fhe.keys.{code}", message)
