# SPDX-License-Identifier: AGPL-3.0-or-later
"""`fhe-interface@v1`: what a client must know to encrypt an input and to read an answer, and nothing of the weights.

A plaintext is a row of `width` places: coefficients, or slots. ``gather`` says which element of the input each place
of each input ciphertext holds (-1: zero); ``scatter`` says where each element of the output is. In ``columns``
encoding one ciphertext holds one element of all samples, and both lists are empty. Canonical CBOR
(docs/spec/fhe-interface-v1.md).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np

from circuits.canonical_cbor import decode, encode
from circuits.circuit import IntArray
from circuits.errors import MalformedError as CborError
from fhe.errors import MalformedError
from fhe.limits import (
    MAX_BUNDLE_BYTES,
    MAX_CIPHERTEXTS,
    MAX_FEATURES,
    MAX_GALOIS_KEYS,
    MAX_INTERFACE_BYTES,
    MAX_SAMPLES,
)
from fhe.presets import Preset, preset_of

__all__ = ["Interface", "KeyDemand"]

Encoding = Literal["coefficients", "slots", "columns"]


@dataclass(frozen=True, slots=True)
class KeyDemand:
    """Which keys a plan needs.

    Attributes:
        public: the public key, to re-randomise replies.
        relin: digits of the relinearisation key; 0 for none.
        galois: automorphism's element -> digits of its key.
    """

    public: bool = False
    relin: int = 0
    galois: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Interface:
    """Encoding of one request and its answer.

    Attributes:
        preset, encoding: as named.
        samples: samples per request, all in the same ciphertexts (columns) or one after the other.
        inputs, outputs: elements per sample.
        lo, hi: inputs are integers in this range.
        unit: CKKS: input integers are multiplied by this before they are encrypted; 1.0 for BFV.
        gather: int64 [ciphertexts per sample, width] indices into the input, or -1.
        scatter: int64 [outputs] places: ciphertext * width + place within it.
        replies: ciphertexts in the answer, per sample; in columns, per request.
        input_scale, output_scale: CKKS; 1.0 for BFV.
        output_unit: CKKS: decrypted values times this are the output integers.
        output_level: moduli left in the answer.
        keys: what the node needs.
    """

    preset: Preset
    encoding: Encoding
    samples: int
    inputs: int
    outputs: int
    lo: int
    hi: int
    gather: IntArray
    scatter: IntArray
    replies: int
    output_level: int
    input_scale: float = 1.0
    output_scale: float = 1.0
    unit: float = 1.0
    output_unit: float = 1.0
    keys: KeyDemand = field(default_factory=KeyDemand)

    @property
    def width(self) -> int:
        """Places per plaintext."""
        return self.preset.n if self.encoding == "coefficients" else self.preset.slots

    @property
    def sent(self) -> int:
        """Ciphertexts in a request."""
        return self.inputs if self.encoding == "columns" else self.samples * len(self.gather)

    @property
    def returned(self) -> int:
        """Ciphertexts in an answer."""
        return self.replies if self.encoding == "columns" else self.samples * self.replies

    def encode(self) -> bytes:
        """The one encoding."""
        galois = [[element, self.keys.galois[element]] for element in sorted(self.keys.galois)]
        return encode(
            {
                "format": "fhe-interface@v1",
                "preset": self.preset.name,
                "parameters": self.preset.digest,
                "encoding": self.encoding,
                "samples": self.samples,
                "inputs": self.inputs,
                "outputs": self.outputs,
                "range": [self.lo, self.hi],
                "gather": np.ascontiguousarray(self.gather, "<i4").tobytes(),
                "scatter": np.ascontiguousarray(self.scatter, "<i4").tobytes(),
                "replies": self.replies,
                "level": self.output_level,
                "scales": [
                    float(self.input_scale),
                    float(self.output_scale),
                    float(self.unit),
                    float(self.output_unit),
                ],
                "keys": {"public": self.keys.public, "relin": self.keys.relin, "galois": galois},
            }
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of label and encoding: 32 bytes."""
        return hashlib.sha256(b"affidavit/fhe-interface@v1\0" + self.encode()).digest()

    @staticmethod
    def decode(data: bytes) -> Interface:
        """The interface whose one encoding `data` is.

        Raises MalformedError (``fhe.interface.malformed``), UnsupportedError (``fhe.preset.unknown``).
        """
        if len(data) > MAX_INTERFACE_BYTES:
            raise _bad(f"{len(data)} bytes; required at most {MAX_INTERFACE_BYTES}")
        try:
            value = decode(data, max_depth=4, max_items=4 * MAX_GALOIS_KEYS + 64)
        except CborError as error:
            raise _bad(error.message) from None
        try:
            interface = _from(cast("dict[str, object]", value))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            raise _bad("a field is missing or of the wrong type") from None
        if interface.encode() != data:
            raise _bad("not the one encoding of its value")
        check_limits(interface)
        return interface


def check_limits(interface: Interface) -> None:
    """Raises MalformedError (``fhe.interface.malformed``) for whatever is outside the limits of the room."""
    columns = interface.encoding == "columns"
    if len(interface.scatter) != (0 if columns else interface.outputs) or (interface.gather.size == 0) != columns:
        raise _bad("places out of range")
    if interface.outputs < 1:
        raise _bad("elements out of range")
    limits = (
        (1 <= interface.samples <= (interface.preset.slots if columns else MAX_SAMPLES), "samples"),
        (1 <= interface.inputs <= MAX_FEATURES and 1 <= interface.outputs <= MAX_FEATURES, "elements"),
        (interface.lo <= interface.hi and max(abs(interface.lo), abs(interface.hi)) < 1 << 53, "range"),
        (1 <= interface.output_level <= interface.preset.levels, "level"),
        (
            interface.replies >= 1 and interface.returned <= MAX_CIPHERTEXTS and 1 <= interface.sent <= MAX_CIPHERTEXTS,
            "ciphertexts",
        ),
        (max(interface.sent, interface.returned) * interface.preset.ciphertext_bytes() < MAX_BUNDLE_BYTES, "bytes"),
        (interface.replies == interface.outputs if columns else True, "replies"),
        (columns or (interface.gather.min() >= -1 and interface.gather.max() < interface.inputs), "places"),
        (
            columns or (interface.scatter.min() >= 0 and interface.scatter.max() < interface.replies * interface.width),
            "places",
        ),
        (all(math.isfinite(x) and x > 0 for x in (interface.input_scale, interface.output_scale)), "scale"),
        (all(math.isfinite(x) and x > 0 for x in (interface.unit, interface.output_unit)), "unit"),
        (_reach(interface) < 2.0**60, "scale"),
        ((interface.encoding == "coefficients") <= (interface.preset.scheme == "bfv"), "encoding"),
        (
            0 <= interface.keys.relin <= interface.preset.levels and len(interface.keys.galois) <= MAX_GALOIS_KEYS,
            "keys",
        ),
        (all(1 <= d <= interface.preset.levels for d in interface.keys.galois.values()), "keys"),
        (all(e & 1 and 3 <= e < 2 * interface.preset.n for e in interface.keys.galois), "keys"),
    )
    for fine, name in limits:
        if not fine:
            raise _bad(f"{name} out of range")


def _reach(interface: Interface) -> float:
    """The largest value that is encoded, in units of the scale."""
    return max(abs(interface.lo), abs(interface.hi)) * interface.unit * interface.input_scale


def _from(value: dict[str, object]) -> Interface:
    preset = preset_of(_text(value["preset"]))
    encoding = _text(value["encoding"])
    if value["format"] != "fhe-interface@v1" or value["parameters"] != preset.digest:
        raise _bad("another format, or other parameters under the preset's name")
    if encoding not in ("coefficients", "slots", "columns"):
        raise _bad(f"encoding {encoding[:32]!r}")
    width = preset.n if encoding == "coefficients" else preset.slots
    gather, scatter = (np.frombuffer(cast(bytes, value[k]), "<i4").astype(np.int64) for k in ("gather", "scatter"))
    lo, hi = (_integer(x) for x in cast("list[object]", value["range"]))
    scales = cast("list[float]", value["scales"])
    if len(scales) != 4 or not all(isinstance(x, float) for x in scales):
        raise _bad("scales")
    keys = cast("dict[str, object]", value["keys"])
    galois = {_integer(e): _integer(d) for e, d in cast("list[list[object]]", keys["galois"])}
    if not isinstance(keys["public"], bool):
        raise _bad("keys")
    return Interface(
        preset,
        cast(Encoding, encoding),
        _integer(value["samples"]),
        _integer(value["inputs"]),
        _integer(value["outputs"]),
        lo,
        hi,
        gather.reshape(-1, width),
        scatter,
        _integer(value["replies"]),
        _integer(value["level"]),
        scales[0],
        scales[1],
        scales[2],
        scales[3],
        KeyDemand(keys["public"], _integer(keys["relin"]), galois),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _bad("text expected")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad("integer expected")
    return value


def _bad(message: str) -> MalformedError:
    return MalformedError("fhe.interface.malformed", message)
