# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever is malformed gets a clear error with its code, and changes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuits import dump_circuit, encode_inputs
from node import Node, NodeError
from node.errors import MalformedError, RejectedError
from node.listed import to_arrays
from node.refusals import status_of
from node.sealed import seal_input
from node.service import Service
from node.settings import Settings
from node.submission import format_submission, parse_submission
from tests.node.making import AT, everything_below, inputs, integer_circuit, small_circuit, snapshot
from verifier.tensors import encode_tensors

CIRCUIT, INTEGERS = small_circuit(), integer_circuit()
NONCE = "ab" * 32
GOOD: dict[str, Any] = {"model": CIRCUIT.digest.hex(), "nonce": NONCE, "inputs": {"x": [[0.1, 0.2, 0.3, 0.4]]}}
ENCODED = encode_inputs(CIRCUIT, inputs(1))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(**changes: Any) -> bytes:
    """GOOD with members changed; None removes one."""
    return json.dumps({k: v for k, v in {**GOOD, **changes}.items() if v is not None}).encode()


def x(value: Any) -> bytes:
    return body(inputs={"x": value})


def opening(data: bytes) -> bytes:
    return body(inputs=None, opening=b64(data))


def integers(**values: Any) -> bytes:
    return body(model=INTEGERS.digest.hex(), inputs={"n": [[1, 2]], "flag": [[True, False]], **values})


def deep(levels: int) -> bytes:
    text = "[" * levels + "]" * levels
    return body().replace(b"[[0.1, 0.2, 0.3, 0.4]]", text.encode())


SHIFTED = {"x": ENCODED["x"] + 1000}
BAD: dict[str, tuple[bytes, int, str]] = {
    # the body
    "empty": (b"", 400, "request.body.malformed"),
    "not JSON": (b"{", 400, "request.body.malformed"),
    "not UTF-8": (b'{"model": "\xff"}', 400, "request.body.malformed"),
    "a list": (b"[]", 400, "request.body.malformed"),
    "a duplicate member": (body()[:-1] + b', "nonce": "' + NONCE.encode() + b'"}', 400, "request.body.malformed"),
    "an unknown member": (body(extra=1), 400, "request.body.malformed"),
    "an endless integer": (body().replace(b"0.1", b"1" * 5000), 400, "request.body.malformed"),
    "too deep": (deep(100_000), 400, "request.body.malformed"),
    # digests
    "no model": (body(model=None), 400, "request.model.malformed"),
    "a short model": (body(model="ab"), 400, "request.model.malformed"),
    "a model in capitals": (body(model=CIRCUIT.digest.hex().upper()), 400, "request.model.malformed"),
    "an unknown model": (body(model="00" * 32), 404, "request.model.unknown"),
    "no nonce": (body(nonce=None), 400, "request.nonce.malformed"),
    "a short nonce": (body(nonce="ab" * 31), 400, "request.nonce.malformed"),
    "a nonce that is a number": (body(nonce=7), 400, "request.nonce.malformed"),
    "a nonce with a newline": (body(nonce=NONCE + "\n"), 400, "request.nonce.malformed"),
    "a policy that is none": (body(policy="policy"), 400, "request.policy.malformed"),
    # which payload
    "no payload": (body(inputs=None), 400, "request.payload.ambiguous"),
    "two payloads": (body(sealed="AAAA"), 400, "request.payload.ambiguous"),
    "embed is a number": (body(embed_input=1), 400, "request.flag.malformed"),
    "prove is a number": (body(prove=1), 400, "request.flag.malformed"),
    "committed is a word": (body(prove=True, committed="yes"), 400, "request.flag.malformed"),
    "committed without prove": (body(committed=True), 400, "request.committed.unproved"),
    "prove a sealed input": (body(inputs=None, sealed="AAAA", prove=True), 400, "request.prove.sealed"),
    "embed a sealed input": (body(inputs=None, sealed="AAAA", embed_input=True), 400, "request.embed.sealed"),
    # lists
    "inputs is a list": (body(inputs=[1]), 400, "request.inputs.malformed"),
    "inputs is empty": (body(inputs={}), 400, "request.inputs.malformed"),
    "ragged": (x([[1, 2, 3, 4], [1]]), 400, "request.inputs.malformed"),
    "text": (x([["a", "b", "c", "d"]]), 400, "request.inputs.malformed"),
    "null": (x([[None, 0, 0, 0]]), 400, "request.inputs.malformed"),
    "true for a number": (x([[True, True, True, True]]), 400, "request.inputs.malformed"),
    "deep": (deep(70), 400, "request.inputs.malformed"),
    "a fraction for an integer": (integers(n=[[0.5, 1.0]]), 400, "request.inputs.malformed"),
    "an integer that does not fit": (integers(n=[[256, 0]]), 400, "request.inputs.malformed"),
    "a negative unsigned": (integers(n=[[-1, 0]]), 400, "request.inputs.malformed"),
    "beyond 64 bits": (integers(n=[[2**70, 0]]), 400, "request.inputs.malformed"),
    "a number for true": (integers(flag=[[1, 0]]), 400, "request.inputs.malformed"),
    # against the signature
    "NaN": (x([[float("nan"), 0, 0, 0]]), 400, "input.not-finite"),
    "infinite": (x([[float("inf"), 0, 0, 0]]), 400, "input.not-finite"),
    "overflows float32": (x([[1e300, 0, 0, 0]]), 400, "input.not-finite"),
    "out of range": (x([[1.5, 0, 0, 0]]), 400, "input.out-of-range"),
    "out of an integer's range": (integers(n=[[201, 0]]), 400, "input.out-of-range"),
    "wrong shape": (x([[0.1, 0.2, 0.3]]), 400, "input.shape"),
    "a number": (x(0.5), 400, "input.batch"),
    "no batch": (x([]), 400, "input.batch"),
    "empty samples": (x([[]]), 400, "input.shape"),
    "unequal batches": (integers(n=[[1, 2], [3, 4]]), 400, "input.batch"),
    "wrong name": (body(inputs={"y": [[0, 0, 0, 0]]}), 400, "input.missing"),
    "one name too many": (body(inputs={**GOOD["inputs"], "y": [[0]]}), 400, "input.unknown"),
    "too large a batch": (x([[0, 0, 0, 0]] * 200), 400, "request.batch.too-large"),
    # openings
    "truncated base64": (
        body(inputs=None, opening=b64(encode_tensors(ENCODED))[:-1]), 400, "request.opening.malformed",
    ),
    "base64 with blanks": (
        body(inputs=None, opening=b64(encode_tensors(ENCODED)) + "\n"), 400, "request.opening.malformed",
    ),
    "an opening that is a number": (body(inputs=None, opening=5), 400, "request.opening.malformed"),
    "no opening": (opening(b"junk"), 400, "request.opening.malformed"),
    "a truncated opening": (opening(encode_tensors(ENCODED)[:-1]), 400, "request.opening.malformed"),
    "a salted opening": (opening(encode_tensors(ENCODED, b"\x01" * 32)), 400, "request.opening.salted"),
    "integers out of bounds": (opening(encode_tensors(SHIFTED)), 400, "input.out-of-range"),
    "integers of another shape": (opening(encode_tensors({"x": np.zeros((1, 5), np.int64)})), 400, "input.shape"),
    "integers of another name": (opening(encode_tensors({"z": ENCODED["x"]})), 400, "input.missing"),
    "no tensors": (opening(encode_tensors({})), 400, "input.missing"),
    # sealed
    "a box that is none": (body(inputs=None, sealed=b64(b"x" * 99)), 400, "request.sealed.not-for-us"),
    "a box that is no base64": (body(inputs=None, sealed="%%%"), 400, "request.sealed.malformed"),
    "an empty box": (body(inputs=None, sealed=""), 400, "request.sealed.malformed"),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("node")
    node = Node(folder, clock=lambda: AT, max_elements=100 * 12)
    for circuit in (CIRCUIT, INTEGERS):
        node.models.put(dump_circuit(circuit))
    service = Service(node, Settings(folder))
    yield service
    service.close()


@pytest.mark.parametrize("name", BAD)
def test_refused_with_its_code_and_nothing_changed(service: Service, name: str) -> None:
    data, status, code = BAD[name]
    before = snapshot(service.settings.data_dir)
    with pytest.raises(NodeError) as caught:
        service.submit(data)
    error = caught.value
    assert (error.code, status_of(error)) == (code, status)
    assert error.message and "\n" not in error.message and len(error.message) < 400
    assert str(service.settings.data_dir) not in error.message
    assert service.jobs.pending() == 0
    assert snapshot(service.settings.data_dir) == before


def test_the_request_that_the_table_spoils_is_good() -> None:
    assert format_submission(parse_submission(body(inputs=None, opening=b64(encode_tensors(ENCODED)))))


def test_a_sealed_input_that_does_not_fit_is_refused_without_repeating_it(service: Service) -> None:
    keys = service.node.keys
    secret = {"x": np.array([[127, 120, 99999, 3]])}
    sealed = seal_input(keys.sealing, bytes.fromhex(NONCE), CIRCUIT.digest, secret)
    with pytest.raises(NodeError) as caught:
        service.submit(body(inputs=None, sealed=b64(sealed.box)))
    assert caught.value.code == "input.out-of-range"
    assert "99999" not in caught.value.message
    assert b"99999" not in everything_below(service.settings.data_dir)


@pytest.mark.parametrize(
    ("nonce", "model", "code"),
    [
        (b"\x01" * 32, CIRCUIT.digest, "request.sealed.nonce-mismatch"),
        (bytes.fromhex(NONCE), INTEGERS.digest, "request.sealed.model-mismatch"),
    ],
    ids=["another nonce", "another model"],
)
def test_a_box_for_another_request(service: Service, nonce: bytes, model: bytes, code: str) -> None:
    sealed = seal_input(service.node.keys.sealing, nonce, model, ENCODED)
    with pytest.raises(RejectedError) as caught:
        service.submit(body(inputs=None, sealed=b64(sealed.box)))
    assert caught.value.code == code


def test_text_among_numbers_takes_no_room() -> None:
    """numpy would give each number the room of the text: 4 TiB."""
    with pytest.raises(MalformedError) as caught:
        to_arrays(CIRCUIT, {"x": ["a" * 1_000_000, *range(1_000_000)]})
    assert caught.value.code == "request.inputs.malformed"
