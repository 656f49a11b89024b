# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against every parser of the core: only typed outcomes, and nothing but the genuine file is accepted."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier import Known, MalformedError, RejectedError, Verdict, parse_policy, read_affidavit, verify
from verifier.container import read_container, write_container
from verifier.dsse import parse_envelope, sign_envelope
from verifier.inspection import inspect_affidavit
from verifier.receipt import parse_receipt
from verifier.recheck import parse_recheck
from verifier.statement import Statement, parse_statement
from verifier.strict_json import loads
from verifier.tensors import decode_tensors
from verifier.trace import split_leaves

from .making import AT, NODE, NONCE, Making, inputs, public, small_circuit, trusting

pytestmark = pytest.mark.fuzz

GENUINE = Making().build()
MEMBERS = read_container(GENUINE)
PREDICATE = Making().receipt().statement().predicate
KNOWN = Known(small_circuit(), inputs(), NONCE)
POLICY = trusting()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 1 << 54) | st.text(max_size=70) | st.just("0a" * 32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.binary(max_size=600))
def test_bytes(data):
    assert verify(data, at=AT, policy=POLICY, known=KNOWN).verdict is Verdict.MALFORMED
    for parse in (
        read_container,
        parse_policy,
        decode_tensors,
        split_leaves,
        lambda raw: parse_envelope(raw, "e"),
        lambda raw: parse_statement(raw, "s"),
        lambda raw: loads(raw, code="c", what="w"),
    ):
        with contextlib.suppress(MalformedError):
            parse(data)


@given(st.integers(0, len(GENUINE)), st.integers(0, 64), st.binary(max_size=64))
def test_splices(offset, cut, patch):
    mutant = GENUINE[:offset] + patch + GENUINE[offset + cut :]
    result = verify(mutant, at=AT, policy=POLICY, known=KNOWN)
    assert (result.verdict is Verdict.ACCEPT) == (mutant == GENUINE)


@given(st.sampled_from(sorted(MEMBERS)), st.integers(0, 4000), st.integers(0, 16), st.binary(max_size=16))
def test_splices_inside_a_member_of_a_well_formed_container(name, offset, cut, patch):
    content = MEMBERS[name]
    changed = content[:offset] + patch + content[offset + cut :]
    mutant = write_container({**MEMBERS, name: changed})
    with contextlib.suppress(MalformedError, RejectedError):
        inspect_affidavit(read_affidavit(mutant))
    result = verify(mutant, at=AT, policy=POLICY, known=KNOWN)
    assert (result.verdict is Verdict.ACCEPT) == (changed == content)


@given(st.lists(st.sampled_from(sorted(PREDICATE)), min_size=1, max_size=3), JSON)
def test_receipts_that_the_node_signs_with_anything_in_them(keys, value):
    """Signed by the trusted node itself: typed outcomes; and an answer only if every digest still holds."""
    predicate: dict[str, Any] = {**PREDICATE, **dict.fromkeys(keys, value)}
    statement = Statement("output", Making().receipt().output, "urn:affidavit:receipt:v1", predicate)
    with contextlib.suppress(MalformedError):
        parse_receipt(statement)
    with contextlib.suppress(MalformedError):
        parse_recheck(statement)

    class Odd(Making):
        def envelope(self):
            return sign_envelope(statement.encode(), public_key=public(NODE), sign=NODE.sign)

    result = verify(Odd().build(), at=AT, policy=POLICY, known=KNOWN)
    assert result.verdict is not Verdict.ERROR
    if result.verdict is Verdict.ACCEPT:
        descriptive = {"meta", "execution", "receivedAt"}
        assert {key for key in keys if predicate[key] != PREDICATE[key]} <= descriptive
