# SPDX-License-Identifier: AGPL-3.0-or-later
"""Re-check without a key: honest executions pass anywhere, every kind of cheating is caught."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fhe
from circuits import Circuit, CircuitBuilder, dump_circuit
from fhe.evaluation import Evaluation
from fhe.planning import remake
from fhe.pool import EncryptedAnswer, EvaluationPool
from fhe.recheck import EncryptedClaim, recheck_encrypted
from tests.fhe.making import inputs_of, keys_for, linear, mlp, needs_seal, session

pytestmark = needs_seal
ROOT = Path(__file__).resolve().parents[2]
SEED = bytes(range(32))


@pytest.fixture(scope="module")
def pool() -> Iterator[EvaluationPool]:
    with EvaluationPool() as made:
        yield made


def served(pool: EvaluationPool, plan: fhe.EncryptedPlan, seed: bytes | None = None) -> tuple[bytes, EncryptedAnswer]:
    client = session(plan.preset.name)
    request = client.encrypt(plan.interface, inputs_of(plan.circuit, plan.interface.samples))
    return request, pool.evaluate(plan, request, keys_for(plan), seed=seed)


def test_an_honest_execution_passes(pool: EvaluationPool) -> None:
    for plan, seed in (
        (fhe.plan(linear((40, 3), 15, 7), preset="lin8"), None),
        (fhe.plan(linear((40, 3), 15, 7), preset="lin8", private=True), SEED),
        (fhe.plan(mlp((3, 2, 2), 7, 3), preset="batch-mlp-ckks", samples=4), None),
        (fhe.plan(mlp((2, 2, 1), 3, 3), preset="batch-mlp-exact", samples=4), None),
        (fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1"), None),
    ):
        request, answer = served(pool, plan, seed)
        claim = EncryptedClaim.of(plan, answer, fhe.commit_seed(seed) if seed else None)
        auditor = remake(plan.circuit, json.loads(json.dumps(plan.spec)))
        own = recheck_encrypted(claim, auditor, request, keys_for(plan), pool=pool, seed=seed)
        assert own.ciphertexts == answer.ciphertexts


def test_cheating_is_caught(pool: EvaluationPool) -> None:
    circuit, other = mlp((9, 8, 2), 3, 3), mlp((9, 8, 2), 3, 3, seed=1)
    plan = fhe.plan(circuit, preset="mlp1")
    keys = keys_for(plan)
    request, answer = served(pool, plan)
    claim = EncryptedClaim.of(plan, answer)
    swapped = pool.evaluate(fhe.plan(other, preset="mlp1"), request, keys)  # another model's weights
    skipped = pool.evaluate(fhe.plan(_first_layer_dropped(), preset="mlp1"), request, keys)
    fresh, newer = served(pool, plan)  # an answer to another request of the same client

    def verdict(said: EncryptedClaim, plan: fhe.EncryptedPlan = plan, sent: bytes = request) -> str:
        with pytest.raises(fhe.RejectedError) as rejected:
            recheck_encrypted(said, plan, sent, keys, pool=pool)
        return rejected.value.code

    assert verdict(replace(claim, answer=swapped.answer_digest)) == "fhe.recheck.answer"
    assert verdict(replace(claim, answer=skipped.answer_digest)) == "fhe.recheck.answer"
    assert verdict(replace(claim, answer=newer.answer_digest)) == "fhe.recheck.answer"
    assert verdict(claim, sent=fresh) == "fhe.recheck.request"
    assert verdict(replace(claim, request=newer.request_digest)) == "fhe.recheck.request"
    assert verdict(replace(claim, keys=bytes(32))) == "fhe.recheck.keys"
    assert verdict(replace(claim, circuit=other.digest)) == "fhe.recheck.circuit"
    assert verdict(claim, plan=fhe.plan(circuit, preset="cnn1")) == "fhe.recheck.interface"
    assert verdict(replace(claim, seed_commitment=bytes(32))) == "fhe.seed.mismatch"


def test_a_part_of_the_circuit_does_not_pass_for_the_whole(pool: EvaluationPool) -> None:
    """Same shapes, same ranges, same keys: what runs differs, and the interface that the client agreed to says so."""
    b = CircuitBuilder()
    t = b.input("x", (4,), 0, 3)
    for name in ("d", "e"):
        zeros = b.constant(f"{name}.b", np.zeros(4, int))
        t = b.gate("dense", name, [t], [b.constant(f"{name}.w", 2 * np.eye(4, dtype=int)), zeros])
    b.output("y", t)
    whole = fhe.plan(b.build(), preset="batch-lin", samples=4)
    part = fhe.plan(whole.circuit, preset="batch-lin", samples=4, stop=1)
    request, answer = served(pool, part)
    with pytest.raises(fhe.RejectedError, match=r"fhe\.recheck\.interface"):
        recheck_encrypted(EncryptedClaim.of(part, answer), whole, request, keys_for(whole), pool=pool)
    assert part.interface.digest != whole.interface.digest


def test_another_scaling_of_the_layers_between_is_another_interface() -> None:
    circuit = mlp((9, 8, 2), 3, 3)
    plan = fhe.plan(circuit, preset="mlp1", calibration=inputs_of(circuit, 20))
    shrunk = remake(circuit, plan.spec | {"magnitudes": [1, plan.magnitudes[1]]})  # the first layer overflows
    assert shrunk.interface.digest != plan.interface.digest
    assert remake(circuit, plan.spec).interface.digest == plan.interface.digest


def _first_layer_dropped() -> Circuit:
    """The first layer does nothing but drop one element."""
    b = CircuitBuilder()
    t = b.input("x", (9,), 0, 3)
    t = b.gate("dense", "d", [t], [b.constant("w", np.eye(9, 8, dtype=int)), b.constant("b", np.zeros(8, int))])
    t = b.gate("mul", "square", [t, t])
    second = mlp((9, 8, 2), 3, 3).constants[2:]
    t = b.gate("dense", "e", [t], [b.constant("v", second[0].data), b.constant("c", second[1].data)])
    b.output("y", t)
    return b.build()


def test_a_seed_that_was_not_committed_to_is_caught(pool: EvaluationPool) -> None:
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin8", private=True)
    request, answer = served(pool, plan, SEED)
    claim = EncryptedClaim.of(plan, answer, fhe.commit_seed(SEED))
    for seed in (bytes(32), None):
        with pytest.raises(fhe.RejectedError, match=r"fhe\.seed\.mismatch"):
            recheck_encrypted(claim, plan, request, keys_for(plan), pool=pool, seed=seed)
    dishonest = EncryptedClaim.of(plan, answer, fhe.commit_seed(bytes(32)))
    with pytest.raises(fhe.RejectedError, match=r"fhe\.recheck\.answer"):
        recheck_encrypted(dishonest, plan, request, keys_for(plan), pool=pool, seed=bytes(32))


ELSEWHERE = """
import json, pathlib, sys
import fhe
from circuits import load_circuit
from fhe.evaluation import Evaluation
from fhe.planning import remake
here = pathlib.Path(sys.argv[1])
plan = remake(load_circuit((here / "circuit").read_bytes()), json.loads((here / "spec").read_text()))
evaluation = Evaluation(plan, fhe.parse_keys((here / "keys").read_bytes()))
print(evaluation.run(fhe.parse_ciphertexts((here / "request").read_bytes())).digest.hex())
"""


@pytest.mark.parametrize(
    ("sizes", "preset", "samples"),
    [((40, 3), "lin8", 1), ((9, 8, 2), "mlp1", 1), ((3, 2, 2), "batch-mlp-ckks", 4), ((2, 2, 1), "batch-mlp-exact", 4)],
)
def test_the_same_bits_in_other_processes_and_with_other_thread_counts(
    tmp_path: Path, sizes: tuple[int, ...], preset: str, samples: int
) -> None:
    plan = fhe.plan(mlp(sizes, 3, 3), preset=preset, samples=samples)
    client = session(preset)
    request = client.encrypt(plan.interface, inputs_of(plan.circuit, samples))
    (tmp_path / "circuit").write_bytes(dump_circuit(plan.circuit))
    (tmp_path / "spec").write_text(json.dumps(plan.spec))
    (tmp_path / "keys").write_bytes(keys_for(plan))
    (tmp_path / "request").write_bytes(request)
    here = Evaluation(plan, fhe.parse_keys(keys_for(plan))).run(fhe.parse_ciphertexts(request)).digest.hex()
    for threads, target in (("1", "generic"), ("4", "")):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path / f"cache{threads}")}
        environment |= {f"{name}_NUM_THREADS": threads for name in ("OPENBLAS", "OMP", "NUMBA")}
        if target and sizes == (40, 3):  # compiled for the plainest processor: no wide vectors
            environment |= {"NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": "", "OPENBLAS_CORETYPE": "Prescott"}
        else:
            environment.pop("NUMBA_CACHE_DIR")
        ran = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=170,
        )
        assert ran.stdout.strip() == here, ran.stderr
