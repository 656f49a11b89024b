# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against every member of `tpm2-quote@v1`: typed outcomes only, and nothing passes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import MalformedError, UnsupportedError
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.certificates import load_certificate, load_chain
from attestation.tpm2.pcrs import encode_pcrs, parse_pcrs
from attestation.tpm2.public import parse_public
from attestation.tpm2.signature import parse_signature
from tests.attestation.paper import PaperTpm, judge

MEMBERS = PaperTpm().members()
KEYS = sorted(MEMBERS)
REFUSALS = (MalformedError, UnsupportedError)


@pytest.mark.fuzz
@given(st.binary(max_size=400))
def test_hostile_structures(data):
    for parse in (parse_attest, parse_public, parse_signature):
        try:
            assert parse(data).encode() == data
        except REFUSALS:
            continue


@pytest.mark.fuzz
@given(st.binary(max_size=400))
def test_hostile_pcr_listing(data):
    with contextlib.suppress(*REFUSALS):
        assert encode_pcrs(parse_pcrs(data)) == data


@pytest.mark.fuzz
@given(st.text(alphabet="sha123456789abcdef0 \n+-_", max_size=200))
def test_hostile_pcr_text(text):
    with contextlib.suppress(*REFUSALS):
        assert encode_pcrs(parse_pcrs(text.encode())) == text.encode()


@pytest.mark.fuzz
@given(
    st.sampled_from(KEYS),
    st.lists(st.tuples(st.integers(0, 8192), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 8192),
    st.binary(max_size=8),
)
def test_hostile_member_in_honest_evidence(key, edits, cut, tail):
    """Bytes replaced, a member cut, bytes appended."""
    data = bytearray(MEMBERS[key])
    for position, value in edits:
        data[position % len(data)] = value
    edited = bytes(data[: max(1, cut % (len(data) * 4))]) + tail
    try:
        appraisal = judge({**MEMBERS, key: edited})
    except REFUSALS:
        return
    # Only the log has bytes that nothing vouches for (event data and types); they support no claim.
    assert edited == MEMBERS[key] or not appraisal.passed or key == "event_log"


@pytest.mark.fuzz
@given(
    st.sampled_from(["ak_certificate", "ek_certificate"]),
    st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_hostile_certificate(key, edits):
    data = bytearray(MEMBERS[key])
    for position, value in edits:
        data[position % len(data)] = value
    for read in (load_certificate, load_chain):
        try:
            read(bytes(data))
        except REFUSALS:
            continue


@pytest.mark.fuzz
@given(st.dictionaries(st.sampled_from([*KEYS, "other"]), st.binary(max_size=64), max_size=6))
def test_hostile_members(members):
    with pytest.raises(REFUSALS):
        judge(members)
