# SPDX-License-Identifier: AGPL-3.0-or-later
"""A service that appraises, and what is sent to it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from affidavit.policy_file import write_policy
from attestation import raw
from tests.attestation import paper
from tests.service.conftest import Clock, Service, Start

NONCE = paper.CHALLENGE.hex()


def key_file(folder: Path, kind: str = "ES256") -> Path:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ES256" else ed25519.Ed25519PrivateKey.generate()
    path = folder / f"{kind}.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def policy_file(folder: Path) -> Path:
    path = folder / "evidence.toml"
    path.write_bytes(
        write_policy(
            name="evidence", assurance=["attested"], accept=["tpm2-quote@v1"], profile="home",
            ek_roots=[paper.maker().der], ak_issuers=[paper.attestation_ca().der],
        )
    )  # fmt: skip
    return path


def started(start: Start, **changes: Any) -> Service:
    given = {"appraisal_key": key_file(start.folder), "policies": (policy_file(start.folder),), **changes}
    return start(Clock(paper.AT), **given)


def evidence(challenge: bytes = paper.CHALLENGE, **changes: Any) -> bytes:
    return raw.members_document("tpm2-quote@v1", paper.PaperTpm(extra_data=challenge).members(**changes))


def ask(service: Service, data: bytes | None = None, *, query: dict[str, str] | None = None, **changes: Any) -> Any:
    shown = base64.b64encode(evidence() if data is None else data).decode()
    body = {"type": "tpm2", "evidence": shown, "nonce": NONCE, **changes}
    return service.client.post("/v1/appraisals", json=body, params=query or {})


def mint(service: Service) -> bytes:
    return bytes.fromhex(service.client.post("/v1/nonces").json()["nonce"])
