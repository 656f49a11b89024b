# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates in the texts of JSON files: found where they are, and no more read than is worth it."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from attestation.collateral import certificates_in_texts, sort_collateral
from attestation.collateral.texts import MAX_FILES, MAX_JSON, MAX_VALUES
from tests.attestation.small_pki import issue

CERTIFICATE = issue("root", datetime(2026, 3, 1, tzinfo=UTC), ca=True).certificate
DER, PEM = CERTIFICATE.public_bytes(Encoding.DER), CERTIFICATE.public_bytes(Encoding.PEM).decode()


def found(*values):
    return certificates_in_texts(sort_collateral([json.dumps(value).encode() for value in values]))


def test_forms():
    for text in (PEM, PEM * 2, DER.hex(), base64.b64encode(DER).decode()):
        assert found({"vcekCert": text}) == found({"a": [{"b": text}]}, {"c": text}) == (DER,)
    assert found({"a": "text" * 99, "b": 7}, [PEM[:-30]]) == ()


def test_what_does_not_fit_keeps_nothing_else_out():
    here = {"vcekCert": PEM}
    assert found({"x": "a" * MAX_JSON}, here) == found([0] * (MAX_VALUES + 1), here) == (DER,)
    assert found(*({"x": number} for number in range(MAX_FILES)), here) == ()
    assert found({"x": "a" * (MAX_JSON - 300)}, here) == found([0] * MAX_VALUES, here) == ()


def test_many_small_values_take_no_time_to_speak_of():
    bag = sort_collateral(json.dumps({"i": number, "a": [[0]] * 40_000}).encode() for number in range(16))
    start = time.perf_counter()
    assert certificates_in_texts(bag) == ()
    assert time.perf_counter() - start < 0.2
