# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node's own keys: Ed25519 to sign receipts, X25519 to open sealed inputs. Made once, kept in one file.

::

    node-keys@v1 = "AFFNODE1" || signing seed (32) || sealing key (32) || SHA-256 of all before (32)

The file has mode 0600 in a directory of mode 0700, both owned by the user who runs the node; anything laxer is
refused rather than repaired, since somebody may have read the keys already.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey

from node.errors import MalformedError, OperationalError, RejectedError
from node.files import sync_directory, write_private
from verifier.keys import KeySet, key_id

MAGIC = b"AFFNODE1"
FILE_BYTES = len(MAGIC) + 32 + 32 + 32
_DIRECTORY, _FILE = "keys", "node.key"


class NodeKeys:
    """Two private keys; get them with :meth:`open`.

    Nothing prints them: ``repr`` shows the public key id alone.
    """

    def __init__(self, signing_seed: bytes, sealing_key: bytes) -> None:
        self._signing = SigningKey(signing_seed)
        self._sealing = PrivateKey(sealing_key)
        self.public = KeySet(bytes(self._signing.verify_key), bytes(self._sealing.public_key))

    def __repr__(self) -> str:
        return f"NodeKeys({key_id(self.public.signing)[:16]})"

    @classmethod
    def generate(cls) -> NodeKeys:
        """New random keys, in memory alone."""
        return cls(secrets.token_bytes(32), secrets.token_bytes(32))

    @classmethod
    def open(cls, data_dir: Path) -> NodeKeys:
        """The keys of the node that lives in ``data_dir``; made on first use.

        Raises:
            RejectedError: ``node.keys.lax-permissions``.
            MalformedError: ``node.keys.damaged``.
            OperationalError: ``node.keys.unreadable``.
        """
        directory = data_dir / _DIRECTORY
        path = directory / _FILE
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_private(directory, stat.S_ISDIR, "the key directory", "0700")
            with contextlib.suppress(FileNotFoundError):
                return cls._read(path)
            cls.generate()._write(path)  # noqa: SLF001 - a fresh instance of this very class
            return cls._read(path)
        except OSError as error:
            raise OperationalError(
                "node.keys.unreadable",
                f"the node's keys cannot be read or made ({error.strerror or type(error).__name__})",
                remedy="check owner and permissions of the node's data directory",
            ) from None

    @classmethod
    def existing(cls, data_dir: Path) -> NodeKeys:
        """The same, of a node that was there before: nothing is made.

        Raises:
            OperationalError: also ``node.keys.unreadable`` where there are none.
        """
        if not os.path.exists(data_dir / _DIRECTORY / _FILE):  # noqa: PTH110 - False, too, where one may not look
            raise OperationalError(
                "node.keys.unreadable", f"no node's keys in {data_dir}", remedy="give the node's own --data folder"
            )
        return cls.open(data_dir)

    @classmethod
    def _read(cls, path: Path) -> NodeKeys:
        _check_private(path, stat.S_ISREG, "the key file", "0600")
        data = path.read_bytes()
        body, checksum = data[:-32], data[-32:]
        if len(data) != FILE_BYTES or not data.startswith(MAGIC) or hashlib.sha256(body).digest() != checksum:
            raise MalformedError(
                "node.keys.damaged",
                f"the key file ({len(data)} bytes) is not one that a node wrote ({FILE_BYTES} bytes with checksum)",
                remedy="restore it from a backup, or remove it to become a new node with new keys",
            )
        return cls(body[8:40], body[40:72])

    def _write(self, path: Path) -> None:
        body = MAGIC + bytes(self._signing) + bytes(self._sealing)
        temporary = path.with_name(f".{secrets.token_hex(8)}")
        write_private(temporary, body + hashlib.sha256(body).digest())
        try:
            # A link, unlike a rename, never replaces: of two processes that start at once, one wins and both read it.
            os.link(temporary, path)
        except FileExistsError:
            return
        finally:
            temporary.unlink()
        sync_directory(path.parent)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature (RFC 8032), 64 bytes."""
        return self._signing.sign(message).signature

    def unseal(self, box: bytes) -> bytes | None:
        """Content of a libsodium sealed box made for this node; ``None`` when it is not one."""
        try:
            return SealedBox(self._sealing).decrypt(box)
        except (CryptoError, ValueError, TypeError):
            return None


def _check_private(path: Path, is_kind: Callable[[int], bool], what: str, mode: str) -> None:
    status = path.lstat()
    if not is_kind(status.st_mode):
        raise RejectedError("node.keys.lax-permissions", f"{what} is a link or of another kind than expected")
    if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
        raise RejectedError(
            "node.keys.lax-permissions",
            f"{what} has mode {stat.S_IMODE(status.st_mode):04o} and owner {status.st_uid}, "
            f"required {mode} and {os.geteuid()}",
            remedy="if nobody else can have read the keys, tighten the permissions; else make new ones",
        )
