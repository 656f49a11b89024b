# SPDX-License-Identifier: AGPL-3.0-or-later
"""Part of what was fresh is no longer fresh: one GPU of a set, one piece of a collection."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from affidavit.policy_file import write_policy
from attestation import raw
from attestation.cmw import Collection, encode, piece_challenges
from tests.attestation import paper
from tests.attestation.cmw.making import OTHER, SESSION, TYPES, collection, pieces
from tests.attestation.nvidia import paper as gpu
from tests.service.appraising import key_file
from tests.service.conftest import Clock, Service, Start


def policy_file(folder: Path) -> Path:
    path = folder / "parts.toml"
    written = write_policy(
        name="parts", assurance=["attested"], accept=["tpm2-quote@v1", "cmw-collection@v1", "nvidia-gpu@v1"],
        profile="home", ek_roots=[paper.maker().der], ak_issuers=[paper.attestation_ca().der],
    )  # fmt: skip
    pem = gpu.device_root().certificate.public_bytes(Encoding.PEM).decode()
    table = f'[evidence.nvidia]\nrequire_rims = false\nrequire_ocsp = false\ndevice_roots = ["""{pem}"""]\n'
    path.write_bytes(written + table.encode())
    return path


def started(start: Start, at: Any) -> Service:
    return start(Clock(at), appraisal_key=key_file(start.folder), policies=(policy_file(start.folder),))


def ask(service: Service, kind: str, data: bytes, nonce: bytes) -> tuple[int, str]:
    body = {"type": kind, "evidence": base64.b64encode(data).decode(), "nonce": nonce.hex()}
    answer = service.client.post("/v1/appraisals", json=body)
    return answer.status_code, answer.json().get("verdict") or answer.json()["code"]


def gpus(*numbers: int, nonce: bytes = gpu.NONCE) -> bytes:
    return raw.members_document("nvidia-gpu@v1", gpu.members(*map(gpu.device, numbers), nonce=nonce))


REPLAYED = (409, "service.evidence.replayed")
FRESH = (200, "ACCEPT")


def test_gpus_of_a_set(start_sqlite: Start) -> None:
    service = started(start_sqlite, gpu.AT)
    assert ask(service, "nvidia", gpus(0, 1, 2), gpu.NONCE) == FRESH
    for shown in ((0, 1, 2), (2, 1, 0), (0,), (1, 2), (3, 1), (2, 4, 5)):
        assert ask(service, "nvidia", gpus(*shown), gpu.NONCE) == REPLAYED, shown
    assert ask(service, "nvidia", gpus(3), gpu.NONCE) == FRESH
    assert ask(service, "nvidia", gpus(0, 1, 2, nonce=bytes(32)), bytes(32)) == FRESH


def test_a_set_that_is_refused_leaves_nothing_behind(start_sqlite: Start) -> None:
    service = started(start_sqlite, gpu.AT)
    assert ask(service, "nvidia", gpus(0), gpu.NONCE) == FRESH
    assert ask(service, "nvidia", gpus(0, 1), gpu.NONCE) == REPLAYED
    assert ask(service, "nvidia", gpus(1), gpu.NONCE) == FRESH, "the other one was never accepted"
    assert ask(service, "nvidia", gpus(2), bytes(32)) == (200, "REJECT")
    assert ask(service, "nvidia", gpus(2), gpu.NONCE) == FRESH


@pytest.mark.parametrize("label", sorted(TYPES))
def test_a_piece_of_a_collection(start_sqlite: Start, label: str) -> None:
    service = started(start_sqlite, paper.AT)
    shown = collection()
    assert ask(service, "cmw", encode(shown), SESSION) == FRESH
    assert ask(service, "cmw", encode(shown), SESSION) == REPLAYED
    piece = raw.members_document("tpm2-quote@v1", shown.pieces[label].members)
    assert ask(service, "tpm2", piece, piece_challenges(SESSION, TYPES)[label]) == REPLAYED
    assert ask(service, "cmw", encode(Collection(OTHER, pieces(OTHER))), OTHER) == FRESH


def test_a_piece_that_was_shown_alone(start_sqlite: Start) -> None:
    service = started(start_sqlite, paper.AT)
    shown = collection()
    piece = raw.members_document("tpm2-quote@v1", shown.pieces["board"].members)
    assert ask(service, "tpm2", piece, piece_challenges(SESSION, TYPES)["board"]) == FRESH
    assert ask(service, "cmw", encode(shown), SESSION) == REPLAYED
