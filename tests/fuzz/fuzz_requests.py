# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzz targets of what clients send to a node and nodes to a client: only typed errors, one encoding per request.

`python -m tests.fuzz.fuzz_requests CORPUS` runs the submission's target under atheris, where that is installed.
"""

from __future__ import annotations

import sys

from affidavit.errors import ClientError
from affidavit.wire import read_identity, read_job
from node.errors import NodeError
from node.keys import NodeKeys
from node.request import ListedInput
from node.sealed import ReplyKey, seal_answer, unseal_input
from node.submission import format_submission, parse_submission
from verifier.tensors import Opening

_KEYS = NodeKeys(b"\x01" * 32, b"\x02" * 32)
_NONCE, _MODEL = bytes(range(32)), b"\x07" * 32


def fuzz_submission(data: bytes) -> None:
    """Read a hostile request; one that is read is the same again after it was written."""
    try:
        request = parse_submission(data)
    except NodeError:
        return
    if isinstance(request.payload, ListedInput):
        return  # decimal fractions have many spellings
    if parse_submission(format_submission(request)).payload != request.payload and request.sealed:
        raise RuntimeError("a sealed request changed on the way through its encoding")


def fuzz_sealed_content(data: bytes) -> None:
    """Read the hostile content of a box that opens: the sealed box itself is libsodium's."""
    try:
        unsealed = unseal_input(lambda _: data, b"", _NONCE, _MODEL)
    except NodeError:
        return
    reply = unsealed.reply_key
    if data != b"AFFSEAL1" + _NONCE + _MODEL + reply + unsealed.opening.encode():
        raise RuntimeError("a sealed input has two encodings")
    seal_answer(reply, _NONCE, Opening({}, unsealed.opening.salt))


def fuzz_box(data: bytes) -> None:
    """Open hostile ciphertexts, as the node and as the client."""
    for call in (
        lambda: unseal_input(_KEYS.unseal, data, _NONCE, _MODEL),
        lambda: ReplyKey().open_answer(data, _NONCE),
    ):
        try:
            call()
        except NodeError:
            continue
        raise RuntimeError("a box that nobody sealed was opened")


def fuzz_answers(data: bytes) -> None:
    """Read a hostile node's JSON."""
    for read in (read_job, read_identity):
        try:
            read(data)
        except ClientError:
            continue


if __name__ == "__main__":
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz_submission)
    atheris.Fuzz()
