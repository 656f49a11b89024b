# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same quotes, whole and with flipped bits, before tpm2-tools' own verifier."""

from __future__ import annotations

import random
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.errors import EvidenceError
from attestation.tpm2 import Tpm2Trust, appraise, read
from attestation.tpm2.ak import load_ak
from attestation.tpm2.signature import parse_signature
from tests.attestation import real
from tests.attestation.paper import PaperTpm, key_pair

pytestmark = pytest.mark.skipif(shutil.which("tpm2_checkquote") is None, reason="tpm2-tools are not installed")
AT = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLES = 12
LINES = ("quote-magic", "quote-type", "challenge", "signature")


def quotes():
    for name, challenge in real.GCE_FILES.items():
        if challenge:
            for bank, members in real.gce_quotes(name).items():
                yield f"{name}-{bank}", members, challenge
    trustee = read(real.read("trustee/tpm_evidence.json"))
    yield (
        "trustee",
        trustee,
        bytes.fromhex(appraise(trustee, challenge=None, at=AT, trust=Tpm2Trust()).claims["challenge"]),
    )
    for key in ("p256", "p384", "rsa-2048"):
        yield key, PaperTpm(key=key_pair(key)).members(), bytes(range(32))


QUOTES = {name: (members, challenge) for name, members, challenge in quotes()}


def ours(members, challenge):
    try:
        found = appraise(members, challenge=challenge, at=AT, trust=Tpm2Trust())
    except EvidenceError:
        return False
    return all(check.outcome == "PASS" for check in found.checks if check.id.rpartition(".")[2] in LINES)


def theirs(members, challenge, hash_name, folder):
    ak = load_ak(members)
    (folder / "ak.pem").write_bytes(ak.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "attest").write_bytes(members["attest"])
    (folder / "signature").write_bytes(members["signature"])
    command = ["tpm2_checkquote", "-u", "ak.pem", "-m", "attest", "-s", "signature", "-q", challenge.hex()]
    command += ["-g", hash_name]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=30).returncode == 0


@pytest.mark.parametrize("name", QUOTES)
def test_agrees_with_tpm2_checkquote(name, tmp_path):
    members, challenge = QUOTES[name]
    hash_name = parse_signature(members["signature"]).hash
    assert ours(members, challenge) and theirs(members, challenge, hash_name, tmp_path)
    other = bytes([challenge[0] ^ 1]) + challenge[1:]
    assert not ours(members, other) and not theirs(members, other, hash_name, tmp_path)
    chance = random.Random(name)
    for member in ("attest", "signature"):
        for _ in range(SAMPLES):
            flipped = bytearray(members[member])
            # tpm2_checkquote goes by its options instead of the signature's scheme, hash and size.
            flipped[chance.randrange(6 if member == "signature" else 0, len(flipped))] ^= 1 << chance.randrange(8)
            changed = {**members, member: bytes(flipped)}
            assert not ours(changed, challenge)
            assert not theirs(changed, challenge, hash_name, tmp_path), "tpm2_checkquote accepts what was changed"
