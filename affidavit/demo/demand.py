# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client's policy, written before the request, so that anybody can repeat the verdict from the file alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


def _pem(certificate: bytes) -> str:
    text = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode().strip()
    return f'"""\n{text}\n"""'


def _pcr(index: int, value: bytes) -> str:
    return f'{index} = ["{value.hex()}"]'


def write_policy(
    *,
    nonce: bytes,
    input_commitment: bytes,
    circuit: bytes,
    evidence: str,
    simulated: bool,
    ek_roots: Sequence[bytes] = (),
    ak_issuers: Sequence[bytes] = (),
    pcrs: Mapping[int, bytes] | None = None,
) -> bytes:
    """A ``policy@v1`` file.

    Args:
        nonce, input_commitment, circuit: what was asked: 32 bytes each.
        evidence: the evidence type that is accepted.
        simulated: whether that type is the simulated one, which makes this a development policy.
        ek_roots, ak_issuers: DER certificates of the TPM's maker and of the attestation CA.
        pcrs: the SHA-256 PCR values that the machine must have booted with, by index.
    """
    lines = [
        "# What the client of this demo demands. Try:",
        "#   affidavit verify --policy policy.toml answer.affidavit --explain",
        'format = "policy@v1"',
        'name = "demo"',
        f'profile = "{"development" if simulated else "production"}"',
        "",
        "[require]",
        'assurance = ["signed", "attested", "rechecked"]',
        "",
        "[request] # what was asked",
        f'nonce = "{nonce.hex()}"',
        f'input = "{input_commitment.hex()}"',
        "",
        "[models]",
        f'allowed = ["{circuit.hex()}"]',
        "",
        "[evidence]",
    ]
    if simulated:
        lines += [
            "# No TPM here: the evidence proves nothing, and only a development policy may take it.",
            "unsafe_accept_simulated = true",
        ]
    else:
        lines += [
            f'accept = ["{evidence}"]',
            "",
            "[evidence.tpm2]",
            "# The demo's own software TPM and attestation CA: list your vendors' and your own instead.",
            f"ek_roots = [{', '.join(_pem(root) for root in ek_roots)}]",
            f"ak_issuers = [{', '.join(_pem(issuer) for issuer in ak_issuers)}]",
            "# The boot must have measured exactly this version of the node's code.",
            f"pcrs = {{ {', '.join(_pcr(index, value) for index, value in (pcrs or {}).items())} }}",
        ]
    return ("\n".join(lines) + "\n").encode()
