# SPDX-License-Identifier: AGPL-3.0-or-later
"""Workers that fail, answer nonsense or cannot be made: typed errors, nothing left behind, the pool goes on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import fhe
from fhe.pool import EvaluationPool
from fhe.process import Worker
from tests.fhe.hostile import Target, targets
from tests.fhe.making import inputs_of, keys_for, mlp, needs_seal, session

pytestmark = needs_seal


@pytest.fixture(scope="module")
def pool() -> Iterator[EvaluationPool]:
    with EvaluationPool(seconds=60) as made:
        yield made


@pytest.fixture(scope="module")
def good() -> Target:
    return targets()[0]


def test_ciphertexts_that_cancel_out_are_refused_by_a_worker_that_lives_on(pool: EvaluationPool) -> None:
    """Whoever knows the weights can make requests whose masks vanish before a square."""
    plan = fhe.plan(mlp((3, 2, 2), 7, 3), preset="batch-mlp-exact", samples=4)
    request = fhe.parse_ciphertexts(session("batch-mlp-exact").encrypt(plan.interface, inputs_of(plan.circuit, 4)))
    limbs, (first, second) = request.limbs.copy(), plan.network.layers[0].matrix
    moduli = np.array(plan.preset.moduli[: request.level], object)[:, None]
    kernel = np.cross(first, second)  # times any polynomial: zero behind both outputs
    limbs[:, 1] = np.stack([(limbs[0, 1].astype(object) * int(k) % moduli).astype(np.uint64) for k in kernel])
    pool.evaluate(plan, fhe.dump_ciphertexts(request), keys_for(plan))
    (before,) = [w for w in pool._idle if w is not None]
    bad = fhe.dump_ciphertexts(fhe.Ciphertexts(plan.preset, limbs))
    with pytest.raises(fhe.MalformedError, match=r"fhe\.ciphertext\.transparent"):
        pool.evaluate(plan, bad, keys_for(plan))
    assert before.alive and pool._idle == [before]


@pytest.mark.parametrize(
    "details",
    [
        b"[" * 100_000,
        json.dumps({"cpu_seconds": 10**400}).encode(),
        b"{}",
    ],
    ids=["nested", "endless", "short"],
)
def test_a_worker_that_answers_nonsense_is_killed(
    good: Target, details: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EvaluationPool(seconds=30) as watched:
        watched.enforced()
        (held,) = [w for w in watched._idle if w is not None]
        monkeypatch.setattr(Worker, "run", lambda *_: [b"ok", details, good.request, b""])
        with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.garbled"):
            watched.evaluate(good.plan, good.request, good.keys)
        assert not held.alive
        with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.garbled"):
            watched.inspect(b"\x0a")  # neither of the two words that are agreed


def test_a_place_survives_a_process_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, good: Target) -> None:
    def none(*_: object, **__: object) -> object:
        raise BlockingIOError("no more processes")

    with EvaluationPool(workers=1) as pressed:
        with monkeypatch.context() as patch:
            patch.setattr("fhe.process.subprocess.Popen", none)
            with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.died"):
                pressed.enforced()
        pressed.evaluate(good.plan, good.request, good.keys)


@pytest.mark.parametrize(
    "greeting", ["", "import os,sys; os.write(1, b'\\1\\0\\0\\0' + (1).to_bytes(8, 'little') + b'{')"]
)
def test_a_process_that_does_not_greet_is_not_left_behind(monkeypatch: pytest.MonkeyPatch, greeting: str) -> None:
    made: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def other(_: list[str], **options: object) -> subprocess.Popen[bytes]:
        made.append(popen([sys.executable, "-c", greeting], **options))  # type: ignore[call-overload]
        return made[-1]

    monkeypatch.setattr("fhe.process.subprocess.Popen", other)
    with EvaluationPool() as deaf, pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.(died|garbled)"):
        deaf.enforced()
    assert len(made) == 1 and made[0].returncode is not None


def test_a_worker_that_lies_about_what_it_read_changes_no_digest(good: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a receipt names is digested where the bytes came in, whatever a worker says of others."""
    honest = Worker.run
    lies = dict.fromkeys(("interface", "keys", "request", "answer"), "ab" * 32)

    def lying(self: Worker, *job: object) -> list[bytes]:
        ok, details, answer = honest(self, *job)  # type: ignore[arg-type]
        return [ok, json.dumps(json.loads(details) | lies).encode(), answer]

    monkeypatch.setattr(Worker, "run", lying)
    with EvaluationPool() as watched:
        answer = watched.evaluate(good.plan, good.request, good.keys)
    assert answer.answer_digest == hashlib.sha256(answer.ciphertexts).digest()


def test_a_circuit_that_a_worker_cannot_read_has_a_code_of_its_own(
    good: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhe.process.dump_circuit", lambda circuit: b"no circuit")
    with EvaluationPool() as watched:
        with pytest.raises(fhe.OperationalError, match=r"fhe\.worker\.circuit: circuit\."):
            watched.evaluate(good.plan, good.request, good.keys)
        monkeypatch.undo()
        watched.evaluate(good.plan, good.request, good.keys)
