# SPDX-License-Identifier: AGPL-3.0-or-later
"""Quotes whose parts are files of their own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.collateral import EMPTY, sort_collateral
from attestation.errors import EvidenceError, UnsupportedError
from attestation.tpm2 import FORMAT, Tpm2Trust, appraise, read
from attestation.tpm2.ak import load_ak
from attestation.tpm2.pcrs import parse_pcrs
from attestation.tpm2.pieces import complete
from attestation.tpm2.signature import Signature
from attestation.tpm2.software import SoftwareTpm
from tests.attestation import real
from tests.attestation.paper import CHALLENGE, PaperTpm, codes, key_pair
from tests.attestation.tpm2.writing import b64, forms, listed, pem
from verifier.appraisal import judge_file
from verifier.policy import profile_policy
from verifier.verdict import Verdict

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEYLIME = ("quotesig.out", "quotepcr.out", "ak.pub")
NONCE = bytes.fromhex("db1db298db6d60e6385b7231743e9c3056a18003")


def keylime(*names):
    return sort_collateral(real.read(f"keylime/{name}") for name in names)


def judged(data, collateral=EMPTY, challenge=None):
    return judge_file(FORMAT, data, challenge=challenge, at=AT, policy=profile_policy("home"), collateral=collateral)[0]


def test_the_files_of_tpm2_tools():
    """Keylime's own test data: `quote.out` as evidence, the other files beside it."""
    quote = real.read("keylime/quote.out")
    for data in (quote, quote.hex().encode(), base64.b64encode(quote), len(quote).to_bytes(2, "big") + quote):
        members = complete(read(data), keylime(*KEYLIME))
        trust = Tpm2Trust(ak_names=frozenset({load_ak(members).enrolled_by[0]}))
        said = appraise(members, challenge=NONCE, at=AT, trust=trust)
        assert said.passed and set(said.claims["pcrs"]) == {"sha256:15", "sha256:16", "sha256:22"}
        assert not appraise(members, challenge=NONCE[:-1], at=AT, trust=trust).passed
    found = judged(quote, keylime(*KEYLIME), NONCE)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.tpm2.ak-certificate-missing")


@pytest.mark.parametrize("absent", KEYLIME)
def test_what_is_nowhere_is_asked_for(absent):
    found = judged(real.read("keylime/quote.out"), keylime(*(name for name in KEYLIME if name != absent)))
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.tpm2.quote-incomplete")
    assert "collateral" in found.remedy and len(found.message) < 200


def test_an_agents_answer_without_key():
    parts = (real.read(f"keylime/{name}") for name in ("quote.out", "quotesig.out", "quotepcr.out"))
    answer = json.dumps({"code": 200, "results": {"quote": "r" + ":".join(map(b64, parts))}}).encode()
    assert judged(answer).code == "evidence.tpm2.quote-incomplete"
    assert judged(answer, keylime("ak.pub"), NONCE).code == "evidence.tpm2.ak-certificate-missing"


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa-2048"])
def test_every_form_of_every_part(kind):
    members = PaperTpm(key=key_pair(kind)).members()
    noise = [bytes(32), b"\x30\x06\x02\x01\x01\x02\x01\x01", members["event_log"], b"{}", members["ek_certificate"]]
    for signature in forms(members)[0]:
        for key in forms(members)[1]:
            for pcrs in forms(members)[2]:
                found = complete(read(members["attest"]), sort_collateral([*noise, pcrs, key, signature]))
                said = codes(appraise(found, challenge=CHALLENGE, at=AT, trust=Tpm2Trust()))
                assert not any(code.startswith(("evidence.tpm2.sig", "evidence.tpm2.pcr-d")) for code in said.values())
                assert found["pcrs"] == members["pcrs"]
                assert ("ak_public" in found) == (key in forms(members)[1][:2])


def test_of_several_parts_those_that_fit():
    quotes = real.gce_quotes("gce-cos-85-nonce9009")
    parts = [quotes[bank]["signature"] for bank in ("sha1", "sha384", "sha256")]
    parts += [listed(parse_pcrs(quotes[bank]["pcrs"])) for bank in ("sha1", "sha384", "sha256")]
    other = PaperTpm().members()
    bag = sort_collateral([other["ak_public"], other["signature"], *parts, quotes["sha256"]["ak_public"]])
    for members in quotes.values():
        found = complete(read(members["attest"]), bag)
        assert all(found[name] == members[name] for name in ("signature", "pcrs", "ak_public"))
    certificate = quotes["sha256"]["ak_certificate"]  # the key stands in a certificate alone
    found = complete(read(quotes["sha256"]["attest"]), sort_collateral([*parts, certificate]))
    assert found["ak_key"] == load_ak(quotes["sha256"]).spki


def test_forged_parts_are_false():
    honest, attacker = PaperTpm().members(), PaperTpm(key=key_pair("p256", 1)).members()
    names = frozenset({load_ak(honest).enrolled_by[0]})
    at_fault = honest["pcrs"].replace(honest["pcrs"][9:11], b"00", 1)
    cases = {
        "evidence.tpm2.ak-certificate-missing": attacker,  # with a TPM of his own, which nobody enrolled
        "evidence.tpm2.signature-invalid": {**honest, "signature": attacker["signature"]},
        "evidence.tpm2.pcr-digest-mismatch": {**honest, "pcrs": at_fault},
    }
    for code, members in cases.items():
        bag = sort_collateral([members["signature"], members["ak_public"], listed(parse_pcrs(members["pcrs"]))])
        found = complete(read(members["attest"]), bag)
        said = appraise(found, challenge=CHALLENGE, at=AT, trust=Tpm2Trust(ak_names=names))
        assert code in codes(said).values() and not said.passed


@pytest.mark.parametrize("part", ["signature", "ak_public", "pcrs", "attest"])
def test_no_bit_of_a_part_can_change(part):
    members = PaperTpm(key=key_pair("p256")).members()
    trust = Tpm2Trust(ak_names=frozenset({load_ak(members).enrolled_by[0]}))
    for bit in range(0, 8 * len(members[part]), 7):
        flipped = bytearray(members[part])
        flipped[bit // 8] ^= 1 << bit % 8
        given = {**members, part: bytes(flipped)}
        try:
            bag = sort_collateral([given["signature"], given["ak_public"], listed(parse_pcrs(given["pcrs"]))])
            said = appraise(complete(read(given["attest"]), bag), challenge=CHALLENGE, at=AT, trust=trust)
        except EvidenceError:
            continue
        assert not said.passed


def test_pem_inside_other_armour():
    members = PaperTpm().members()
    parts = [members["signature"], listed(parse_pcrs(members["pcrs"]))]
    found = complete(read(members["attest"]), sort_collateral([*parts, base64.b64encode(pem(members))]))
    assert found["ak_key"] == load_ak(members).spki
    broken = b"-----BEGIN PUBLIC KEY-----\nnothing"
    with pytest.raises(UnsupportedError):
        complete(read(members["attest"]), sort_collateral([*parts, broken.hex().encode()]))


def test_other_attestations_are_no_quotes():
    members = PaperTpm().members()
    certify = members["attest"][:4] + b"\x80\x17" + members["attest"][6:]
    found = judged(certify, sort_collateral([members["signature"], members["ak_public"]]))
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "evidence.tpm2.not-a-quote")


def test_keys_that_would_take_long_are_not_tried(monkeypatch):
    """They are taken where there is no other, and appraising says what is wrong with them."""
    members, tried = PaperTpm(key=key_pair("rsa-2048")).members(), []
    verify = Signature.verify

    def counted(signature, key, message):
        tried.append(key)
        verify(signature, key, message)

    monkeypatch.setattr(Signature, "verify", counted)
    numbers = key_pair("rsa-2048").public_key().public_numbers()
    slow = [
        rsa.RSAPublicNumbers(numbers.e, numbers.n << 2080 | 1).public_key(),
        rsa.RSAPublicNumbers(numbers.n - 2, numbers.n).public_key(),
    ]
    files = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in slow]
    bag = sort_collateral([*files, members["signature"], listed(parse_pcrs(members["pcrs"]))])
    assert complete(read(members["attest"]), bag)["ak_key"] == files[0] and not tried
    assert complete(read(members["attest"]), bag + sort_collateral([members["ak_public"]]))["ak_public"]


def test_pcrread_text_is_read_strictly():
    members = PaperTpm().members()
    text = listed(parse_pcrs(members["pcrs"]))
    for wrong in (
        text.replace(b"sha256", b"sha255"),
        text.replace(b" 0 : 0x", b" 00: 0x", 1) + text,
        text.replace(b"0x", b"0x00", 1),
        b"    0 : 0x" + b"00" * 32,
        text + b"more\n",
    ):
        with pytest.raises(UnsupportedError):
            complete(read(members["attest"]), sort_collateral([wrong, members["signature"], members["ak_public"]]))


@pytest.mark.skipif(
    shutil.which("tpm2_quote") is None or shutil.which("swtpm") is None, reason="no tpm2-tools or swtpm"
)
@pytest.mark.parametrize("form", ["tss", "plain"])
def test_as_tpm2_tools_write_it(form, tmp_path):
    """The files of today's tpm2_quote, over two banks at once, and tpm2_checkquote's word for them."""
    with SoftwareTpm() as tpm:
        environment = {**os.environ, "TPM2TOOLS_TCTI": tpm.tcti}

        def run(*command):
            subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)

        run("tpm2_createprimary", "-C", "e", "-c", "primary", "-Q")
        run("tpm2_create", "-C", "primary", "-G", "ecc:ecdsa-sha256:null", "-u", "ak.pub", "-r", "ak.priv", "-Q", "-a",
            "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign")  # fmt: skip
        run("tpm2_flushcontext", "-t")
        run("tpm2_load", "-C", "primary", "-u", "ak.pub", "-r", "ak.priv", "-c", "ak", "-Q")
        run("tpm2_flushcontext", "-t")
        run("tpm2_readpublic", "-c", "ak", "-f", "pem", "-o", "ak.pem", "-Q")
        run("tpm2_flushcontext", "-t")
        run("tpm2_quote", "-c", "ak", "-l", "sha256:0,7,23+sha1:0", "-q", CHALLENGE.hex(), "-f", form, "-m", "quote",
            "-s", "signature", "-o", "pcrs", "-g", "sha256")  # fmt: skip
        run("tpm2_checkquote", "-u", "ak.pem", "-m", "quote", "-s", "signature", "-q", CHALLENGE.hex(), "-g", "sha256")
    bag = sort_collateral((tmp_path / name).read_bytes() for name in ("signature", "pcrs", "ak.pub"))
    members = complete(read((tmp_path / "quote").read_bytes()), bag)
    trust = Tpm2Trust(ak_names=frozenset({load_ak(members).enrolled_by[0]}))
    assert appraise(members, challenge=CHALLENGE, at=AT, trust=trust).passed
