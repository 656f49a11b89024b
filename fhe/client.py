# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client's side: keys of one session, encryption, decryption.

A session's secret key lives in this object alone. `evaluation_keys` is what the node gets. Verify an answer before it
is decrypted, and tell nobody whether a decryption went well: a node that learns how a client reacts to altered
ciphertexts can recover the key (and CKKS decryptions shown to others leak it by themselves: Li and Micciancio, 2021).
`decrypt` therefore fails on form alone, which anybody can check, and never on content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from circuits.circuit import IntArray
from fhe.embedding import encode
from fhe.errors import MalformedError, RejectedError, UnsupportedError
from fhe.interface import Interface
from fhe.packing.diagonals import rotation_element
from fhe.presets import Preset
from fhe.ring import Ring
from fhe.scaling import scaled
from fhe.seal_bridge import SealContext
from fhe.wire import Ciphertexts, EvaluationKeys, Limbs, dump_ciphertexts, dump_keys, parse_ciphertexts
from fhe.wire.keys import trimmed

__all__ = ["Session"]


class Session:
    """Keys for one session with one node. Make a new one for the next."""

    def __init__(self, preset: Preset, *, secret: Limbs | None = None) -> None:
        """Generate keys (SEAL's generator: ternary secret, Blake2xb seeded by the system's randomness).

        `secret` is what `export_secret` gave, as uint64 [all moduli, n].
        """
        self.preset = preset
        self._seal = SealContext(preset)
        seal = self._seal.seal
        if secret is None:
            self._generator = seal.KeyGenerator(self._seal.context)
            self._secret = self._generator.secret_key()
        else:
            self._secret = self._seal.secret_key(secret)
            self._generator = seal.KeyGenerator(self._seal.context, self._secret)
        self._encryptor = seal.Encryptor(self._seal.context, self._secret)
        self._decryptor = seal.Decryptor(self._seal.context, self._secret)
        self._ring = Ring(preset)

    def export_secret(self) -> bytes:
        """The secret key's residues, for :mod:`fhe.keyfile`. Whoever has them reads every request of this session."""
        return np.ascontiguousarray(self._seal.secret_limbs(self._secret), "<u8").tobytes()

    def evaluation_keys(self, interface: Interface) -> bytes:
        """What the node needs of this session for that interface, as `fhe-keys@v1`; never the secret key."""
        self._same(interface.preset)
        demand = interface.keys
        public = self._seal.public_key(self._generator.create_public_key()) if demand.public else None
        relin = None
        if demand.relin:
            (full,) = self._seal.switching_keys(self._generator.create_relin_keys())
            relin = trimmed(full, demand.relin)
        return dump_keys(EvaluationKeys(self.preset, public, relin, self._galois(demand.galois)))

    def _galois(self, wanted: Mapping[int, int]) -> dict[int, Limbs]:
        keys = {}
        steps = {rotation_element(step, self.preset.n): step for step in range(1, self.preset.n // 2)}
        for element, digits in wanted.items():  # one at a time: SEAL lists them by index, not by element
            if element not in steps:
                raise UnsupportedError("fhe.keys.no-rotation", f"element {element} is no rotation of slots")
            made = self._seal.seal.GaloisKeys()
            self._generator.create_galois_keys([steps[element]], made)
            (full,) = self._seal.switching_keys(made)
            keys[element] = trimmed(full, digits)
        return keys

    def encrypt(self, interface: Interface, inputs: IntArray) -> bytes:
        """Integers [samples, inputs] (or [samples, *shape]) -> `fhe-ciphertexts@v1`.

        Every ciphertext is a fresh symmetric encryption of zero by SEAL to which the encoded message is added.

        Raises MalformedError (``fhe.input.shape``, ``.range``), RejectedError (``fhe.session.preset-mismatch``).
        """
        self._same(interface.preset)
        plain = encode_inputs(interface, inputs)
        level = self.preset.levels
        message = scaled(plain, self.preset, level)
        if self.preset.ntt:
            message = self._ring.forward(message)
        zero = self._zero(interface.input_scale)
        limbs = np.empty((len(plain), 2, level, self.preset.n), np.uint64)
        for i in range(len(plain)):
            limbs[i] = self._seal.limbs(self._encryptor.encrypt_symmetric(zero))
        if self.preset.scheme == "bfv" and self.preset.ntt:
            limbs = self._ring.forward(limbs)
        limbs[:, 0] = self._ring.add(limbs[:, 0], message)
        return dump_ciphertexts(Ciphertexts(self.preset, limbs, interface.input_scale))

    def decrypt(self, interface: Interface, answer: bytes) -> npt.NDArray[np.float64] | IntArray:
        """`fhe-ciphertexts@v1` -> [samples, outputs]: int64 for BFV, float64 (integers plus an error) for CKKS.

        Call it only on an answer that has been verified.

        Raises MalformedError as :func:`fhe.parse_ciphertexts`, RejectedError (``fhe.answer.mismatch``).
        """
        self._same(interface.preset)
        bundle = parse_ciphertexts(answer, answer=True)
        expected = (interface.preset, interface.returned, interface.output_level, interface.output_scale)
        if (bundle.preset, bundle.count, bundle.level, bundle.scale) != expected:
            raise RejectedError("fhe.answer.mismatch", "count, level or scale of the answer differ from the interface")
        return decode_outputs(interface, self._rows(bundle, interface.encoding != "coefficients"))

    def _loaded(self, bundle: Ciphertexts) -> list[Any]:
        bfv = self.preset.scheme == "bfv"
        limbs = self._ring.backward(bundle.limbs) if bfv and self.preset.ntt else bundle.limbs
        return [self._seal.ciphertext(one, ntt=not bfv, scale=bundle.scale) for one in limbs]

    def _rows(self, bundle: Ciphertexts, slots: bool) -> npt.NDArray[Any]:
        """Plaintexts [ciphertexts, width]: coefficients or slots."""
        seal, context = self._seal.seal, self._seal.context
        plains = [self._decryptor.decrypt(c) for c in self._loaded(bundle)]
        if self.preset.scheme == "ckks":
            encoder = seal.CKKSEncoder(context)
            return np.stack([encoder.decode(p) for p in plains])
        if slots:
            batch = seal.BatchEncoder(context)
            return np.stack([batch.decode(p) for p in plains])
        rows = np.zeros((len(plains), self.preset.n), np.int64)
        for row, plain in zip(rows, plains, strict=True):
            data = plain.to_bytes(seal.compr_mode_type.none)
            count = plain.coeff_count()
            row[:count] = np.frombuffer(data[len(data) - 8 * count :], "<u8").astype(np.int64)
        return np.where(rows > self.preset.plain_modulus // 2, rows - self.preset.plain_modulus, rows)

    def _zero(self, scale: float) -> Any:
        if self.preset.scheme == "bfv":
            return self._seal.seal.Plaintext("0")
        return self._seal.seal.CKKSEncoder(self._seal.context).encode(0.0, scale)

    def _same(self, preset: Preset) -> None:
        if preset != self.preset:
            raise RejectedError(
                "fhe.session.preset-mismatch", f"preset {preset.name}; this session's keys are for {self.preset.name}"
            )


def encode_inputs(interface: Interface, inputs: IntArray) -> IntArray:
    """Integers [samples, ...] -> plaintext coefficients int64 [ciphertexts, n] (BFV: modulo t, centred).

    Raises MalformedError (``fhe.input.shape``, ``.range``).
    """
    values = np.asarray(inputs)
    flat = values.reshape(len(values), -1) if values.ndim > 1 else values.reshape(1, -1)
    if not np.issubdtype(flat.dtype, np.integer) or flat.shape != (interface.samples, interface.inputs):
        wanted = (interface.samples, interface.inputs)
        raise MalformedError("fhe.input.shape", f"{flat.dtype} {flat.shape}; required integers {wanted}")
    if int(flat.min()) < interface.lo or int(flat.max()) > interface.hi:
        raise MalformedError("fhe.input.range", f"inputs outside [{interface.lo}, {interface.hi}]")
    flat = flat.astype(np.int64)
    preset = interface.preset
    if interface.encoding == "columns":
        rows = np.zeros((interface.inputs, preset.slots), np.int64)
        rows[:, : interface.samples] = flat.T
    else:
        padded = np.concatenate([flat, np.zeros((len(flat), 1), np.int64)], axis=1)  # index -1
        rows = padded[:, interface.gather].reshape(-1, interface.width)
    if interface.encoding == "coefficients":
        return rows
    if preset.scheme == "ckks":
        return encode(rows.astype(np.float64) * interface.unit, interface.input_scale, preset.n)
    return _batched(rows, preset)


def decode_outputs(interface: Interface, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Plaintexts [ciphertexts, width] -> [samples, outputs]."""
    if interface.encoding == "columns":
        values = rows[:, : interface.samples].T
    else:
        values = rows.reshape(interface.samples, -1)[:, interface.scatter]
    return np.ascontiguousarray(values * interface.output_unit if interface.preset.scheme == "ckks" else values)


def _batched(rows: IntArray, preset: Preset) -> IntArray:
    """BFV slots -> coefficients modulo t, in SEAL's order of slots."""
    context = SealContext(preset)
    encoder = context.seal.BatchEncoder(context.context)
    out = np.zeros((len(rows), preset.n), np.int64)
    for target, row in zip(out, rows, strict=True):
        plain = encoder.encode(row)
        count = plain.coeff_count()
        data = plain.to_bytes(context.seal.compr_mode_type.none)
        target[:count] = np.frombuffer(data[len(data) - 8 * count :], "<u8").astype(np.int64)
    return out
