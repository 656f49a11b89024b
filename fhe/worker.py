# SPDX-License-Identifier: AGPL-3.0-or-later
"""The process that reads untrusted bytes: ``python -m fhe.worker MEMORY_BYTES``, spoken to by :mod:`fhe.pool`.

Messages on standard input and output: a count of parts (u32), their lengths (u64 each), the parts; little-endian. The
first message out says what the sandbox enforces. A job is the JSON of what to run and the SHA-256 of the blobs that the
worker may still hold; the worker answers which it lacks; then these follow. An answer is ``ok``, JSON and the
ciphertexts, or ``error``, kind, code, message and remedy. Nothing is unpickled on either side, and no digest that a
worker names is believed.
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
from fhe.tenseal_clients import is_tenseal, read_tenseal
from fhe.tenseal_contexts import inspect, read_context
from fhe.wire import dump_ciphertexts, parse_ciphertexts, parse_keys

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
        if job["kind"] == "inspect":
            return bytes([0])
        return bytes([(job["plan"] not in self._plans) | 2 * ((job["plan"], job["keys"]) not in self._sessions)])

    def run(self, job: dict[str, str], circuit: bytes, keys: bytes, request: bytes, seed: bytes) -> list[bytes]:
        """The parts of an answer."""
        if job["kind"] == "inspect":
            return [b"ok", inspect(request).encode()]
        if job["plan"] not in self._plans:
            self._plans[job["plan"]] = remake(load_circuit(circuit), json.loads(job["spec"]))
            _trim(self._plans, HELD_PLANS)
        plan = self._plans[job["plan"]]
        return self._evaluate(job, plan, keys, request, seed)

    def _evaluate(
        self, job: dict[str, str], plan: EncryptedPlan, keys: bytes, request: bytes, seed: bytes
    ) -> list[bytes]:
        from fhe.evaluation import Evaluation

        session = (job["plan"], job["keys"])
        if session not in self._sessions:
            read = read_context(plan.interface, keys) if is_tenseal(keys) else parse_keys(keys)
            self._sessions[session] = Evaluation(plan, read)
            _trim(self._sessions, HELD_SESSIONS)
        evaluation = self._sessions[session]
        self._sessions.move_to_end(session)
        parsed = read_tenseal(plan.interface, request) if is_tenseal(request) else parse_ciphertexts(request)
        started = time.process_time()
        answer = evaluation.run(parsed, seed or None)
        taken = {"cpu_seconds": time.process_time() - started}
        return [b"ok", json.dumps(taken).encode(), dump_ciphertexts(answer)]


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
        except FheError as error:
            answer = _refusal(type(error).__name__, error.code, error.message, error.remedy)
        except CircuitError as error:  # the node's own circuit, by codes that are not this room's
            answer = _refusal("OperationalError", "fhe.worker.circuit", f"{error.code}: {error.message}", "")
        except MemoryError:
            answer = _refusal("OperationalError", "fhe.worker.memory", "the memory limit of the worker is reached", "")
        del parts
        write_message(sink, answer)


def _refusal(*parts: str) -> list[bytes]:
    return [b"error", *(part.encode() for part in parts)]


def digest_of(blob: bytes) -> str:
    """What a job names a blob by."""
    return hashlib.sha256(blob).hexdigest()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
