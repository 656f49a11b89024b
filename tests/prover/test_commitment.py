# SPDX-License-Identifier: AGPL-3.0-or-later
"""The commitment is what the verifier recomputes, and nothing about the execution escapes it."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits import encode_inputs, evaluate
from prover import commit_execution
from tests.node.making import inputs, small_circuit
from verifier import MalformedError, recheck, trace

CIRCUIT = small_circuit()


@given(batch=st.integers(1, 5), seed=st.integers(0, 1000), salt=st.sampled_from([b"", b"\x07" * 32]))
def test_it_is_what_the_verifier_recomputes(batch: int, seed: int, salt: bytes) -> None:
    encoded = encode_inputs(CIRCUIT, inputs(batch, seed))
    commitment = commit_execution(CIRCUIT, evaluate(CIRCUIT, encoded), salt)
    recomputed = recheck.recompute(CIRCUIT, encoded, salt)
    assert commitment.root == recomputed.root
    assert trace.split_leaves(commitment.leaves) == recomputed.leaves
    assert commitment.count == len(CIRCUIT.tensors)


@given(tensor=st.integers(0, len(CIRCUIT.tensors) - 1), flip=st.integers(0, 5))
def test_any_changed_element_changes_its_leaf_alone(tensor: int, flip: int) -> None:
    tensors = evaluate(CIRCUIT, encode_inputs(CIRCUIT, inputs(3)))
    honest = commit_execution(CIRCUIT, tensors)
    changed = [array.copy() for array in tensors]
    changed[tensor].flat[flip % changed[tensor].size] += 1
    other = commit_execution(CIRCUIT, changed)
    assert other.root != honest.root
    differing = [
        i
        for i, (a, b) in enumerate(
            zip(trace.split_leaves(honest.leaves), trace.split_leaves(other.leaves), strict=True)
        )
        if a != b
    ]
    assert differing == [tensor]


def test_a_salt_hides_equal_executions_from_each_other() -> None:
    tensors = evaluate(CIRCUIT, encode_inputs(CIRCUIT, inputs()))
    first = commit_execution(CIRCUIT, tensors, secrets.token_bytes(32))
    second = commit_execution(CIRCUIT, tensors, secrets.token_bytes(32))
    assert not set(trace.split_leaves(first.leaves)) & set(trace.split_leaves(second.leaves))


def test_an_incomplete_execution_is_refused() -> None:
    tensors = evaluate(CIRCUIT, encode_inputs(CIRCUIT, inputs()))
    other_batch = [*tensors[:-1], tensors[-1][:1]]
    other_shape = [*tensors[:-1], np.zeros((2, 7), dtype=np.int64)]
    for wrong in (tensors[:-1], [*tensors, tensors[0]], other_batch, other_shape):
        with pytest.raises(MalformedError) as caught:
            commit_execution(CIRCUIT, wrong)
        assert caught.value.code == "trace.leaves.malformed"
