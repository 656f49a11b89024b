# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against the event log parser: typed outcomes only, one form per log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import MalformedError, UnsupportedError
from attestation.eventlog import cover, parse_event_log, replay, secure_boot, summarise
from attestation.eventlog.events import HASHABLE
from attestation.eventlog.variables import parse_variable
from tests.attestation import real
from tests.attestation.paper import boot

REFUSALS = (MalformedError, UnsupportedError)
SEEDS = [
    boot().encode(),
    real.read("go-attestation/short_no_action_eventlog"),
    real.read("eventlogs-gotpmtools/glinux-alex.bin"),
    real.read("eventlogs-gotpmtools/debian-10.bin"),
]


def exercise(data: bytes, padded: bool) -> None:
    try:
        log = parse_event_log(data, padded=padded)
    except REFUSALS:
        return
    assert log.encode() == data
    for algorithm in log.algorithms:
        if algorithm in HASHABLE:
            coverage = cover(log, algorithm, replay(log, algorithm))
            secure_boot(log, coverage)
            summarise(log, coverage)


@pytest.mark.fuzz
@given(st.binary(max_size=2000), st.booleans())
def test_hostile_log(data, padded):
    exercise(data, padded)


@pytest.mark.fuzz
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 1 << 16),
    st.binary(max_size=64),
    st.booleans(),
)
def test_hostile_edit_of_a_real_log(seed, edits, cut, tail, padded):
    data = bytearray(seed)
    for position, value in edits:
        data[position % len(data)] = value
    exercise(bytes(data[: max(1, cut % (2 * len(data)))]) + tail, padded)


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_hostile_variable(data):
    try:
        variable = parse_variable(data)
    except REFUSALS:
        return
    assert variable.encode() == data
