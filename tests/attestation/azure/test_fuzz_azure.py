# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against the parsers of Azure's evidence: typed outcomes only, and nothing passes."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation import azure_snp
from attestation.azure import parse_hcl_report
from attestation.azure.runtime import parse_runtime_data
from attestation.errors import MalformedError, UnsupportedError
from tests.attestation.azure.paper import CHALLENGE, hcl, judge, members, runtime

REFUSALS = (MalformedError, UnsupportedError)
EVIDENCE = members()
HCL = hcl()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["keys", "vm-configuration", "user-data", "kid", "n", "e", "kty"])


@pytest.mark.fuzz
@given(st.integers(0, len(HCL)), st.binary(max_size=64))
def test_hostile_hcl_reports(offset, octets):
    with contextlib.suppress(*REFUSALS):
        data = HCL[:offset] + octets + HCL[offset + len(octets) :]
        assert parse_hcl_report(data).encode() == data


@pytest.mark.fuzz
@given(st.binary(max_size=600))
def test_hostile_runtime_data(data):
    for content in (data, b'{"keys":' + data + b"}"):
        with contextlib.suppress(MalformedError):
            parse_runtime_data(content)


@pytest.mark.fuzz
@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_hostile_runtime_json(content):
    with contextlib.suppress(MalformedError):
        json.dumps(parse_runtime_data(json.dumps({**json.loads(runtime()), **content}).encode()).claims())


@pytest.mark.fuzz
@given(
    st.dictionaries(
        st.sampled_from(["version", "tpm_quote", "quote", "hcl_report", "report", "vcek", "evidence"]), JSON
    )
)
def test_hostile_files(content):
    with contextlib.suppress(MalformedError):
        azure_snp.read(json.dumps(content).encode())


@pytest.mark.fuzz
@given(st.sampled_from(sorted(EVIDENCE)), st.integers(0, 3000), st.binary(min_size=1, max_size=40))
def test_hostile_evidence(member, offset, octets):
    data = EVIDENCE[member]
    offset %= len(data)
    changed = data[:offset] + octets + data[offset + len(octets) :]
    if changed == data:
        return
    with contextlib.suppress(*REFUSALS):
        assert not judge({**EVIDENCE, member: changed}, CHALLENGE).passed
