# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against what is read besides the quote: files, bare keys, unsorted names, IMA lists, collateral."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from attestation.collateral import Collateral, Item
from attestation.errors import EvidenceError, MalformedError, UnsupportedError
from attestation.ima import parse_ima_list
from attestation.pki.certificate import READ_ERRORS
from attestation.pki.reordered import Reordered, reorder
from attestation.tpm2 import appraise, read
from attestation.tpm2.ak import load_ak
from attestation.tpm2.certificates import load_certificate
from attestation.tpm2.vendors import PINNED_EK_ROOTS
from tests.attestation import real
from tests.attestation.ima.making import AGGREGATE, binary_list
from tests.attestation.paper import AT, CHALLENGE, PaperTpm
from tests.attestation.paper import trust as paper_trust

EDITS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6)
FILES = [
    real.read("gce-attestation/gce-cos-85-nonce9009.pb"),
    real.read("trustee/tpm_evidence.json"),
    real.read("go-attestation/windows_gcp_shielded_vm.json"),
]
UNSORTED = [der for der in PINNED_EK_ROOTS if isinstance(load_certificate(der), Reordered)]
LIST = binary_list([AGGREGATE] * 3)
BARE = PaperTpm().members(ak_certificate=None, ek_certificate=None)
SPKI = load_ak(BARE).spki
SLOWEST = 0.5
"""Seconds for any of these inputs, on a machine that does other things, too."""


def edited(data: bytes, edits: list[tuple[int, int]], cut: int) -> bytes:
    changed = bytearray(data)
    for position, value in edits:
        changed[position % len(changed)] = value
    return bytes(changed[: max(1, cut % (len(data) * 4))])


@pytest.mark.fuzz
@given(st.sampled_from(FILES), EDITS, st.integers(0, 1 << 20))
def test_hostile_files(data, edits, cut):
    start = time.perf_counter()
    try:
        assert isinstance(read(edited(data, edits, cut)), dict)
    except MalformedError as error:
        assert error.code.startswith("evidence.tpm2.raw-")  # noqa: PT017
    assert time.perf_counter() - start < SLOWEST


@pytest.mark.fuzz
@given(st.sampled_from(UNSORTED), EDITS, st.integers(0, 1 << 20))
def test_hostile_unsorted_certificates(data, edits, cut):
    candidate = edited(data, edits, cut)
    try:
        found = reorder(candidate)
    except READ_ERRORS:
        return
    if found is not None:
        assert found.public_bytes(Encoding.DER) == candidate
    try:
        assert load_certificate(candidate).public_bytes(Encoding.DER) == candidate
    except (MalformedError, UnsupportedError):
        return


@pytest.mark.fuzz
@given(EDITS, st.integers(0, 1 << 20))
def test_hostile_bare_key(edits, cut):
    members = {name: data for name, data in BARE.items() if name != "ak_public"}
    try:
        found = appraise(
            {**members, "ak_key": edited(SPKI, edits, cut)}, challenge=CHALLENGE, at=AT, trust=paper_trust()
        )
    except (MalformedError, UnsupportedError):
        return
    assert not found.passed


@pytest.mark.fuzz
@given(EDITS, st.integers(0, 1 << 20))
def test_hostile_ima_list(edits, cut):
    try:
        measured = parse_ima_list(edited(LIST, edits, cut))
    except EvidenceError:
        return
    assert measured.entries and all(len(entry.extends("sha384")) == 48 for entry in measured.entries)


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.sampled_from(["x509", "crl", "binary"]), st.binary(max_size=120)), max_size=6), EDITS)
def test_hostile_collateral(pieces, edits):
    """Whatever collateral there is, evidence that stands without it stands, and nothing else does."""
    mutants = [("x509", edited(UNSORTED[0], edits, 1 << 20)), ("binary", edited(LIST, edits, 1 << 20))]
    bag = Collateral(tuple(Item(kind, data) for kind, data in dict.fromkeys([*pieces, *mutants])))
    whole = PaperTpm().members()
    assert appraise(whole, challenge=CHALLENGE, at=AT, trust=paper_trust(), collateral=bag).passed
    assert not appraise(BARE, challenge=CHALLENGE, at=AT, trust=paper_trust(), collateral=bag).passed
