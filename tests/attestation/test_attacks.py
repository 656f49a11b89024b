# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attacks on `tpm2-quote@v1`, one defect each, and the code that refuses it.

The paper TPM signs every forgery with a key that the attestation CA certified, unless the key is the defect.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from attestation.errors import EvidenceError, MalformedError
from attestation.tpm2 import algorithms as alg
from attestation.tpm2 import public as pub
from attestation.tpm2.authority import make_authority, usage
from attestation.tpm2.binding import AkBinding
from attestation.tpm2.public import parse_public
from attestation.tpm2.signature import parse_signature
from attestation.tpm2.templates import AK_ECC_P256
from tests.attestation.paper import (
    AT,
    CHALLENGE,
    PaperTpm,
    booted_pcrs,
    codes,
    judge,
    key_pair,
    maker,
    sign,
)

ID = "evidence.tpm2"


ALL = AK_ECC_P256.attributes


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa-2048"])
@pytest.mark.parametrize("bank", ["sha256", "sha384"])
def test_honest_evidence_passes(kind, bank):
    tpm = PaperTpm(key=key_pair(kind), pcrs=booted_pcrs(bank))
    appraisal = judge(tpm.members())
    assert codes(appraisal) == {}
    assert appraisal.passed
    assert appraisal.claims["ak_issuer"] == "attestation-ca"
    assert appraisal.claims["tpm_model"] == "paper"


@pytest.mark.parametrize(
    ("scheme", "hash_name"), [(alg.RSAPSS, "sha256"), (alg.RSAPSS, "sha512"), (alg.RSASSA, "sha384")]
)
def test_other_rsa_schemes_pass(scheme, hash_name):
    changes = {"scheme": scheme, "scheme_hash": hash_name}
    assert judge(PaperTpm(key=key_pair("rsa-2048"), public_changes=changes).members()).passed


def test_both_ecdsa_twins_are_valid_and_say_the_same():
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    members = PaperTpm().members()
    signature = parse_signature(members["signature"])
    twin = replace(signature, s=(order - int.from_bytes(signature.s, "big")).to_bytes(32, "big"))
    first, second = judge(members), judge({**members, "signature": twin.encode()})
    assert first.passed and second.passed
    assert first.claims == second.claims


REFUSED = {
    "wrong magic": (PaperTpm(magic=0xFF544348), f"{ID}.quote-magic", f"{ID}.not-tpm-generated"),
    "another structure": (PaperTpm(type=0x8017), f"{ID}.quote-type", f"{ID}.not-a-quote"),
    "another challenge": (PaperTpm(extra_data=bytes(32)), f"{ID}.challenge", f"{ID}.challenge-mismatch"),
    "truncated challenge": (PaperTpm(extra_data=CHALLENGE[:31]), f"{ID}.challenge", f"{ID}.challenge-mismatch"),
    "extended challenge": (
        PaperTpm(extra_data=CHALLENGE + b"\x00"),
        f"{ID}.challenge",
        f"{ID}.challenge-mismatch",
    ),
    "RSA-1024": (PaperTpm(key=key_pair("rsa-1024")), f"{ID}.ak-key", f"{ID}.ak-key-weak"),
    "curve P-521": (PaperTpm(key=key_pair("p521")), f"{ID}.ak-key", f"{ID}.ak-key-weak"),
    "SHA-1 name": (PaperTpm(public_changes={"name_hash": "sha1"}), f"{ID}.ak-key", f"{ID}.ak-key-weak"),
    "SHA-1 scheme": (PaperTpm(public_changes={"scheme_hash": "sha1"}), f"{ID}.ak-key", f"{ID}.ak-key-weak"),
    "exponent 3": (
        PaperTpm(key=key_pair("rsa-2048"), public_changes={"exponent": 3}),
        f"{ID}.ak-key",
        f"{ID}.ak-key-weak",
    ),
    "no scheme": (
        PaperTpm(
            public_changes={"scheme": alg.NULL, "scheme_hash": None},
            signature_scheme=alg.ECDSA,
        ),
        f"{ID}.ak-key",
        f"{ID}.ak-key-weak",
    ),
    "other hash": (PaperTpm(signature_hash="sha384"), f"{ID}.signature", f"{ID}.signature-scheme-mismatch"),
    "other scheme": (
        PaperTpm(key=key_pair("rsa-2048"), signature_scheme=alg.RSAPSS),
        f"{ID}.signature",
        f"{ID}.signature-scheme-mismatch",
    ),
    "fewer values than quoted": (
        PaperTpm(pcrs=booted_pcrs(indices=range(15)), quoted=booted_pcrs()),
        f"{ID}.pcr-selection",
        f"{ID}.pcr-selection-mismatch",
    ),
    "more values than quoted": (
        PaperTpm(pcrs=booted_pcrs(), quoted=booted_pcrs(indices=range(15))),
        f"{ID}.pcr-selection",
        f"{ID}.pcr-selection-mismatch",
    ),
    "another PCR value": (
        PaperTpm(pcrs={**booted_pcrs(), ("sha256", 0): bytes(32)}, quoted=booted_pcrs()),
        f"{ID}.pcr-digest",
        f"{ID}.pcr-digest-mismatch",
    ),
    "another digest": (PaperTpm(pcr_digest=bytes(32)), f"{ID}.pcr-digest", f"{ID}.pcr-digest-mismatch"),
    "empty digest": (PaperTpm(pcr_digest=b""), f"{ID}.pcr-digest", f"{ID}.pcr-digest-mismatch"),
    "SHA-1 bank": (PaperTpm(pcrs=booted_pcrs("sha1")), f"{ID}.pcr-bank", f"{ID}.pcr-bank-weak"),
    "AK certificate of another key": (
        PaperTpm(ak_changes={"key": key_pair("p256", 1)}),
        f"{ID}.ak-binding",
        f"{ID}.ak-key-mismatch",
    ),
    "AK certificate of another Name": (
        PaperTpm(ak_binding=AkBinding(bytes(32), b"\x00\x0b" + bytes(32))),
        f"{ID}.ak-binding",
        f"{ID}.ak-name-mismatch",
    ),
    "AK certificate for another EK": (
        PaperTpm(ak_binding=AkBinding(bytes(32), PaperTpm().public.name())),
        f"{ID}.ek-binding",
        f"{ID}.ek-mismatch",
    ),
    "AK certificate without binding": (
        PaperTpm(ak_changes={"binding": None}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-binding-absent",
    ),
    "AK certificate for another purpose": (
        PaperTpm(ak_changes={"eku": "1.3.6.1.5.5.7.3.1"}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-usage",
    ),
    "AK certificate without purpose": (
        PaperTpm(ak_changes={"eku": ""}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-usage",
    ),
    "AK certificate that may not sign": (
        PaperTpm(ak_changes={"usage": usage(agree=True)}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-usage",
    ),
    "expired AK certificate": (
        PaperTpm(ak_changes={"end": AT - timedelta(seconds=1)}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-chain-expired",
    ),
    "AK certificate of the future": (
        PaperTpm(ak_changes={"start": AT + timedelta(seconds=1)}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-chain-expired",
    ),
    "AK certificate of another CA": (
        PaperTpm(ak_changes={"ca": make_authority("other", AT, timedelta(days=9))}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-untrusted",
    ),
    "AK certificate of a CA with the same name": (
        PaperTpm(ak_changes={"ca": make_authority("test attestation CA", AT, timedelta(days=9))}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-untrusted",
    ),
    "AK certificate of the TPM maker": (
        PaperTpm(ak_changes={"ca": maker()}),
        f"{ID}.ak-certificate",
        f"{ID}.ak-untrusted",
    ),
    "AK certificate with an unknown critical extension": (
        PaperTpm(
            ak_changes={"extra": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]}
        ),
        f"{ID}.ak-certificate",
        f"{ID}.ak-chain-critical-extension",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_forgery_is_refused_for_its_own_reason(name):
    tpm, check, code = REFUSED[name]
    appraisal = judge(tpm.members())
    assert not appraisal.passed
    failed = {check.id: check.code for check in appraisal.failed}
    assert failed.get(check) == code
    # Consequences may follow (a log that no longer replays); no unrelated check may be what refused it.
    assert set(failed) <= {check, f"{ID}.event-log", f"{ID}.ak-certificate"} | CONSEQUENCES.get(name, set())


CONSEQUENCES = {
    "SHA-1 scheme": {f"{ID}.signature"},
    "exponent 3": {f"{ID}.signature", f"{ID}.ak-binding"},
    "no scheme": {f"{ID}.signature"},
    "AK certificate of another Name": {f"{ID}.ek-binding"},
    "empty digest": set(),
}


@pytest.mark.parametrize(
    "attributes",
    [
        *(ALL & ~bit for bit in (pub.RESTRICTED, pub.SIGN, pub.FIXED_TPM, pub.FIXED_PARENT)),
        ALL & ~pub.SENSITIVE_DATA_ORIGIN,
        ALL | pub.DECRYPT,
    ],
)
def test_key_of_another_nature_is_refused(attributes):
    appraisal = judge(PaperTpm(public_changes={"attributes": attributes}).members())
    assert [check.code for check in appraisal.failed] == [f"{ID}.ak-attributes"]


def _flipped(data):
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(flipped)


@pytest.mark.parametrize("member", ["attest", "signature", "ak_public", "ak_certificate", "ek_certificate", "pcrs"])
def test_no_bit_of_complete_evidence_can_change(member):
    members = PaperTpm(event_log=None, pcrs=booted_pcrs(indices=range(2))).members()
    settings: dict[str, Any] = {"require_event_log": False, "required_pcrs": frozenset({0})}
    assert judge(members, **settings).passed
    survivors = []
    for bit, flipped in _flipped(members[member]):
        try:
            if judge({**members, member: flipped}, **settings).passed:
                survivors.append(bit)
        except EvidenceError:
            continue
    assert survivors == []


@pytest.mark.parametrize("member", ["attest", "signature", "ak_public", "pcrs", "ak_certificate", "event_log"])
def test_truncated_and_extended_members_are_malformed(member):
    members = PaperTpm().members()
    for data in (members[member][:-1], members[member] + b"\x00", members[member] * 2, b"\x00"):
        with pytest.raises(MalformedError) as caught:
            judge({**members, member: data})
        assert caught.value.code.startswith(("evidence.tpm2.", "evidence.eventlog."))


def test_signature_numbers_out_of_range():
    members = PaperTpm().members()
    signature = parse_signature(members["signature"])
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    beyond = replace(signature, s=order.to_bytes(32, "big"))
    assert f"{ID}.signature" in codes(judge({**members, "signature": beyond.encode()}))
    padded = replace(signature, s=b"\x00" + signature.s)
    assert f"{ID}.signature" in codes(judge({**members, "signature": padded.encode()}))
    with pytest.raises(MalformedError):
        judge({**members, "signature": replace(signature, r=bytes(32)).encode()})


def test_key_that_is_no_point_is_malformed():
    public = parse_public(PaperTpm().members()["ak_public"])
    with pytest.raises(MalformedError) as caught:
        judge(PaperTpm().members(ak_public=replace(public, y=public.x).encode()))
    assert caught.value.code == "evidence.tpm2.public-malformed"


def test_signature_by_another_key():
    tpm = PaperTpm()
    forged = sign(key_pair("p256", 66), alg.ECDSA, "sha256", tpm.attest()).encode()
    appraisal = judge(tpm.members(signature=forged))
    assert codes(appraisal) == {f"{ID}.signature": f"{ID}.signature-invalid"}
