# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark says a run could not be faster than is counted from the run."""

from __future__ import annotations

import pytest

import fhe
from benchmarks.floors import floor_of, work_of
from fhe.evaluation import Evaluation
from tests.fhe.making import inputs_of, keys_for, linear, mlp, needs_seal, session

pytestmark = needs_seal


def counted(plan: fhe.EncryptedPlan) -> dict[str, object]:
    request = session(plan.preset.name).encrypt(plan.interface, inputs_of(plan.circuit, plan.interface.samples))
    return work_of(Evaluation(plan, fhe.parse_keys(keys_for(plan))), fhe.parse_ciphertexts(request))


def test_one_layer_in_coefficients_is_memory_alone() -> None:
    work = counted(fhe.plan(linear((40, 3), 15, 7), preset="lin8"))
    assert work["transforms"] == {} and work["operations"] == 0
    each = 2 * 4096 * 8  # limbs of one polynomial in two moduli
    assert work["bytes"] == 2 * each + 2 * each + each + each  # request, answer, weights, bias


def test_columns_are_products_and_diagonals_transforms() -> None:
    plan = fhe.plan(linear((6, 3), 15, 7), samples=8, preset="batch-lin")
    work = counted(plan)
    digits = 2  # 54 bits of modulus, 53 of mantissa less those of the weights
    assert work["operations"] == 2 * 3 * 6 * 2 * 4096 * digits and work["transforms"] == {}
    deep = counted(fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1"))
    assert deep["transforms"].keys() == {8192} and deep["operations"] == 0  # type: ignore[attr-defined]
    keys = fhe.parse_keys(keys_for(fhe.plan(mlp((9, 8, 2), 3, 3), preset="mlp1")))
    assert deep["bytes"] > sum(key.nbytes for key in keys.galois.values())  # type: ignore[operator]


def test_the_largest_bound_is_the_floor() -> None:
    work = {"transforms": {4096: 10}, "bytes": 1000, "operations": 4000}
    rates = {"transform_4096_s": 0.1, "copy_bytes_per_s": 1000.0, "operations_per_s": 1000.0}
    found = floor_of(work, rates, 2, 6.0)
    assert found["seconds"] == {"transforms": 0.5, "memory": 0.5, "products": 2.0}
    assert found["bound"] == "products" and found["distance"] == pytest.approx(3.0)
