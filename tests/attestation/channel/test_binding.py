# SPDX-License-Identifier: AGPL-3.0-or-later
"""The challenge over a channel: a known answer, and what it depends on."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from attestation.channel.binding import EXPORTER_BYTES, EXPORTER_LABEL, LABEL, TLS_EXPORTER, channel_challenge
from attestation.errors import OperationalError
from node.evidence import keys_digest, keys_message
from verifier.keys import KeySet

NONCE, EXPORTER = bytes(range(32)), bytes(range(32, 64))
KEYS = KeySet(bytes(range(64, 96)), bytes(range(96, 128)))


def test_the_constants_of_rfc_9266() -> None:
    assert (TLS_EXPORTER, EXPORTER_LABEL, EXPORTER_BYTES) == ("tls-exporter", b"EXPORTER-Channel-Binding", 32)


def test_known_answers() -> None:
    """docs/spec/channel-v1.md, section 5; made by hand from its formulas, and kept."""
    plain = b"affidavit/channel@v1\x00" + b"\x0ctls-exporter" + b"\x20" + NONCE + EXPORTER
    challenge = channel_challenge(NONCE, EXPORTER)
    assert challenge == hashlib.sha256(plain).digest()
    assert challenge.hex() == "5a27d4b18684dcc4fe8b13f5f4a52f6eef5db493aaffbf12825269fb27d0bde4"
    message = keys_message(NONCE, KEYS, EXPORTER)
    assert message == b"affidavit/channel-keys@v1\x00" + challenge + KEYS.signing + KEYS.sealing
    assert (
        keys_digest(NONCE, KEYS, EXPORTER).hex() == "d996bf01c59f3110072f74080d5852f60931793369e5612148cd48fa29c3a0ce"
    )


def test_everything_counts() -> None:
    seen = {
        channel_challenge(NONCE, EXPORTER),
        channel_challenge(NONCE[:-1], EXPORTER),
        channel_challenge(NONCE[:-1] + b"x", EXPORTER),
        channel_challenge(NONCE, EXPORTER[:-1] + b"x"),
        channel_challenge(EXPORTER, NONCE),
        channel_challenge(NONCE + b"\x00", EXPORTER),
    }
    assert len(seen) == 6


def test_an_answer_without_a_channel_is_never_one_over_a_channel() -> None:
    """Whoever is in between asks for the plain answer, with the bound challenge as its nonce."""
    chosen = channel_challenge(NONCE, EXPORTER)
    assert keys_message(chosen, KEYS) != keys_message(NONCE, KEYS, EXPORTER)
    assert keys_digest(chosen, KEYS) not in (keys_digest(NONCE, KEYS, EXPORTER), chosen)
    labels = {LABEL, keys_message(NONCE, KEYS)[:26], keys_message(NONCE, KEYS, EXPORTER)[:26]}
    assert not any(a != b and a.startswith(b) for a in labels for b in labels)


@pytest.mark.parametrize(
    ("nonce", "exporter"), [(b"", EXPORTER), (bytes(65), EXPORTER), (NONCE, b""), (NONCE, NONCE * 2)]
)
def test_other_sizes_are_the_callers_mistake(nonce: bytes, exporter: bytes) -> None:
    with pytest.raises(OperationalError) as caught:
        channel_challenge(nonce, exporter)
    assert caught.value.code == "evidence.channel.malformed"


def test_the_definition_is_pure() -> None:
    program = (
        "import sys, attestation.channel.binding; print(*{'OpenSSL', 'uvicorn', 'asyncio', 'ssl'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert (result.returncode, result.stdout.strip()) == (0, "")
