# SPDX-License-Identifier: AGPL-3.0-or-later
"""Computing on ciphertexts: the room for encrypted execution of small layers with BFV and CKKS.

Nothing here encrypts, evaluates or decrypts yet. Whoever asks for it gets a refusal with the code
``fhe.unsupported``, never an unencrypted run under an encrypted name; an affidavit that carries an FHE section is
UNVERIFIABLE (``receipt.fhe.unsupported``). Inputs can be kept from everybody but the node with sealed requests
(:mod:`node.sealed`); the node itself then sees them.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["UnsupportedError", "require_encrypted_execution"]


class UnsupportedError(Exception):
    """Encrypted execution was asked for.

    Attributes:
        code: ``fhe.unsupported``.
        message, remedy: for people.
    """

    def __init__(self) -> None:
        self.code = "fhe.unsupported"
        self.message = "this version has no encrypted execution"
        self.remedy = (
            "send a sealed request (in the SDK: seal=True): only the node sees the input, but the node does see it"
        )
        super().__init__(self.message)


def require_encrypted_execution() -> NoReturn:
    """Refuse: encrypted execution is not built in.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError
