# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against the parsers of Intel's evidence: typed outcomes only, and nothing passes."""

from __future__ import annotations

import contextlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation import azure_tdx, sgx, tdx
from attestation.errors import EvidenceError, MalformedError, UnsupportedError
from attestation.intel.documents import UnreadableError, parse_qe_identity, parse_tcb_info
from attestation.intel.enclave import parse_enclave_report
from attestation.intel.pck import _read
from attestation.intel.pem import parse_chain
from attestation.intel.quote import SGX, TDX, parse_quote, quote_length
from attestation.tdx.report import parse_td_report
from tests.attestation.intel.judging import judge, vector
from tests.attestation.intel.making import AT, FMSPC, Paper, sgx_extension

pytestmark = pytest.mark.fuzz


@cache
def quotes():
    return (Paper().quote(), Paper(version=5).quote(), Paper(tdx=False, version=3).quote())


@st.composite
def mutated(draw, bases):
    """A good input with a few bytes changed, removed, doubled or put in."""
    data = bytearray(draw(st.sampled_from(bases)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from("sdri"))
        piece = draw(st.binary(max_size=8))
        if kind == "s":
            data[start : start + len(piece)] = piece
        elif kind == "d":
            del data[start : start + draw(st.integers(1, 64))]
        elif kind == "r":
            data[start:start] = data[start : start + 64]
        else:
            data[start:start] = piece
    return bytes(data)


@given(st.data())
def test_quotes(data):
    quote = data.draw(st.binary(max_size=2000) | mutated(quotes()))
    for tee, prefix in ((TDX, "evidence.tdx"), (SGX, "evidence.sgx")):
        with contextlib.suppress(MalformedError, UnsupportedError):
            parsed = parse_quote(quote, tee, prefix)
            assert parsed.encode() == quote and quote_length(quote, tee, prefix) == len(quote)


@given(st.data())
def test_appraisals(data):
    quote = data.draw(mutated(quotes()))
    paper = Paper() if quote[4:5] == b"\x81" else Paper(tdx=False, version=3)
    with contextlib.suppress(MalformedError, UnsupportedError):
        assert not judge(paper, quote).passed or quote in quotes()


@given(st.data())
def test_chains(data):
    chain = parse = data.draw(st.binary(max_size=300) | mutated([Paper().quote()[-2600:]]))
    with contextlib.suppress(MalformedError):
        assert 2 <= len(parse_chain(parse, "evidence.tdx")) <= 3 and chain


@given(st.data())
def test_extensions(data):
    good = sgx_extension(bytes([200] * 16), 13, FMSPC)
    extension = data.draw(st.binary(max_size=200) | mutated([good]))
    with contextlib.suppress(ValueError, KeyError, IndexError):
        assert len(_read(extension).components) == 16


@given(st.binary(max_size=700))
def test_reports(data):
    for parse in (parse_td_report, lambda data: parse_enclave_report(data, "evidence.sgx.report")):
        with contextlib.suppress(MalformedError):
            parse(data)


@given(st.data())
def test_documents(data):
    body = data.draw(st.binary(max_size=200) | mutated([Paper().tcb_info_body(), Paper().qe_identity_body()]))
    for parse in (parse_tcb_info, parse_qe_identity):
        with contextlib.suppress(UnreadableError):
            parse(body)


@cache
def files():
    return (
        vector("tdx/dstack/tdx-lite-getquote.json"),
        vector("tdx/trustee-az-tdx-vtpm/evidence-v1.json"),
        vector("tdx/dcap-qvl/tdx-quote.hex"),
        *quotes(),
    )


@given(st.data())
def test_files(data):
    file = data.draw(st.binary(max_size=500) | mutated(files()))
    for scheme in (tdx, sgx, azure_tdx):
        with contextlib.suppress(MalformedError):
            members = scheme.read(file)
            with contextlib.suppress(EvidenceError):
                scheme.appraise(members, challenge=None, at=AT, trust=scheme.FORMAT.trust_class())
