# SPDX-License-Identifier: AGPL-3.0-or-later
"""Between limbs and SEAL objects, by SEAL's own uncompressed serialisation (seal/serialization.h, ciphertext.cpp).

SEAL objects are made of limbs that our own parser has checked, never of bytes off the wire, and on a node only in a
sandboxed worker. The client side uses SEAL for keys, fresh encryptions of zero and decryption; the node for the one
thing that :mod:`fhe.ring` does not have, the product of BFV ciphertexts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from fhe.errors import OperationalError, UnsupportedError
from fhe.presets import Preset
from fhe.wire.residues import Limbs

MAJOR = 4
"""Version of SEAL whose forms are written and read here; within it they are the same, and only the header differs."""

REMEDY = "pip install 'affidavit[fhe]' installs one that was tested"

_HEADER = struct.Struct("<HBBBBHQ")
_CIPHERTEXT = struct.Struct("<32sBQQQdQ")
_MAGIC = 0xA15E


def load_seal() -> Any:
    """The seal-python module. Raises UnsupportedError (``fhe.library.missing``)."""
    try:
        return import_module("seal")
    except ImportError:
        raise UnsupportedError(
            "fhe.library.missing", "seal-python is not installed", "pip install 'affidavit[fhe]'"
        ) from None


def serialised_version(seal: Any) -> tuple[int, int]:
    """Major and minor version that this SEAL writes into headers, the only ones that it surely reads.

    Raises UnsupportedError (``fhe.library.version``) for a SEAL, or a module of that name, whose forms are not known.
    """
    try:
        data = seal.Plaintext("0").to_bytes(seal.compr_mode_type.none)
        magic, size, major, minor, _, _, _ = _HEADER.unpack_from(data)
    except (AttributeError, TypeError, struct.error):
        raise UnsupportedError("fhe.library.version", "the module `seal` is not seal-python", REMEDY) from None
    if (magic, size, major) != (_MAGIC, _HEADER.size, MAJOR):
        raise UnsupportedError(
            "fhe.library.version", f"SEAL writes objects of version {major}.{minor}; required {MAJOR}", REMEDY
        )
    return major, minor


class SealContext:
    """A preset as SEAL sees it, with the parms_id of each level."""

    def __init__(self, preset: Preset) -> None:
        """Ask the library that is installed.

        Raises:
            UnsupportedError: ``fhe.library.missing``, ``fhe.library.version``.
            OperationalError: ``fhe.library.disagrees`` where SEAL refuses the preset, or its security.
        """
        self.seal = load_seal()
        self.preset = preset
        self._version = serialised_version(self.seal)
        parameters = self.seal.EncryptionParameters(getattr(self.seal.scheme_type, preset.scheme))
        parameters.set_poly_modulus_degree(preset.n)
        parameters.set_coeff_modulus([self.seal.Modulus(q) for q in preset.moduli])
        if preset.plain_modulus:
            parameters.set_plain_modulus(preset.plain_modulus)
        self.context = self.seal.SEALContext(parameters, True, self.seal.sec_level_type.tc128)
        if not self.context.parameters_set():
            raise _disagrees(f"SEAL refuses {preset.name}: {self.context.parameter_error_message()[:200]}")
        data = self.context.first_context_data()
        identities = []
        while data is not None:
            identities.append(struct.pack("<4Q", *data.parms_id()))
            data = data.next_context_data()
        # Fewer than the preset's levels where the last moduli alone cannot carry the plaintext modulus.
        self._identity = dict(zip(range(preset.levels, 0, -1), identities, strict=False))

    def ciphertext(self, limbs: Limbs, *, ntt: bool, scale: float = 1.0) -> Any:
        """uint64 [polynomials, level, n], checked residues -> a SEAL Ciphertext.

        Raises OperationalError (``fhe.library.disagrees``) where SEAL does not read it.
        """
        size, level, n = limbs.shape
        raw = np.ascontiguousarray(limbs, "<u8").tobytes()
        body = _CIPHERTEXT.pack(self._identity[level], ntt, size, n, level, scale, 1) + self._array(raw)
        loaded = self.seal.Ciphertext()
        with _reading():
            loaded.load_bytes(self.context, self._framed(body))
        return loaded

    def limbs(self, ciphertext: Any) -> Limbs:
        """A SEAL Ciphertext -> uint64 [polynomials, level, n]."""
        data = ciphertext.to_string(self.seal.compr_mode_type.none)
        return _read_ciphertext(data, 0)[0]

    def public_key(self, key: Any) -> Limbs:
        """A SEAL PublicKey -> uint64 [2, all moduli, n]."""
        return _read_ciphertext(self._plain(key.to_string()), 0)[0]

    def switching_keys(self, keys: Any) -> list[Limbs]:
        """A SEAL KSwitchKeys -> uint64 [digits, 2, all moduli, n] for each index that has a key."""
        data = self._plain(keys.to_string())
        at = _HEADER.size + 32
        (count,) = struct.unpack_from("<Q", data, at)
        at += 8
        found = []
        for _ in range(count):
            (digits,) = struct.unpack_from("<Q", data, at)
            at += 8
            parts = []
            for _ in range(digits):
                limbs, at = _read_ciphertext(data, at)
                parts.append(limbs)
            if parts:
                found.append(np.stack(parts))
        return found

    def secret_limbs(self, key: Any) -> Limbs:
        """A SEAL SecretKey -> uint64 [all moduli, n], NTT form."""
        data = self._plain(key.to_string())
        count = len(self.preset.moduli) * self.preset.n
        return np.frombuffer(data[-8 * count :], "<u8").reshape(-1, self.preset.n)

    def secret_key(self, limbs: Limbs) -> Any:
        """uint64 [all moduli, n], NTT form -> a SEAL SecretKey. Raises as :meth:`ciphertext`."""
        raw = np.ascontiguousarray(limbs, "<u8").tobytes()
        identity = struct.pack("<4Q", *self.context.key_context_data().parms_id())
        body = identity + struct.pack("<Qd", limbs.size, 1.0) + self._array(raw)
        with _reading():
            return self.context.from_secret_str(self._framed(body))

    def _framed(self, body: bytes) -> bytes:
        return _HEADER.pack(_MAGIC, _HEADER.size, *self._version, 0, 0, _HEADER.size + len(body)) + body

    def _array(self, raw: bytes) -> bytes:
        return self._framed(struct.pack("<Q", len(raw) // 8) + raw)

    def _plain(self, data: bytes) -> bytes:
        """SEAL's own output: uncompressed, of its own version."""
        magic, _, *version, compression, _, _ = _HEADER.unpack_from(data)
        if magic != _MAGIC or tuple(version) != self._version or compression:
            raise _disagrees(f"SEAL wrote version {version}, compression {compression}")
        return data


@contextmanager
def _reading() -> Iterator[None]:
    """What SEAL does not read of objects made here of checked limbs is nobody's fault but the library's and ours."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise _disagrees(f"SEAL does not read what was made for it: {str(error)[:200]}") from None


def _disagrees(message: str) -> OperationalError:
    return OperationalError("fhe.library.disagrees", message, REMEDY)


def _read_ciphertext(data: bytes, at: int) -> tuple[Limbs, int]:
    """Limbs of the ciphertext at that offset of SEAL's own output, and the offset behind it."""
    at += _HEADER.size
    _, _, size, n, level, _, _ = _CIPHERTEXT.unpack_from(data, at)
    at += _CIPHERTEXT.size + _HEADER.size
    (count,) = struct.unpack_from("<Q", data, at)
    if count != size * n * level:
        raise _disagrees("SEAL wrote a compressed or seeded ciphertext")
    at += 8
    return np.frombuffer(data, "<u8", count, at).reshape(size, level, n).astype(np.uint64), at + 8 * count


def check_presets(presets: Mapping[str, Preset] | Sequence[Preset]) -> None:
    """SEAL's own verdict on every preset. Raises OperationalError (``fhe.library.disagrees``)."""
    for preset in presets.values() if isinstance(presets, Mapping) else presets:
        SealContext(preset)
