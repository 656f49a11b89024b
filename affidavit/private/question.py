# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes to a node and what is believed of what comes back, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from circuits.circuit import IntArray
from node.request import Request
from verifier.encrypted import EncryptedRequest
from verifier.policy import Policy
from verifier.verify import Result


class EncryptedNode(Protocol):
    """A node as a private client needs it: :class:`affidavit.Client` and :class:`affidavit.LocalClient` are such."""

    policy: Policy

    def upload(self, data: bytes) -> bytes:
        """Send bytes ahead; their SHA-256."""
        ...

    def exchange_unverified(self, request: Request) -> bytes:
        """An affidavit in which nothing has been checked."""
        ...


@dataclass(frozen=True)
class PrivateQuestion:
    """A request and what its author knows of it; nothing secret is in it.

    Attributes:
        request: what goes to the node.
        ciphertexts: `fhe-ciphertexts@v1`.
        sent: the digests that the receipt must name.
        known: what the client computed in clear before it encrypted: the circuit's tensors by index.
    """

    request: Request
    ciphertexts: bytes
    sent: EncryptedRequest
    known: Mapping[int, IntArray]


@dataclass(frozen=True)
class PrivateAnswer:
    """A verified and decrypted answer.

    Attributes:
        outputs: real arrays by output name, batch first.
        exact: whether the integers behind them are the circuit's own, bit for bit (BFV).
        error: otherwise the largest error that is expected of an output, as the scheme's estimate has it; else 0.0. The
            outputs are rounded to a grid of that size. Do not show them to anybody: see docs/privacy.md.
        affidavit: the file.
        result: every check that was made, the ledger, the score.
        nonce: of the request.
        input: the commitment that pins what was asked, 32 bytes: with the nonce for the ``[request]`` section of a
            policy under which others verify the file. Of a protected reply it covers the node's commitment to its seed.
    """

    outputs: Mapping[str, npt.NDArray[Any]]
    exact: bool
    error: float
    affidavit: bytes
    result: Result
    nonce: bytes
    input: bytes
