# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each signature's statement is known by itself: of every device of a set, of every piece of a collection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation import nvidia, simulated, tpm2
from attestation.cmw import FORMAT as CMW
from attestation.cmw import Collection, Piece, encode
from attestation.formats import FORMATS
from attestation.simulated import SimulatedEvidence
from attestation.snp import FORMAT as SNP
from attestation.statements import signed_body, signed_statements, statement_digests
from tests.attestation.cmw.making import SESSION, collection
from tests.attestation.nvidia import paper as gpu
from tests.attestation.snp import real

GPU = nvidia.FORMAT


def cmw(pieces: dict[str, Piece]) -> frozenset[bytes]:
    return statement_digests(CMW, {"collection": encode(Collection(SESSION, pieces))})


@pytest.mark.parametrize("format_", [nvidia.FORMAT, nvidia.SWITCH_FORMAT])
def test_each_device_of_a_set(format_):
    one, two, three = (gpu.members(gpu.device(number)) for number in range(3))
    both = gpu.members(gpu.device(0), gpu.device(1))
    parts = statement_digests(format_, both)
    assert len(parts) == 2 and parts == statement_digests(format_, {**both, "chain_0": b"other"})
    assert parts & statement_digests(format_, one) and parts & statement_digests(format_, two)
    assert not parts & statement_digests(format_, three)
    assert not parts & statement_digests(format_, gpu.members(gpu.device(0), nonce=bytes(32)))


def test_another_signature_over_the_same_report_is_the_same_statement():
    members = gpu.members(gpu.device(0))
    again = {**members, "report_0": members["report_0"][:-1] + bytes([members["report_0"][-1] ^ 1])}
    assert statement_digests(GPU, members) == statement_digests(GPU, again)


def test_each_piece_of_a_collection_and_the_same_outside_of_it():
    pieces = dict(collection().pieces)
    whole = cmw(pieces)
    assert len(whole) == len(pieces) == 2
    for label, piece in pieces.items():
        alone = statement_digests(tpm2.FORMAT, piece.members)
        assert len(alone) == 1 and alone < whole
        assert cmw({label: piece}) == alone == cmw({"renamed": piece})
    devices = Piece(nvidia.GPU_TYPE, gpu.members(gpu.device(0), gpu.device(1)))
    assert cmw({**pieces, "gpu": devices}) == whole | statement_digests(GPU, devices.members)


def test_evidence_without_a_signature_counts_by_all_of_it():
    members = SimulatedEvidence().collect(bytes(32))
    assert signed_statements(simulated.FORMAT, members) == (signed_body(simulated.FORMAT, members),)
    assert cmw({"a": Piece(simulated.TYPE, members)}) == statement_digests(simulated.FORMAT, members)


def test_one_statement_of_most_formats():
    members = real.members("milan-v3")
    assert signed_statements(SNP, members) == (members["report"][:672],)
    several = {format_.name for format_ in FORMATS.values() if format_.statements is not None}
    assert several == {"cmw", "nvidia", "nvswitch"}
    twin = replace(collection(), pieces={"board": collection().pieces["board"]})
    assert len(statement_digests(CMW, {"collection": encode(twin)})) == 1
