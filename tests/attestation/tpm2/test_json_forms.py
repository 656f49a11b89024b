# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whole quotes in the JSON of go-attestation's relying parties and of Anolis OS' Trustee."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from attestation.errors import MalformedError
from attestation.tpm2 import read
from attestation.tpm2.ak import load_ak
from attestation.tpm2.pcrs import parse_pcrs
from tests.attestation import real
from tests.attestation.paper import PaperTpm, key_pair
from tests.attestation.tpm2.writing import b64, forms, pem


def platform_parameters():
    quotes = real.gce_quotes("gce-cos-85-nonce9009")
    hashes = {"sha1": 3, "sha256": 5, "sha384": 6}
    return {
        "TPMVersion": 2,
        "Public": b64(quotes["sha256"]["ak_public"]),
        "Quotes": [
            {"Version": 2, "Quote": b64(q["attest"]), "Signature": b64(q["signature"])} for q in quotes.values()
        ],
        "PCRs": [
            {"Index": index, "Digest": b64(value), "DigestAlg": hashes[bank]}
            for q in quotes.values()
            for (bank, index), value in parse_pcrs(q["pcrs"]).items()
        ],
        "EventLog": b64(quotes["sha256"]["event_log"]),
    }


def test_platform_parameters_of_go_attestation():
    expected = real.gce_quotes("gce-cos-85-nonce9009")["sha256"]
    members = read(json.dumps(platform_parameters()).encode())
    assert members == {name: expected[name] for name in ("ak_public", "attest", "signature", "pcrs", "event_log")}
    broken = platform_parameters()
    broken["PCRs"][0]["Digest"] = b64(b"\1" * 20)  # of a quote that is not taken: it must be a good one all the same
    for wrong in (
        broken,
        {**platform_parameters(), "Quotes": []},
        {**platform_parameters(), "PCRs": platform_parameters()["PCRs"][1:]},
        {**platform_parameters(), "PCRs": platform_parameters()["PCRs"] * 2},
        {**platform_parameters(), "PCRs": [{"Index": "0"}]},
        {**platform_parameters(), "Quotes": platform_parameters()["Quotes"] * 2},
        {**platform_parameters(), "Quotes": platform_parameters()["Quotes"] * 3},
        {**platform_parameters(), "Quotes": None},
    ):
        with pytest.raises(MalformedError) as caught:
            read(json.dumps(wrong).encode())
        assert caught.value.code == "evidence.tpm2.raw-malformed"


@pytest.mark.parametrize("kind", ["p256", "rsa-2048"])
def test_evidence_of_anolis(kind):
    members = PaperTpm(key=key_pair(kind)).members()
    plain = forms(members)[0][1]
    values = [value.hex() for value in parse_pcrs(members["pcrs"]).values()]
    quote = {"attest_body": b64(members["attest"]), "attest_sig": b64(plain), "pcrs": values}
    found: dict[str, Any] = {
        "ak_pubkey": pem(members).decode(),
        "quote": {"SHA256": quote},
        "eventlog": b64(members["event_log"]),
    }
    expected = {name: members[name] for name in ("attest", "signature", "pcrs", "event_log")}
    assert read(json.dumps(found).encode()) == {**expected, "ak_key": load_ak(members).spki}
    for place in range(len(found["ak_pubkey"])):  # one spelling of the key, down to the bits behind its last character
        flipped = found["ak_pubkey"][:place] + chr(ord(found["ak_pubkey"][place]) ^ 1) + found["ak_pubkey"][place + 1 :]
        with suppress(MalformedError):
            assert read(json.dumps({**found, "ak_pubkey": flipped}).encode())["ak_key"] != load_ak(members).spki
    for wrong in (
        {"SHA384": quote},
        {},
        {"SHA256": {**quote, "pcrs": values[1:]}},
        {"SHA256": {**quote, "attest_sig": ""}},
    ):
        with pytest.raises(MalformedError):
            read(json.dumps({**found, "quote": wrong}).encode())
