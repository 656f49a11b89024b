# SPDX-License-Identifier: AGPL-3.0-or-later
"""Workers: what they are kept from, and that nothing they do reaches this process but typed errors."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import fhe
from fhe import worker
from fhe.pool import EvaluationPool
from fhe.process import Worker, _error
from tests.fhe.hostile import Target, attack, targets
from tests.fhe.making import expected, inputs_of, keys_for, linear, mlp, needs_seal, session

pytestmark = needs_seal
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pool() -> Iterator[EvaluationPool]:
    with EvaluationPool(seconds=60) as made:
        yield made


@pytest.fixture(scope="module")
def good() -> Target:
    return targets()[0]


@pytest.mark.parametrize(
    ("sizes", "hi", "most", "preset", "samples", "seed"),
    [
        ((784, 64), 255, 127, "lin8", 1, bytes(32)),
        ((20, 5), 15, 7, "batch-lin", 8, None),
        ((20, 8, 3), 15, 7, "batch-mlp-exact", 8, None),
        ((20, 8, 3), 15, 7, "batch-mlp-ckks", 8, None),
        ((784, 64, 10), 15, 7, "mlp1", 1, None),
    ],
)
def test_every_packing_runs_in_the_sandbox(
    pool: EvaluationPool, sizes: tuple[int, ...], hi: int, most: int, preset: str, samples: int, seed: bytes | None
) -> None:
    circuit = mlp(sizes, hi, most)
    plan = fhe.plan(circuit, preset=preset, samples=samples, private=seed is not None)
    client, inputs = session(preset), inputs_of(circuit, samples)
    request = client.encrypt(plan.interface, inputs)
    answer = pool.evaluate(plan, request, keys_for(plan), seed=seed)
    again = pool.evaluate(plan, request, keys_for(plan), seed=seed)
    assert answer.answer_digest == again.answer_digest == hashlib.sha256(answer.ciphertexts).digest()
    values = client.decrypt(plan.interface, answer.ciphertexts)
    assert np.abs(values - expected(circuit, inputs)).max() <= fhe.estimate(plan).error


def test_a_dose_of_hostile_bytes(pool: EvaluationPool) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = attack(pool, 150, seed=int(time.time()))
    assert outcomes.total() == 150 and not any(code.startswith("fhe.worker.") for code in outcomes), outcomes
    assert outcomes["answer"] and len(outcomes) > 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024


def test_another_sessions_keys_give_an_answer_that_is_not_the_clients(pool: EvaluationPool) -> None:
    from fhe.client import Session

    circuit = mlp((3, 2, 2), 7, 3)
    plan = fhe.plan(circuit, preset="batch-mlp-ckks", samples=4)
    client, stranger = session("batch-mlp-ckks"), Session(plan.preset)
    inputs = inputs_of(circuit, 4)
    answer = pool.evaluate(plan, client.encrypt(plan.interface, inputs), stranger.evaluation_keys(plan.interface))
    assert np.abs(client.decrypt(plan.interface, answer.ciphertexts) - expected(circuit, inputs)).max() > 1000


def test_a_worker_that_dies_is_replaced(pool: EvaluationPool, good: Target) -> None:
    pool.evaluate(good.plan, good.request, good.keys)
    for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT):
        (process,) = [w._process for w in pool._idle if w is not None]
        os.kill(process.pid, number)
        process.wait()
        pool.evaluate(good.plan, good.request, good.keys)  # seen before it is used
    (held,) = [w for w in pool._idle if w is not None]
    held._process.send_signal(signal.SIGSTOP)
    timer = threading.Timer(0.5, held._process.kill)  # dies while the request waits
    timer.start()
    with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.died"):
        pool.evaluate(good.plan, good.request, good.keys)
    pool.evaluate(good.plan, good.request, good.keys)


def test_a_worker_that_hangs_is_killed(good: Target) -> None:
    with EvaluationPool(seconds=1) as short:
        short.enforced()
        (held,) = [w for w in short._idle if w is not None]
        held._process.send_signal(signal.SIGSTOP)
        with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.timeout"):
            short.evaluate(good.plan, good.request, good.keys)
        assert not held.alive


def test_memory_is_bounded() -> None:
    circuit = linear((784, 64), 15, 7)
    plan = fhe.plan(circuit, preset="batch-lin", samples=8)
    request = session("batch-lin").encrypt(plan.interface, inputs_of(circuit, 8))
    with EvaluationPool(memory_bytes=48 << 20) as small:
        with pytest.raises(fhe.OperationalError) as refused:
            small.evaluate(plan, request, keys_for(plan))
        assert refused.value.code in ("fhe.worker.memory", "fhe.worker.died")


def test_the_queue_is_bounded(good: Target) -> None:
    with EvaluationPool(workers=1, waiting=0, seconds=5) as narrow:
        narrow.enforced()
        (held,) = [w for w in narrow._idle if w is not None]
        held._process.send_signal(signal.SIGSTOP)
        first: list[Exception] = []

        def ask() -> None:
            try:
                narrow.evaluate(good.plan, good.request, good.keys)
            except fhe.FheError as error:
                first.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.3)
        with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.busy"):
            narrow.evaluate(good.plan, good.request, good.keys)
        held._process.send_signal(signal.SIGCONT)
        thread.join()
        assert not first


def test_a_closed_pool_is_closed(good: Target) -> None:
    closed = EvaluationPool()
    closed.close()
    with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.closed"):
        closed.evaluate(good.plan, good.request, good.keys)


def test_a_node_may_demand_more_than_the_machine_has() -> None:
    with (
        EvaluationPool(require=frozenset({"an-enclave"})) as demanding,
        pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.sandbox"),
    ):
        demanding.enforced()


def test_long_blobs_never_reach_a_worker(monkeypatch: pytest.MonkeyPatch, good: Target) -> None:
    monkeypatch.setattr("fhe.pool.MAX_BUNDLE_BYTES", 10)
    monkeypatch.setattr("fhe.pool.MAX_KEY_BYTES", 10)
    with EvaluationPool() as unused:
        for request, keys, code in (
            (bytes(11), b"", "fhe.ciphertext.too-large"),
            (b"", bytes(11), "fhe.keys.too-large"),
        ):
            with pytest.raises(fhe.MalformedError) as refused:
                unused.evaluate(good.plan, request, keys)
            assert refused.value.code == code
        with pytest.raises(fhe.MalformedError, match=r"fhe\.tenseal\.malformed"):
            unused.inspect(bytes(11))
        assert unused._idle == [None]


INSIDE = """
import json, os, socket, subprocess, sys
from fhe.sandbox import enforce
names = enforce(256 << 20)
tried = {}
for name, attempt in {
    "socket": lambda: socket.socket(),
    "raw": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "process": lambda: subprocess.run(["true"]),
    "fork": lambda: os.fork(),
    "memory": lambda: bytearray(1 << 30),
    "fine": lambda: bytearray(1 << 20),
}.items():
    try:
        attempt()
        tried[name] = "allowed"
    except (OSError, MemoryError) as error:
        tried[name] = type(error).__name__
print(json.dumps([names, tried]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="system calls are filtered on Linux only")
def test_what_the_sandbox_takes_away() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", INSIDE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    names, tried = json.loads(ran.stdout)
    assert {"rlimits", "no-new-privs", "audit"} <= set(names)
    if "seccomp" in names:
        refused = {"socket", "raw", "process", "fork"}
        assert {tried[name] for name in refused} == {"PermissionError"}
    assert tried["memory"] == "MemoryError" and tried["fine"] == "allowed"


NATIVE = """
import ctypes, sys
from fhe import sandbox
sandbox._audit = lambda: True  # the filter alone
names = sandbox.enforce(256 << 20)
libc = ctypes.CDLL(None, use_errno=True)
print("seccomp" in names, libc.socket(2, 1, 0), ctypes.get_errno(), libc.open(b"/etc/passwd", 0), ctypes.get_errno())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="system calls are filtered on Linux only")
def test_native_code_gets_no_socket_and_no_file() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", NATIVE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    seen = ran.stdout.split()
    if seen[0] == "True":
        assert seen[1:] == ["-1", "1", "-1", "1"]


def test_messages_that_break_the_format_end_the_conversation() -> None:
    sent = io.BytesIO()
    worker.write_message(sent, [b"a", b"", b"ccc"])
    assert worker.read_message(io.BytesIO(sent.getvalue())) == [b"a", b"", b"ccc"]
    for wrong in (b"", b"\x09\0\0\0", sent.getvalue()[:-1], b"\x01\0\0\0" + b"\xff" * 8):
        with pytest.raises(EOFError):
            worker.read_message(io.BytesIO(wrong))


def test_answers_that_break_the_format_are_our_fault(good: Target) -> None:
    for answer in ([], [b"ok"], [b"ok", b"{}", b""], [b"ok", b"\xff", b""], [b"ok", b"[]", good.request]):
        with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.garbled"):
            EvaluationPool._checked(good.plan, answer)
    one = fhe.parse_ciphertexts(good.request)
    two = fhe.dump_ciphertexts(fhe.Ciphertexts(one.preset, np.concatenate([one.limbs, one.limbs])))
    with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.garbled"):
        EvaluationPool._checked(good.plan, [b"ok", b'{"cpu_seconds": 1}', two])


def test_errors_of_a_worker_are_taken_only_if_they_are_ours() -> None:
    known = _error([b"error", b"RejectedError", b"fhe.request.mismatch", b"words", b"a way out"])
    assert type(known) is fhe.RejectedError and known.code == "fhe.request.mismatch" and known.remedy == "a way out"
    for forged in (
        [b"error", b"SystemExit", b"fhe.request.mismatch", b"", b""],
        [b"error", b"RejectedError", b"x", b"", b""],
        [b"error", b"RejectedError", b"fhe.request.mismatch", b""],
        [b"?"],
    ):
        assert _error(forged).code == "fhe.worker.garbled"


def test_this_process_never_makes_a_secret_key() -> None:
    """The node's side: nothing it imports can hold a secret key, nor does SEAL get loaded into it."""
    code = (
        "import sys, fhe, fhe.pool\n"
        "assert 'seal' not in sys.modules and 'fhe.client' not in sys.modules and 'numba' not in sys.modules\n"
        "names = [n for n in dir(fhe) + dir(fhe.pool) if 'secret' in n.lower()]\n"
        "assert not names, names\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
    assert not hasattr(Worker, "secret")  # the client alone has one


def test_keys_on_the_wire_hold_no_secret() -> None:
    """The secret key's residues occur in nothing that leaves the client."""
    client = session("lin8")
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin8", private=True)
    secret = client._seal.secret_limbs(client._secret)
    sent = keys_for(plan) + client.encrypt(plan.interface, inputs_of(plan.circuit, 1))
    assert secret[0, :4].astype("<u8").tobytes() not in sent
    six = secret[0, :8].astype("<u8").reshape(-1, 1).view(np.uint8)[:, :6].tobytes()
    assert six not in sent
