# SPDX-License-Identifier: AGPL-3.0-or-later
"""The JSON body of ``POST /v1/inferences`` as a typed request. Parse, don't validate.

::

    {"model": hex32, "nonce": hex32, "policy": hex32?, "embed_circuit": bool?, "embed_input": bool?, "prove": bool?,
     "committed": bool?,
     and exactly one of   "inputs": {name: nested lists of numbers}
                          "opening": base64 of an opening without salt
                          "sealed": base64 of a sealed-input@v1 box
                          "encrypted": {"layout": {...}, "ciphertexts": hex32, "keys": hex32}, both sent ahead}

Unknown and duplicate members are refused. Numbers are JSON's: NaN and infinities, which some writers emit, are
read so that they can be refused by name (``input.not-finite``).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

import verifier.errors
from node.errors import MalformedError
from node.plans import Layout
from node.request import EncodedInput, EncryptedReference, ListedInput, Payload, Request, SealedInputBox
from verifier.context import NO_POLICY
from verifier.tensors import decode_tensors

_HEX32 = re.compile(r"[0-9a-f]{64}\Z")
_PAYLOADS = ("inputs", "opening", "sealed", "encrypted")
_FLAGS = ("embed_circuit", "embed_input", "prove", "committed")
_OTHERS = ("model", "nonce", "policy", *_FLAGS)
_SHOWN = 40


def parse_submission(body: bytes) -> Request:
    """Read a request.

    Raises:
        MalformedError: ``request.body.malformed``, ``request.{model,nonce,policy}.malformed``,
            ``request.payload.ambiguous``, ``request.inputs.malformed``, ``request.opening.malformed``,
            ``request.sealed.malformed``, ``request.encrypted.malformed``, ``request.layout.malformed``,
            ``request.flag.malformed``, ``request.embed.sealed``, ``request.prove.{sealed,encrypted}``,
            ``request.committed.unproved``.
    """
    value = _load(body)
    unknown = sorted(value.keys() - {*_PAYLOADS, *_OTHERS})
    if unknown:
        raise MalformedError("request.body.malformed", f"unknown members {[key[:_SHOWN] for key in unknown[:4]]}")
    return Request(
        model=_digest(value, "model"),
        nonce=_digest(value, "nonce"),
        payload=_payload(value),
        policy=_digest(value, "policy") if "policy" in value else NO_POLICY,
        embed_circuit=_flag(value, "embed_circuit"),
        embed_input=_flag(value, "embed_input"),
        prove=_flag(value, "prove"),
        committed=_flag(value, "committed"),
    )


def format_submission(request: Request) -> bytes:
    """The body for a request whose payload is encoded, sealed or listed; one request gives one body."""
    body: dict[str, Any] = {"model": request.model.hex(), "nonce": request.nonce.hex()}
    match request.payload:
        case EncodedInput(opening):
            body["opening"] = base64.b64encode(opening.encode()).decode()
        case SealedInputBox(box):
            body["sealed"] = base64.b64encode(box).decode()
        case EncryptedReference(layout, ciphertexts, keys):
            body["encrypted"] = {"layout": layout.as_json(), "ciphertexts": ciphertexts.hex(), "keys": keys.hex()}
        case ListedInput(values):
            body["inputs"] = values
        case _:
            raise MalformedError("request.inputs.malformed", "arrays have to be encoded before they are sent")
    if request.policy != NO_POLICY:
        body["policy"] = request.policy.hex()
    for name in _FLAGS:
        if getattr(request, name):
            body[name] = True
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


class _DuplicateError(ValueError):
    """Carries a message out of the decoder."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateError("a member stands twice")
    return found


def _load(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_pairs)
    except _DuplicateError as error:
        raise MalformedError("request.body.malformed", f"body: {error}") from None
    except RecursionError:
        raise MalformedError("request.body.malformed", "body: nested too deeply") from None
    except ValueError:  # JSONDecodeError, UnicodeDecodeError, an integer with thousands of digits
        raise MalformedError("request.body.malformed", "body: not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise MalformedError("request.body.malformed", "body: an object required")
    return value


def _digest(value: Mapping[str, Any], key: str) -> bytes:
    found = value.get(key)
    if not isinstance(found, str) or not _HEX32.match(found):
        shown = f"{len(found)} characters" if isinstance(found, str) else type(found).__name__
        raise MalformedError(f"request.{key}.malformed", f"{key}: 32 bytes in lower-case hex required, found {shown}")
    return bytes.fromhex(found)


def _flag(value: Mapping[str, Any], key: str) -> bool:
    found = value.get(key, False)
    if not isinstance(found, bool):
        raise MalformedError("request.flag.malformed", f"{key}: true or false required")
    return found


def _payload(value: Mapping[str, Any]) -> Payload:
    given = [key for key in _PAYLOADS if key in value]
    if len(given) != 1:
        raise MalformedError(
            "request.payload.ambiguous", f"exactly one of {', '.join(_PAYLOADS)} required, found {given}"
        )
    if given == ["inputs"]:
        inputs = value["inputs"]
        if not isinstance(inputs, dict) or not inputs:
            raise MalformedError("request.inputs.malformed", "inputs: an object of nested lists by name required")
        return ListedInput(inputs)
    if given == ["encrypted"]:
        return _encrypted(value["encrypted"])
    data = _base64(value[given[0]], given[0])
    if given == ["sealed"]:
        return SealedInputBox(data)
    try:
        return EncodedInput(decode_tensors(data))
    except verifier.errors.MalformedError as error:
        raise MalformedError("request.opening.malformed", f"opening: {error.message}") from None


def _encrypted(value: object) -> EncryptedReference:
    digests = ("ciphertexts", "keys")
    if not isinstance(value, dict) or value.keys() != {"layout", *digests}:
        raise MalformedError("request.encrypted.malformed", "encrypted: layout, ciphertexts and keys required")
    if not all(isinstance(value[key], str) and _HEX32.match(value[key]) for key in digests):
        raise MalformedError(
            "request.encrypted.malformed", "encrypted: ciphertexts and keys as 32 bytes in lower-case hex required"
        )
    ciphertexts, keys = (bytes.fromhex(value[key]) for key in digests)
    return EncryptedReference(Layout.of(value["layout"]), ciphertexts, keys)


def _base64(text: object, key: str) -> bytes:
    if isinstance(text, str):
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if data and base64.b64encode(data).decode() == text:
            return data
    raise MalformedError(f"request.{key}.malformed", f"{key}: canonical base64 (RFC 4648, section 4) required")
