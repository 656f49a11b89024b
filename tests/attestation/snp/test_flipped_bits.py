# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every bit of real evidence flipped, one at a time: none is accepted, and every outcome is a typed one.

`make test` takes one bit in 61 (odd, so that every place in an octet is met), with `HYPOTHESIS_PROFILE=fuzz` all.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import MalformedError, UnsupportedError
from tests.attestation.snp import real
from tests.attestation.snp.real import AZURE, REPORTS, codes, judge, members

STRIDE = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 61
NAMES = [name for name in (*REPORTS, *AZURE) if name != "milan-v2-debug"]


def refuse(name: str, member: str, bit: int) -> None:
    """Flip one bit and see it refused."""
    base = members(name)
    changed = bytearray(base[member])
    changed[bit // 8] ^= 1 << bit % 8
    try:
        appraisal = judge({**base, member: bytes(changed)}, when=real.at(name))
    except (MalformedError, UnsupportedError):
        return
    assert not appraisal.passed, f"bit {bit} of {member} of {name} flipped, and accepted"
    assert codes(appraisal)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_flipped_bits(name):
    assert judge(members(name), when=real.at(name)).passed
    for number, (member, data) in enumerate(members(name).items()):
        for bit in range((number + len(name)) % STRIDE, len(data) * 8, STRIDE):
            refuse(name, member, bit)


@pytest.mark.fuzz
@given(st.sampled_from(NAMES), st.integers(0, 1 << 20))
def test_any_flipped_bit(name, number):
    base = members(name)
    for member, data in base.items():
        if 0 <= number < len(data) * 8:
            refuse(name, member, number)
        number -= len(data) * 8
