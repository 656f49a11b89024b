# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every single bit of real and paper quotes: no flip is accepted, each has a typed outcome."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from attestation import sgx, tdx
from attestation.collateral import EMPTY
from attestation.errors import MalformedError, UnsupportedError
from tests.attestation.intel.judging import collateral, vector

pytest.importorskip("dcap_qvl")

NORMAL_STEP = 61
"""A prime: over the runs of a byte every bit position comes up."""

TOLERANT = frozenset({"UpToDate", "ConfigurationAndSWHardeningNeeded"})
JUNE, MARCH = datetime(2025, 6, 20, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC)
CASES = {
    "tdx v4": (tdx, "tdx/dcap-qvl/tdx_quote", "tdx/dcap-qvl/tdx_quote_collateral.json", JUNE),
    "tdx v5": (tdx, "tdx/google/quote_v5_sample.dat", "tdx/attestation-rs-collateral/*", MARCH),
    "sgx v3": (sgx, "sgx/dcap-qvl/sgx_quote", "sgx/dcap-qvl/*.json", JUNE),
}


def accepted(scheme, data, files, at):
    """Whether the file, as its source gives it, passes."""
    try:
        members = scheme.read(data)
        trust = scheme.FORMAT.trust_class(tcb_statuses=TOLERANT)
        return scheme.appraise(members, challenge=None, at=at, trust=trust, collateral=files).passed
    except (MalformedError, UnsupportedError):
        return False


def flips(case, step, first=0):
    scheme, name, pattern, at = case
    data, files = vector(name), collateral(pattern)
    assert accepted(scheme, data, files, at)
    found = []
    for bit in range(first, len(data) * 8, step):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        if accepted(scheme, bytes(flipped), files, at):
            found.append(bit)
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_no_flipped_bit_is_accepted(case):
    assert flips(case, NORMAL_STEP) == []


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_no_flipped_bit_at_all_is_accepted(case):
    assert flips(case, 1) == []


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_no_other_length_is_accepted(case):
    scheme, name, pattern, at = case
    data, files = vector(name), collateral(pattern)
    lengths = [*range(0, len(data), 97), *range(len(data) - 75, len(data))]
    # Of the one quote that comes in a buffer: its own end, and where a buffer of whole 64 bytes ends.
    expected = [4936, 4992] if name.endswith("tdx_quote") else []
    assert [size for size in lengths if accepted(scheme, data[:size], files, at)] == expected
    for tail in (b"\0", b"\n", b"\0" * 3, b"\1" * 58, data, data[-70:]):
        assert not accepted(scheme, data + tail, files, at)


def test_a_member_has_one_form():
    """Buffers are files, not evidence: the member ends where the quote does."""
    quote = tdx.read(vector("tdx/dcap-qvl/tdx_quote"))["quote"]
    assert len(quote) == 4936
    for tail in (b"\0", b"\0" * 70):
        with pytest.raises(MalformedError) as caught:
            tdx.appraise(
                {"quote": quote + tail}, challenge=None, at=datetime(2026, 1, 1, tzinfo=UTC), trust=tdx.TdxTrust(),
                collateral=EMPTY,
            )  # fmt: skip
        assert caught.value.code == "evidence.tdx.quote-trailing"
