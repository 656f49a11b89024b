# SPDX-License-Identifier: AGPL-3.0-or-later
"""A request as a value: which model, whose nonce, and the input in one of five forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy.typing as npt

from node.errors import MalformedError
from node.plans import Layout
from verifier.context import NO_POLICY
from verifier.tensors import Opening

DIGEST_BYTES = 32


@dataclass(frozen=True)
class RealInput:
    """Real-valued arrays by input name, each of its port's dtype, batch as first axis."""

    arrays: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class ListedInput:
    """Nested lists of numbers by input name, as JSON has them; they become arrays of the ports' dtypes."""

    values: Mapping[str, object]


@dataclass(frozen=True)
class EncodedInput:
    """Integers that the client encoded itself, without salt."""

    opening: Opening


@dataclass(frozen=True)
class SealedInputBox:
    """A ``sealed-input@v1`` box."""

    box: bytes


@dataclass(frozen=True)
class EncryptedReference:
    """Ciphertexts and evaluation keys that were sent ahead (:mod:`node.uploads`), each by its SHA-256.

    Attributes:
        layout: how the circuit runs on them.
        ciphertexts, keys: 32 bytes each.
    """

    layout: Layout
    ciphertexts: bytes
    keys: bytes


Payload: TypeAlias = RealInput | ListedInput | EncodedInput | SealedInputBox | EncryptedReference


@dataclass(frozen=True)
class Request:
    """One inference that somebody asks for.

    Attributes:
        model: circuit digest, 32 bytes.
        nonce: drawn by the client, 32 bytes, once per request.
        payload: the input.
        policy: SHA-256 of the client's policy file; zeros when it names none.
        embed_circuit: whether the affidavit carries the circuit file.
        embed_input: whether it carries the input; not possible for a sealed one. Of an encrypted one: the ciphertexts
            and the evaluation keys, with which anybody can execute again.
        prove: whether it carries a succinct proof; not possible for a sealed one, since proofs are not
            zero-knowledge.
        committed: whether that proof is for verifiers that hold a commitment to the weights instead of the weights; the
            affidavit then carries the circuit's outline.
    """

    model: bytes
    nonce: bytes
    payload: Payload
    policy: bytes = NO_POLICY
    embed_circuit: bool = False
    embed_input: bool = False
    prove: bool = False
    committed: bool = False

    def __post_init__(self) -> None:
        for name in ("model", "nonce", "policy"):
            value = getattr(self, name)
            if not isinstance(value, bytes) or len(value) != DIGEST_BYTES:
                raise MalformedError(
                    f"request.{name}.malformed",
                    f"{name}: required {DIGEST_BYTES} bytes, found {_kind(value)}",
                )
        if self.sealed and self.embed_input:
            raise MalformedError(
                "request.embed.sealed",
                "embed_input with a sealed input: an affidavit for a sealed request carries no input",
                remedy="leave embed_input out; the client keeps its own opening",
            )

        if self.sealed and self.prove:
            raise MalformedError(
                "request.prove.sealed",
                "prove with a sealed input: a proof is not zero-knowledge and would show what the seal hides",
                remedy="leave prove out, or send the input in clear",
            )

        if self.committed and not self.prove:
            raise MalformedError(
                "request.committed.unproved",
                "committed without prove: it says what the proof is about, and there is none",
                remedy="ask for prove as well",
            )

        if self.encrypted and self.prove:
            raise MalformedError(
                "request.prove.encrypted",
                "prove with an encrypted input: there is no proof of an execution on ciphertexts",
                remedy="leave prove out; an encrypted execution is checked by executing it again",
            )

    @property
    def encrypted(self) -> bool:
        """Whether the node gets ciphertexts alone."""
        return isinstance(self.payload, EncryptedReference)

    @property
    def sealed(self) -> bool:
        """Whether only client and node may see input and output."""
        return isinstance(self.payload, SealedInputBox)


def _kind(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
