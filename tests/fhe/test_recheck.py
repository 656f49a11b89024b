# SPDX-License-Identifier: AGPL-3.0-or-later
"""Re-check without a key: honest executions pass anywhere, every kind of cheating is caught."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import fhe
from circuits import Circuit, CircuitBuilder, dump_circuit
from fhe.evaluation import Evaluation
from fhe.planning import remake
from fhe.pool import EncryptedAnswer, EvaluationPool
from tests.fhe.making import inputs_of, keys_for, linear, mlp, needs_seal, session

pytestmark = needs_seal
ROOT = Path(__file__).resolve().parents[2]
SEED = bytes(range(32))


@pytest.fixture(scope="module")
def pool() -> Iterator[EvaluationPool]:
    with EvaluationPool() as made:
        yield made


def served(pool: EvaluationPool, plan: fhe.EncryptedPlan, request: bytes, seed: bytes | None = None) -> EncryptedAnswer:
    return pool.evaluate(plan, request, keys_for(plan), seed=seed)


def asked(plan: fhe.EncryptedPlan) -> bytes:
    return session(plan.preset.name).encrypt(plan.interface, inputs_of(plan.circuit, plan.interface.samples))


def test_an_honest_execution_gives_the_same_answer_again(pool: EvaluationPool) -> None:
    for plan, seed in (
        (fhe.plan(linear((40, 3), 15, 7), preset="lin8"), None),
        (fhe.plan(linear((40, 3), 15, 7), preset="lin8", private=True), SEED),
        (fhe.plan(mlp((3, 2, 2), 7, 3), preset="batch-mlp-ckks", samples=4), None),
        (fhe.plan(mlp((2, 2, 1), 3, 3), preset="batch-mlp-exact", samples=4), None),
        (fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1"), None),
    ):
        request = asked(plan)
        answer = served(pool, plan, request, seed)
        auditor = remake(plan.circuit, json.loads(json.dumps(plan.spec)))
        with EvaluationPool() as elsewhere:
            own = elsewhere.evaluate(auditor, request, keys_for(plan), seed=seed)
        assert own.ciphertexts == answer.ciphertexts and own.answer_digest == answer.answer_digest


def test_cheating_shows_in_the_answer(pool: EvaluationPool) -> None:
    circuit, other = mlp((9, 8, 2), 3, 3), mlp((9, 8, 2), 3, 3, seed=1)
    plan = fhe.plan(circuit, preset="mlp1")
    request, newer = asked(plan), asked(plan)
    honest, keys = served(pool, plan, request).answer_digest, keys_for(plan)
    swapped = fhe.plan(other, preset="mlp1")  # another model's weights
    skipped = fhe.plan(_first_layer_dropped(), preset="mlp1")
    answers = {pool.evaluate(cheat, request, keys).answer_digest for cheat in (swapped, skipped)}
    answers.add(served(pool, plan, newer).answer_digest)  # an answer to another request of the same client
    assert len(answers) == 3 and honest not in answers


def test_another_seed_gives_another_answer(pool: EvaluationPool) -> None:
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin8", private=True)
    request = asked(plan)
    assert served(pool, plan, request, SEED).answer_digest != served(pool, plan, request, bytes(32)).answer_digest
    with pytest.raises(fhe.RejectedError, match=r"fhe\.seed\.mismatch"):
        fhe.open_seed(bytes(32), fhe.commit_seed(SEED))


def test_a_part_of_the_circuit_does_not_pass_for_the_whole() -> None:
    """Same shapes, same ranges, same keys: what runs differs, and the interface that the client agreed to says so."""
    b = CircuitBuilder()
    t = b.input("x", (4,), 0, 3)
    for name in ("d", "e"):
        zeros = b.constant(f"{name}.b", np.zeros(4, int))
        t = b.gate("dense", name, [t], [b.constant(f"{name}.w", 2 * np.eye(4, dtype=int)), zeros])
    b.output("y", t)
    whole = fhe.plan(b.build(), preset="batch-lin", samples=4)
    part = fhe.plan(whole.circuit, preset="batch-lin", samples=4, stop=1)
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
