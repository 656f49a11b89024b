# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against the parsers of SEV-SNP evidence: typed outcomes only, and nothing passes."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation import snp
from attestation.collateral import Collateral, Item
from attestation.errors import MalformedError, UnsupportedError
from attestation.snp.bundle import arrange, load_bundle, parse_table
from attestation.snp.report import parse_report
from attestation.snp.vek import read_vek
from tests.attestation.snp import paper, real

REFUSALS = (MalformedError, UnsupportedError)
TURIN = real.members("turin-v5")
REPORT = TURIN["report"]
PATCH = st.tuples(st.integers(0, 1183), st.binary(min_size=1, max_size=40))


def replaced(data: bytes, offset: int, octets: bytes) -> bytes:
    return data[:offset] + octets + data[offset + len(octets) :]


@pytest.mark.fuzz
@given(st.binary(max_size=1300))
def test_hostile_reports(data):
    for report in (data, REPORT[:4] + data, data.ljust(1184, b"\0")):
        with contextlib.suppress(*REFUSALS):
            assert parse_report(report).encode() == report


@pytest.mark.fuzz
@given(st.lists(PATCH, max_size=4))
def test_patched_reports(patches):
    data = REPORT
    for offset, octets in patches:
        data = replaced(data, offset, octets)
    with contextlib.suppress(*REFUSALS):
        assert parse_report(data).encode() == data
        assert real.judge({**TURIN, "report": data}).passed == (data == REPORT)


@pytest.mark.fuzz
@given(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=40))
def test_patched_certificates(offset, octets):
    whole = TURIN["certificates"]
    data = replaced(whole, offset % len(whole), octets)
    with contextlib.suppress(*REFUSALS):
        assert real.judge({**TURIN, "certificates": data}).passed == (data == whole)


@pytest.mark.fuzz
@given(st.binary(max_size=400))
def test_hostile_bundles(data):
    for parse in (load_bundle, arrange, parse_table):
        with contextlib.suppress(*REFUSALS):
            parse(data)


@pytest.mark.fuzz
@given(
    st.lists(
        st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 1 << 32), st.integers(0, 1 << 32)), max_size=5
    )
)
def test_hostile_tables(entries):
    table = b"".join(
        g + (o % (1 << 32)).to_bytes(4, "little") + (n % (1 << 32)).to_bytes(4, "little") for g, o, n in entries
    )
    with contextlib.suppress(MalformedError):
        parse_table(table + bytes(24) + TURIN["certificates"])


@pytest.mark.fuzz
@given(
    st.dictionaries(st.sampled_from(["2", "3.1", "3.2", "3.3", "3.8", "4", "5"]), st.binary(max_size=80), max_size=2)
)
def test_hostile_extensions(extensions):
    with contextlib.suppress(UnsupportedError):
        read_vek(paper.vek(extensions={**extensions}))


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_hostile_files(data):
    with contextlib.suppress(*REFUSALS):
        snp.read(data)
    for name in ("report", "certificates", "evidence"):
        with contextlib.suppress(*REFUSALS):
            snp.read(json.dumps({"report": REPORT.hex(), name: data.decode("latin-1")}).encode())


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.sampled_from(["x509", "crl", "binary"]), st.binary(max_size=200)), max_size=4))
def test_hostile_collateral(items):
    """Strangers' collateral neither breaks nor proves anything."""
    bag = Collateral(tuple(Item(kind, data) for kind, data in items))
    assert real.judge(TURIN, collateral=bag).passed
    assert not real.judge({"report": REPORT}, collateral=bag).passed


@pytest.mark.parametrize("report", ["[[1]]", '[1, "2"]', "[1.0]", "[true]", "[256]", "[-1]"])
def test_lists_that_are_not_of_octets(report):
    with pytest.raises(MalformedError) as caught:
        snp.read(f'{{"report": {report}}}'.encode())
    assert caught.value.code == "evidence.snp.raw-malformed"
