# SPDX-License-Identifier: AGPL-3.0-or-later
"""A service that enrols TPMs."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from attestation.tpm2.authority import Authority
from tests.service.conftest import Start

POLICY = """
format = "policy@v1"
profile = "production"
require = {{ assurance = {assurance}, input = false }}
[evidence]
accept = ["tpm2-quote@v1"]
[evidence.tpm2]
ek_roots = ['''{root}''']
ak_issuers = ['''{issuer}''']
"""


def pem(authority: Authority) -> str:
    return authority.certificate.public_bytes(Encoding.PEM).decode()


def with_registrar(start: Start, root: Authority, ca: Authority, **changes: Any) -> dict[str, Any]:
    """Settings of a service whose CA is ``ca`` and whose policy knows TPMs made by ``root``."""
    key, certificate = start.folder / "ca.key", start.folder / "ca.pem"
    key.write_bytes(ca.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate.write_text(pem(ca))
    start.policy.write_text(
        POLICY.format(root=pem(root), issuer=pem(ca), assurance='["signed", "attested", "rechecked"]')
    )
    return {"registrar_key": key, "registrar_certificate": certificate, **changes}
