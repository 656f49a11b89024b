# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attacks on `tpm2-quote@v1`, one defect each, and the code that refuses it.

The paper TPM signs every forgery with a key that the attestation CA certified, unless the key is the defect.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from attestation.errors import EvidenceError, MalformedError
from attestation.eventlog import parse_event_log
from attestation.eventlog.events import EV_NO_ACTION, EventLog
from attestation.tpm2 import algorithms as alg
from attestation.tpm2 import public as pub
from attestation.tpm2.authority import issue_ek_certificate, make_authority, usage
from attestation.tpm2.binding import AkBinding
from attestation.tpm2.pcrs import encode_pcrs
from attestation.tpm2.public import parse_public
from attestation.tpm2.signature import parse_signature
from attestation.tpm2.templates import AK_ECC_P256
from tests.attestation.paper import (
    AT,
    CHALLENGE,
    PaperTpm,
    attestation_ca,
    boot,
    booted_pcrs,
    codes,
    ek_certificate,
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


def test_forged_quote_under_an_attackers_own_key():
    """Perfect in itself; what is missing is somebody trusted who vouches for the key."""
    attacker = PaperTpm(key=key_pair("p256", 66))
    honest = PaperTpm().members()
    bare = attacker.members(ak_certificate=None)
    appraisal = judge(bare)
    assert appraisal.failed == () and not appraisal.passed
    assert codes(appraisal)[f"{ID}.ak-certificate"] == f"{ID}.ak-certificate-missing"
    stolen = judge({**bare, "ak_certificate": honest["ak_certificate"]})
    assert codes(stolen)[f"{ID}.ak-binding"] == f"{ID}.ak-key-mismatch"
    own_root = make_authority("attacker", AT - timedelta(days=1), timedelta(days=9))
    self_made = PaperTpm(key=attacker.key, ak_changes={"ca": own_root}).members(ak_chain=own_root.der)
    assert codes(judge(self_made))[f"{ID}.ak-certificate"] == f"{ID}.ak-untrusted"


def test_self_made_ek_is_refused():
    own = make_authority("test maker", AT - timedelta(days=1), timedelta(days=9))
    key = key_pair("p256", 9).public_key()
    forged = issue_ek_certificate(own, key, AT - timedelta(hours=1), timedelta(days=1), model="forged")
    appraisal = judge(PaperTpm(ek=forged).members())
    assert codes(appraisal) == {f"{ID}.ek-certificate": f"{ID}.ek-untrusted"}


def test_expired_ek_is_refused():
    key = key_pair("p256", 9).public_key()
    old = issue_ek_certificate(maker(), key, AT - timedelta(days=20), timedelta(days=10), model="old")
    appraisal = judge(PaperTpm(ek=old).members())
    assert codes(appraisal) == {f"{ID}.ek-certificate": f"{ID}.ek-chain-expired"}


def test_signing_key_passed_off_as_ek_is_refused():
    builder = (
        maker()
        .builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AK")]),
            key_pair("p256", 9).public_key(),
            AT,
            AT + timedelta(days=1),
        )
        .add_extension(usage(sign=True), critical=True)
    )
    appraisal = judge(PaperTpm(ek=maker().sign(builder)).members())
    assert codes(appraisal) == {f"{ID}.ek-certificate": f"{ID}.ek-usage"}


def test_only_listed_ek_certificates():
    import hashlib

    fingerprint = hashlib.sha256(ek_certificate()).digest()
    assert judge(PaperTpm().members(), ek_certificates=frozenset({fingerprint})).passed
    appraisal = judge(PaperTpm().members(), ek_certificates=frozenset({bytes(32)}))
    assert codes(appraisal) == {f"{ID}.ek-binding": f"{ID}.ek-not-allowed"}


def test_missing_ek_certificate_is_no_pass():
    appraisal = judge(PaperTpm().members(ek_certificate=None))
    assert appraisal.failed == () and not appraisal.passed
    assert set(codes(appraisal).values()) == {f"{ID}.ek-certificate-missing"}


def test_reference_values():
    values = booted_pcrs()
    right = {("sha256", 13): frozenset({bytes(32), values["sha256", 13]})}
    assert judge(PaperTpm().members(), reference_pcrs=right).passed
    wrong = judge(PaperTpm().members(), reference_pcrs={("sha256", 13): frozenset({bytes(32)})})
    assert codes(wrong) == {f"{ID}.pcr-reference": f"{ID}.pcr-value-unexpected"}
    absent = judge(PaperTpm().members(), reference_pcrs={("sha384", 13): frozenset({bytes(48)})})
    assert codes(absent) == {f"{ID}.pcr-reference": f"{ID}.pcr-unquoted"}


def test_required_pcrs_must_be_quoted_in_a_strong_bank():
    weak = {**booted_pcrs("sha1", range(8)), **booted_pcrs("sha256", range(7))}
    appraisal = judge(PaperTpm(pcrs=weak).members())
    assert codes(appraisal) == {f"{ID}.pcr-required": f"{ID}.pcr-unquoted"}


def _edited(edit):
    log = boot()
    return EventLog(log.spec, log.header, edit(log.events)).encode()


LOG_EDITS = {
    "event dropped": lambda events: events[:3] + events[4:],
    "events swapped": lambda events: (*events[:2], events[3], events[2], *events[4:]),
    "event repeated": lambda events: (*events, events[-4]),
    "digest edited": lambda events: (
        *events[:5],
        replace(events[5], digests={**events[5].digests, "sha256": bytes(32)}),
        *events[6:],
    ),
    "all events of a PCR dropped": lambda events: tuple(e for e in events if e.register != 7),
    "event moved to another PCR": lambda events: (*events[:5], replace(events[5], register=6), *events[6:]),
    "event made unmeasured": lambda events: (*events[:5], replace(events[5], type=EV_NO_ACTION), *events[6:]),
    "startup locality edited": lambda events: (
        replace(events[0], data=events[0].data[:-1] + b"\x03"),
        *events[1:],
    ),
}


@pytest.mark.parametrize("name", LOG_EDITS)
def test_edited_event_log_is_refused(name):
    appraisal = judge(PaperTpm(event_log=_edited(LOG_EDITS[name])).members())
    assert codes(appraisal) == {f"{ID}.event-log": f"{ID}.event-log-mismatch"}
    assert "boot_events" not in appraisal.claims


def test_edited_event_data_supports_no_claim():
    """Data is not what a PCR vouches for: the log replays, but edited text and variables are not believed."""

    def edit(events):
        return tuple(
            replace(event, data=event.data.replace(b"S\x00e\x00c\x00u\x00r\x00e", b"s\x00e\x00c\x00u\x00r\x00e"))
            if event.register == 7
            else replace(event, data=b"something else")
            for event in events
            if event.type != EV_NO_ACTION
        )

    appraisal = judge(PaperTpm(event_log=_edited(edit)).members())
    assert appraisal.passed
    assert judge(PaperTpm().members()).claims["secure_boot"] is False
    assert appraisal.claims["secure_boot"] is None
    texts = [event.get("text") for event in appraisal.claims["boot_events"]]
    assert "something else" not in texts


def test_relabelled_events_decide_nothing():
    def edit(events):
        return tuple(replace(e, type=0x80000001) if e.type != EV_NO_ACTION else e for e in events)

    plain, relabelled = judge(PaperTpm().members()), judge(PaperTpm(event_log=_edited(edit)).members())
    assert relabelled.passed
    assert plain.claims["secure_boot"] == relabelled.claims["secure_boot"]


def test_runtime_pcrs_may_go_on_after_the_log_and_then_support_no_claim():
    later = {**booted_pcrs(), ("sha256", 13): bytes(31) + b"\x01"}
    appraisal = judge(PaperTpm(pcrs=later).members())
    assert appraisal.passed
    assert appraisal.claims["event_log_uncovered"] == [13]
    assert all(event["register"] != 13 for event in appraisal.claims["boot_events"])
    strict = judge(PaperTpm(pcrs=later).members(), runtime_pcrs=frozenset())
    assert codes(strict) == {f"{ID}.event-log": f"{ID}.event-log-mismatch"}


def test_event_log_may_be_demanded():
    members = PaperTpm(event_log=None).members()
    assert codes(judge(members)) == {f"{ID}.event-log": f"{ID}.event-log-missing"}
    assert judge(members, require_event_log=False).passed


def test_log_without_the_quoted_bank():
    log = parse_event_log(boot().encode())
    only_sha1 = EventLog(
        None, None, tuple(replace(e, digests={"sha1": e.digests["sha1"]}) for e in log.events)
    ).encode()
    appraisal = judge(PaperTpm(event_log=only_sha1).members())
    assert codes(appraisal) == {f"{ID}.event-log": f"{ID}.event-log-bank-absent"}


def _flipped(data):
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(flipped)


@pytest.mark.parametrize("member", ["attest", "signature", "ak_public", "ak_certificate", "ek_certificate", "pcrs"])
def test_no_bit_of_complete_evidence_can_change(member):
    members = PaperTpm(event_log=None, pcrs=booted_pcrs(indices=range(2))).members()
    settings = {"require_event_log": False, "required_pcrs": frozenset({0})}
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


def test_chain_tricks():
    """Superfluous, repeated and unordered certificates are refused, wherever the anchor is."""
    members = PaperTpm().members()
    ca = attestation_ca().der
    assert judge({**members, "ak_chain": ca}).passed  # the anchor itself may be there
    for chain in (ca + ca, maker().der, ca + maker().der, ek_certificate()):
        appraisal = judge({**members, "ak_chain": chain})
        assert not appraisal.passed
        assert codes(appraisal)[f"{ID}.ak-certificate"].startswith(f"{ID}.ak-chain-")
    with pytest.raises(MalformedError):
        judge({**members, "ak_chain": ca * 5})


def test_end_entity_certificate_cannot_issue():
    """The honest AK's certificate, used as if it were a CA for the attacker's AK."""
    honest = PaperTpm(key=key_pair("p256"))
    certificate = honest.members()["ak_certificate"]
    false_ca = replace(attestation_ca(), certificate=x509.load_der_x509_certificate(certificate), key=honest.key)
    attacker = PaperTpm(key=key_pair("p256", 66), ak_changes={"ca": false_ca})
    appraisal = judge(attacker.members(ak_chain=certificate))
    assert codes(appraisal)[f"{ID}.ak-certificate"] == f"{ID}.ak-chain-not-ca"


def test_ek_certificate_is_no_ak_certificate_even_under_a_common_root():
    appraisal = judge(PaperTpm().members(ak_certificate=ek_certificate()), platform_ak_issuers=(maker().der,))
    assert f"{ID}.ak-certificate" in codes(appraisal)
    assert not appraisal.passed


def test_the_leaf_cannot_be_the_anchor():
    appraisal = judge(PaperTpm().members(ak_certificate=attestation_ca().der))
    assert codes(appraisal)[f"{ID}.ak-certificate"] == f"{ID}.ak-chain-leaf-is-ca"


@pytest.mark.parametrize("value", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x02", bytes(200)])
def test_malformed_binding_extension(value):
    with pytest.raises(MalformedError) as caught:
        judge(PaperTpm(ak_changes={"binding": value}).members())
    assert caught.value.code == f"{ID}.ak-binding-malformed"


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


def test_pcr_listing_has_one_spelling():
    members = PaperTpm().members()
    text = members["pcrs"].decode()
    lines = text.splitlines(keepends=True)
    for other in (
        text.upper(),
        text.replace("sha256 1 ", "sha256 01 "),
        text.replace(" ", "  ", 1),
        text + lines[0],
        text + "\n",
        "".join(reversed(lines)),
        text.rstrip("\n"),
        text.replace("\n", "\r\n"),
        text.replace("sha256 1 ", "sha256 +1 "),
    ):
        with pytest.raises(MalformedError) as caught:
            judge({**members, "pcrs": other.encode()})
        assert caught.value.code == "evidence.tpm2.pcrs-malformed"
    assert encode_pcrs(booted_pcrs()) == members["pcrs"]


def test_signature_by_another_key():
    tpm = PaperTpm()
    forged = sign(key_pair("p256", 66), alg.ECDSA, "sha256", tpm.attest()).encode()
    appraisal = judge(tpm.members(signature=forged))
    assert codes(appraisal) == {f"{ID}.signature": f"{ID}.signature-invalid"}
