# SPDX-License-Identifier: AGPL-3.0-or-later
"""A session's secret key in a file, if somebody asks for it: mode 0600, encrypted under a passphrase.

::

    "AFFFHES1" | preset name, 16 bytes, NUL-padded | salt (16) | nonce (12) | AES-256-GCM of the secret residues

The key is scrypt(passphrase, salt), N = 2^17, r = 8, p = 1 (RFC 7914); everything before the ciphertext is
authenticated with it. Sessions are meant to be forgotten; a file is for a client that must decrypt after a restart.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from fhe.client import Session
from fhe.errors import MalformedError, RejectedError
from fhe.presets import Preset
from fhe.wire.ciphertexts import parse_preset

MAGIC = b"AFFFHES1"
_HEAD = 8 + 16 + 16 + 12
_TAG = 16


def save_session(session: Session, path: Path, passphrase: str) -> None:
    """Write a new file, to the disk, or leave none.

    Raises:
        FileExistsError: rather than overwrite a key.
        MalformedError: ``fhe.keyfile.passphrase``: an empty passphrase keeps nobody out.
    """
    _check_passphrase(passphrase)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    head = MAGIC + session.preset.name.encode().ljust(16, b"\0") + salt + nonce
    sealed = AESGCM(_derived(passphrase, salt)).encrypt(nonce, session.export_secret(), head)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(head + sealed)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise


def load_session(path: Path, passphrase: str) -> Session:
    """The session of a file.

    Raises:
        MalformedError: ``fhe.keyfile.malformed``, ``.passphrase``.
        RejectedError: ``fhe.keyfile.unopened``: another passphrase, or an altered file.
    """
    _check_passphrase(passphrase)
    data = path.read_bytes()
    if len(data) < _HEAD or data[:8] != MAGIC:
        raise MalformedError("fhe.keyfile.malformed", "not a session file")
    preset = parse_preset(data[8:24], "fhe.keyfile.malformed")
    if len(data) != _HEAD + _secret_bytes(preset) + _TAG:
        raise MalformedError("fhe.keyfile.malformed", f"{len(data)} bytes for {preset.name}")
    try:
        secret = AESGCM(_derived(passphrase, data[24:40])).decrypt(data[40:_HEAD], data[_HEAD:], data[:_HEAD])
    except InvalidTag:
        raise RejectedError("fhe.keyfile.unopened", "another passphrase, or an altered file") from None
    limbs = np.frombuffer(secret, "<u8").reshape(len(preset.moduli), preset.n).astype(np.uint64)
    return Session(preset, secret=limbs)


def _check_passphrase(passphrase: str) -> None:
    if not passphrase.strip():
        raise MalformedError("fhe.keyfile.passphrase", "an empty passphrase", "choose one of several words")


def _secret_bytes(preset: Preset) -> int:
    return 8 * len(preset.moduli) * preset.n


def _derived(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << 17, r=8, p=1).derive(passphrase.encode())
