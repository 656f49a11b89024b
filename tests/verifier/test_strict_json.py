# SPDX-License-Identifier: AGPL-3.0-or-later
"""JSON that two readers could read differently is refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier import MalformedError
from verifier.strict_json import MAX_BYTES, MAX_INTEGER, dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_round_trip(value):
    assert loads(dumps(value), code="c", what="w") == value


@given(st.binary(max_size=200))
def test_hostile_bytes_give_typed_errors_only(data):
    with contextlib.suppress(MalformedError):
        assert loads(data, code="c", what="w") == json.loads(data)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        "1.0",
        "1e3",
        "NaN",
        "-Infinity",
        str(MAX_INTEGER + 1),
        "9" * 5000,
        '"\\ud800"',
        "[" * 17 + "]" * 17,
        "[" * 100_000,
        '{"a":' * 50_000,
        "",
        "{} {}",
        " " * (MAX_BYTES + 1),
        "\ufeff{}",
    ],
)
def test_refused(text):
    with pytest.raises(MalformedError):
        loads(text.encode("utf-8", "surrogatepass"), code="c", what="w")


def test_brackets_in_strings_do_not_count_as_depth():
    assert loads(b'["[[[[[[[[[[[[[[[[[[[[[[\\"["]', code="c", what="w") == ['[[[[[[[[[[[[[[[[[[[[[["[']
