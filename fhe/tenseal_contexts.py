# SPDX-License-Identifier: AGPL-3.0-or-later
"""TenSEAL contexts as a session's evaluation keys: ``context.serialize()``, without a secret key.

A context names no parameters here: its own must be, byte for byte, those of a preset, and only the keys that a plan
needs are read from it. Galois keys, for vectors, may stand in a second ``public_context``, as TenSEAL's Python can make
the plan's (``sealapi``) and not put them into a context; protocol buffers merge the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from fhe.errors import MalformedError
from fhe.interface import Interface
from fhe.limits import MAX_CIPHERTEXTS
from fhe.presets import PRESETS, Preset
from fhe.protobuf import Fields, malformed
from fhe.seal_objects import SEAL_MAGIC, encryption_parameters, read_body, read_galois, read_public, read_relin
from fhe.wire import EvaluationKeys
from fhe.wire.keys import trimmed

__all__ = ["inspect", "read_context"]


@dataclass(frozen=True)
class _Context:
    """The parts of a context, unread."""

    parameters: memoryview
    public: memoryview | None
    relin: memoryview | None
    galois: memoryview | None


def _parts(data: bytes) -> _Context:
    """Raises MalformedError: ``fhe.tenseal.malformed``, ``fhe.tenseal.secret-key``."""
    fields = Fields(data)
    parameters, shared = fields.message(1), fields.message(2)
    if parameters is None or shared is None:
        raise malformed("no context: encryption parameters and a public part required")
    if fields.message(3) is not None:
        raise MalformedError(
            "fhe.tenseal.secret-key",
            "a context with a private part, which holds the secret key; it has not been kept",
            "this key is no longer secret: make a new context, and send context.serialize(save_secret_key=False)",
        )
    if fields.integer(4) > 1:
        raise malformed("an unknown type of encryption")
    inner = Fields(shared)
    public = inner.message(1)
    inner.integer(2)
    inner.double(3)
    relin, galois = inner.message(4), inner.message(5)
    inner.end()
    if galois is None and (more := fields.message(2)) is not None:
        inner = Fields(more)
        galois = inner.message(5)
        inner.end()
    fields.end()
    return _Context(parameters, public, relin, galois)


def inspect(data: bytes) -> str:
    """What bytes of a TenSEAL client are, before they are kept: ``context`` or ``tensor``.

    A context is without a secret key and of some preset's parameters; its keys are read where a plan says which. A
    tensor (or vector) is a message of SEAL objects; they are read where a plan says of what shape.

    Raises MalformedError: ``fhe.tenseal.malformed``, ``fhe.tenseal.secret-key``, ``fhe.tenseal.parameters``.
    """
    first = Fields(data).message(1)
    if first is None:
        raise malformed("neither a context nor a tensor")
    if first[: len(SEAL_MAGIC)] != SEAL_MAGIC:
        _check_tensor(data)
        return "tensor"
    parts = _parts(data)
    if not any(_is_of(parts, preset) for preset in PRESETS.values()):
        raise MalformedError(
            "fhe.tenseal.parameters", "a context of parameters that are no preset's", "make it as the plan says"
        )
    return "context"


def _check_tensor(data: bytes) -> None:
    fields = Fields(data)
    fields.packed(1, MAX_CIPHERTEXTS)
    blobs = fields.repeated(2, MAX_CIPHERTEXTS)
    if not blobs or any(blob[: len(SEAL_MAGIC)] != SEAL_MAGIC for blob in blobs):
        raise malformed("neither a context nor a tensor of ciphertexts")
    fields.double(3)
    fields.integer(3)
    fields.integer(4)
    fields.end()


def _is_of(parts: _Context, preset: Preset) -> bool:
    expected = encryption_parameters(preset)
    try:
        body = bytes(read_body(parts.parameters, len(expected)))
    except MalformedError:
        return False
    # The minor version in the header of each nested modulus is the writer's own.
    return len(body) == len(expected) and all(
        a == b for i, (a, b) in enumerate(zip(body, expected, strict=True)) if i < 17 or (i - 17) % 24 != 4
    )


def read_context(interface: Interface, data: bytes) -> EvaluationKeys:
    """The keys that an interface demands, and no others, from a serialised context.

    Public and relinearisation keys that the plan has no use for are left unread: TenSEAL writes them unasked.

    Raises:
        MalformedError: ``fhe.tenseal.malformed``, ``.secret-key``, ``.parameters``; ``fhe.keys.missing``, ``.surplus``,
            ``.degenerate``; ``fhe.residue.range``.
        UnsupportedError: ``fhe.library.missing``.
    """
    parts, preset, demand = _parts(data), interface.preset, interface.keys
    if not _is_of(parts, preset):
        raise MalformedError("fhe.tenseal.parameters", f"a context of other parameters than {preset.name}'s")
    if parts.galois is not None and not demand.galois:
        raise MalformedError(
            "fhe.keys.surplus", "Galois keys, which this plan does not need", "serialize(save_galois_keys=False)"
        )
    wanted = (
        ("a public key", parts.public, demand.public),
        ("relinearisation keys", parts.relin, bool(demand.relin)),
        ("Galois keys", parts.galois, bool(demand.galois)),
    )
    for name, part, needed in wanted:
        if needed and part is None:
            raise MalformedError("fhe.keys.missing", f"a context without {name}", "make it as the plan says")
    relin = read_relin(preset, parts.relin) if demand.relin and parts.relin is not None else None
    public = read_public(preset, parts.public) if demand.public and parts.public is not None else None
    galois = read_galois(preset, parts.galois, demand.galois) if demand.galois and parts.galois is not None else {}
    return EvaluationKeys(
        preset,
        public,
        None if relin is None else trimmed(relin, demand.relin),
        {element: trimmed(key, demand.galois[element]) for element, key in galois.items()},
    )
