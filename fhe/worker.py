# SPDX-License-Identifier: AGPL-3.0-or-later
"""The process that reads untrusted bytes: ``python -m fhe.worker MEMORY_BYTES``, spoken to by :mod:`fhe.pool`.

Messages on standard input and output: a count of parts (u32), their lengths (u64 each), the parts; little-endian. The
first message out says what the sandbox enforces. A job is the JSON of what to run and the SHA-256 of the blobs that the
worker may still hold; the worker answers which it lacks; then these follow. An answer is ``ok``, JSON and the
ciphertexts, or ``error``, kind, code and message. Nothing is unpickled on either side.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import time
from collections import OrderedDict
from typing import IO, TYPE_CHECKING, Any

from circuits import CircuitError, load_circuit
from fhe.errors import FheError
from fhe.limits import MAX_BUNDLE_BYTES, MAX_KEY_BYTES
from fhe.planning import EncryptedPlan, remake
from fhe.tenseal_clients import read_relin, read_tensor
from fhe.wire import EvaluationKeys, dump_ciphertexts, dump_keys, parse_ciphertexts, parse_keys

if TYPE_CHECKING:
    from fhe.evaluation import Evaluation  # needs numba, which the other side of the pipe may do without

MAX_PARTS = 8
MAX_PART_BYTES = max(MAX_BUNDLE_BYTES, MAX_KEY_BYTES, 1 << 30)
HELD_PLANS = 4
HELD_SESSIONS = 4


def write_message(stream: IO[bytes], parts: list[bytes]) -> None:
    """Send a message."""
    stream.write(struct.pack(f"<I{len(parts)}Q", len(parts), *map(len, parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def read_message(stream: IO[bytes], limit: int = MAX_PART_BYTES) -> list[bytes]:
    """Receive a message. Raises EOFError where the other side is gone or does not keep to the format."""
    (count,) = struct.unpack("<I", _exactly(stream, 4))
    if count > MAX_PARTS:
        raise EOFError("too many parts")
    lengths = struct.unpack(f"<{count}Q", _exactly(stream, 8 * count))
    if sum(lengths) > limit:
        raise EOFError("parts too long")
    return [_exactly(stream, length) for length in lengths]


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError("the stream ended")
    return data


class _Bench:
    """Plans and prepared sessions, the last few of each."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, EncryptedPlan] = OrderedDict()
        self._sessions: OrderedDict[tuple[str, str], Evaluation] = OrderedDict()

    def lacks(self, job: dict[str, str]) -> bytes:
        """One byte: 1 for the circuit, 2 for the keys."""
        keys = job["kind"] == "tenseal" or (job["plan"], job["keys"]) not in self._sessions
        return bytes([(job["plan"] not in self._plans) | 2 * keys])

    def run(self, job: dict[str, str], circuit: bytes, keys: bytes, request: bytes, seed: bytes) -> list[bytes]:
        """The parts of an answer."""
        if job["plan"] not in self._plans:
            self._plans[job["plan"]] = remake(load_circuit(circuit), json.loads(job["spec"]))
            _trim(self._plans, HELD_PLANS)
        plan = self._plans[job["plan"]]
        if job["kind"] == "tenseal":
            return self._convert(plan, keys, request)
        return self._evaluate(job, plan, keys, request, seed)

    @staticmethod
    def _convert(plan: EncryptedPlan, relin: bytes, tensor: bytes) -> list[bytes]:
        keys = read_relin(plan.interface, relin) if relin else EvaluationKeys(plan.preset)
        return [b"ok", dump_ciphertexts(read_tensor(plan.interface, tensor)), dump_keys(keys)]

    def _evaluate(
        self, job: dict[str, str], plan: EncryptedPlan, keys: bytes, request: bytes, seed: bytes
    ) -> list[bytes]:
        from fhe.evaluation import Evaluation

        session = (job["plan"], job["keys"])
        if session not in self._sessions:
            self._sessions[session] = Evaluation(plan, parse_keys(keys))
            _trim(self._sessions, HELD_SESSIONS)
        evaluation = self._sessions[session]
        self._sessions.move_to_end(session)
        parsed = parse_ciphertexts(request)
        started = time.process_time()
        answer = evaluation.run(parsed, seed or None)
        digests = {
            "interface": plan.interface.digest.hex(),
            "keys": evaluation.keys_digest.hex(),
            "request": parsed.digest.hex(),
            "answer": answer.digest.hex(),
            "cpu_seconds": time.process_time() - started,
        }
        return [b"ok", json.dumps(digests).encode(), dump_ciphertexts(answer)]


def _trim(held: OrderedDict[Any, Any], most: int) -> None:
    while len(held) > most:
        held.popitem(last=False)


def serve(memory_bytes: int, source: IO[bytes], sink: IO[bytes]) -> None:
    """Warm up, shut the door, work until the stream ends."""
    from fhe import sandbox, warm

    warm.warm()
    bench = _Bench()
    write_message(sink, [json.dumps(sandbox.enforce(memory_bytes)).encode()])
    while True:
        try:
            (head,) = read_message(source)
        except EOFError:
            return
        job = json.loads(head)
        write_message(sink, [bench.lacks(job)])
        parts = read_message(source)
        try:
            answer = bench.run(job, *parts)
        except (FheError, CircuitError) as error:
            answer = [b"error", type(error).__name__.encode(), error.code.encode(), error.message.encode()]
        except MemoryError:
            answer = [b"error", b"OperationalError", b"fhe.worker.memory", b"the memory limit of the worker is reached"]
        del parts
        write_message(sink, answer)


def digest_of(blob: bytes) -> str:
    """What a job names a blob by."""
    return hashlib.sha256(blob).hexdigest()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
