# SPDX-License-Identifier: AGPL-3.0-or-later
"""End to end with a real swtpm: boot, enrolment with credential activation, quote, appraisal."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from attestation.errors import EvidenceError, OperationalError, RejectedError
from attestation.eventlog import parse_event_log, replay
from attestation.tpm2 import Tpm2Trust, appraise
from attestation.tpm2 import algorithms as alg
from attestation.tpm2 import public as pub
from attestation.tpm2.authority import make_authority
from attestation.tpm2.boot import NODE_SOFTWARE_PCR, node_software_pcr
from attestation.tpm2.credential import EkParameters, make_credential
from attestation.tpm2.producer import Tpm2Producer
from attestation.tpm2.public import Symmetric
from attestation.tpm2.registrar import Registrar
from attestation.tpm2.software import SoftwareTpm
from attestation.tpm2.templates import AK_ECC_P256, AK_RSA_2048, EK_ECC_P256, EK_RSA_2048
from tests.attestation.paper import SOFTWARE, codes

CHALLENGE = hashlib.sha256(b"context").digest()


def now() -> datetime:
    return datetime.now(UTC)


def trust(tpm, ca, **changes):
    settings = {
        "ek_roots": (tpm.maker.der,),
        "ak_issuers": (ca.der,),
        "required_pcrs": frozenset(range(8)),
        "reference_pcrs": {("sha256", NODE_SOFTWARE_PCR): frozenset({node_software_pcr(SOFTWARE)})},
        "require_event_log": True,
    }
    return Tpm2Trust(**{**settings, **changes})


def certified(tpm, device, ca, ak_kind="ecc-p256"):
    """A producer whose AK the CA has certified."""
    producer = Tpm2Producer(device, ek_kind=tpm.kind, ak_kind=ak_kind, event_log=tpm.event_log)
    registrar = Registrar(ca, (tpm.maker.der,))
    credential, pending = registrar.challenge(producer.enrolment(), now())
    producer.certify(registrar.issue(pending, producer.activate(credential), now()))
    return producer


@pytest.fixture(scope="module")
def ca():
    return make_authority("demo attestation CA", now() - timedelta(hours=1), timedelta(days=30))


@pytest.mark.parametrize("ak_kind", ["ecc-p256", "rsa-2048"])
@pytest.mark.parametrize("ek_kind", ["rsa-2048", "ecc-p256"])
def test_end_to_end(ek_kind, ak_kind, ca):
    with SoftwareTpm(SOFTWARE, kind=ek_kind) as tpm, tpm.open() as device:
        assert device.read_ek_certificate(ek_kind) == tpm.ek_certificate
        producer = certified(tpm, device, ca, ak_kind)
        members = producer.collect(CHALLENGE)
        again = producer.collect(CHALLENGE)
    appraisal = appraise(members, challenge=CHALLENGE, at=now(), trust=trust(tpm, ca))
    assert codes(appraisal) == {}
    assert appraisal.passed and not appraisal.simulated
    claims = appraisal.claims
    assert claims["ak_hierarchy"] == "owner" and claims["counters_obfuscated"] is True
    assert claims["tpm_model"] == "swtpm"
    assert claims["event_log_covered"] == list(range(16))
    assert claims["secure_boot"] is False  # no firmware runs, and the log says nothing better
    assert claims["boot_events"][-1]["text"] == f"affidavit node software sha256:{SOFTWARE.hex()}"
    assert again["ak_public"] == members["ak_public"]
    other = appraise(members, challenge=bytes(32), at=now(), trust=trust(tpm, ca))
    assert codes(other) == {"evidence.tpm2.challenge": "evidence.tpm2.challenge-mismatch"}


def test_boot_log_replays_in_every_bank(software_tpm):
    log = parse_event_log(software_tpm.event_log)
    with software_tpm.open() as device:
        banks = device.banks()
        values = device.read_pcrs({bank: range(16) for bank in banks})
    assert {"sha1", "sha256", "sha384"} <= set(banks) == set(log.algorithms)
    for bank in banks:
        for index, value in replay(log, bank).items():
            assert values[bank, index] == value


def test_keys_are_the_same_each_time(software_tpm):
    with software_tpm.open() as device:
        first = device.create_ak().public_bytes, device.create_ek("ecc-p256").public_bytes
    with software_tpm.open() as device:
        assert (device.create_ak().public_bytes, device.create_ek("ecc-p256").public_bytes) == first


def test_nothing_stays_loaded(software_tpm):
    """More connections than a TPM has room for keys: each must have flushed its own."""
    for _ in range(8):
        with software_tpm.open() as device:
            device.create_ak()
            device.create_ek("ecc-p256")


def test_persisting_is_asked_for(software_tpm):
    with software_tpm.open() as device:
        ak = device.create_ak()
        device.persist(ak, 0x81000010)
        handle = device.esys.tr_from_tpmpublic(0x81000010)
        assert bytes(device.esys.tr_get_name(handle)) == ak.public.name()
        device.esys.evict_control(device.tss.ESYS_TR.OWNER, handle, 0x81000010)


@pytest.mark.parametrize(
    ("template", "parameters"),
    [
        (EK_RSA_2048, None),
        (EK_ECC_P256, None),
        (
            replace(EK_ECC_P256, name_hash="sha384", symmetric=Symmetric(256), curve=4),
            EkParameters("sha384", 256),
        ),
        (replace(EK_RSA_2048, name_hash="sha384", symmetric=Symmetric(256)), EkParameters("sha384", 256)),
    ],
)
def test_make_credential_against_the_tpms_own_activation(software_tpm, template, parameters):
    """The storage key takes the password instead of the EK's policy, so that any name algorithm can be tried."""
    wanted = replace(template, attributes=template.attributes & ~pub.ADMIN_WITH_POLICY | pub.USER_WITH_AUTH, policy=b"")
    secret = bytes(range(32))
    with software_tpm.open() as device:
        tss, esys = device.tss, device.esys
        key, ak = device.create_primary("endorsement", wanted), device.create_ak()
        other = device.create_ak("rsa-2048")
        blob = seed = None
        for _ in range(4):  # leading zeros of coordinates come by chance
            credential = make_credential(key.public.key(), ak.public.name(), secret, parameters)
            blob, _ = tss.TPM2B_ID_OBJECT.unmarshal(credential.blob)
            seed, _ = tss.TPM2B_ENCRYPTED_SECRET.unmarshal(credential.encrypted_secret)
            found = esys.activate_credential(ak.handle, key.handle, blob, seed, session2=tss.ESYS_TR.PASSWORD)
            assert bytes(found) == secret
        with pytest.raises(OperationalError) as caught:
            device.call(
                "activate",
                esys.activate_credential,
                other.handle,
                key.handle,
                blob,
                seed,
                session2=tss.ESYS_TR.PASSWORD,
            )
        assert caught.value.code == "evidence.tpm2.device-failed"


def test_credential_for_another_tpm_cannot_be_activated(software_tpm, ca):
    with SoftwareTpm(maker=software_tpm.maker) as other, other.open() as theirs:
        victim = Tpm2Producer(theirs, ek_kind=other.kind, event_log=b"")
        with software_tpm.open() as device:
            attacker = Tpm2Producer(device, ek_kind=software_tpm.kind, event_log=b"")
            enrolment = replace(attacker.enrolment(), ek_certificate=other.ek_certificate)
            registrar = Registrar(ca, (software_tpm.maker.der,))
            credential, pending = registrar.challenge(enrolment, now())
            for producer in (attacker, victim):
                with pytest.raises(OperationalError) as caught:
                    producer.activate(credential)
                assert caught.value.code == "evidence.tpm2.device-failed"
            with pytest.raises(RejectedError):
                registrar.issue(pending, bytes(32), now())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scheme": alg.RSAPSS}, ""),
        ({"scheme_hash": "sha384"}, ""),
        ({"scheme_hash": "sha1"}, "evidence.tpm2.ak-key-weak"),
        ({"name_hash": "sha384"}, ""),
        ({"key_bits": 1024}, "evidence.tpm2.ak-key-weak"),
        ({"attributes": AK_RSA_2048.attributes & ~pub.FIXED_PARENT & ~pub.FIXED_TPM}, "evidence.tpm2.ak-attributes"),
        ({"attributes": AK_RSA_2048.attributes & ~pub.RESTRICTED}, "evidence.tpm2.ak-attributes"),
    ],
)
def test_quotes_by_keys_of_other_templates(software_tpm, changes, code):
    """What a real TPM signs with other keys: all signatures verify, and only sound keys pass their checks."""
    with software_tpm.open() as device:
        ak = device.create_primary("owner", replace(AK_RSA_2048, **changes))
        quote = device.quote(ak, CHALLENGE, {"sha256": range(8), "sha384": [0, 7]})
    members = {
        "attest": quote.attest,
        "signature": quote.signature,
        "pcrs": quote.pcrs,
        "ak_public": ak.public_bytes,
        "event_log": software_tpm.event_log,
    }
    appraisal = appraise(members, challenge=CHALLENGE, at=now(), trust=Tpm2Trust())
    assert {check.code for check in appraisal.failed} == ({code} if code else set())
    assert not appraisal.passed  # nobody certified the key
    digest = {check.id: check.outcome for check in appraisal.checks}["evidence.tpm2.pcr-digest"]
    assert digest == "PASS"


def test_p384_quote(software_tpm):
    with software_tpm.open() as device:
        ak = device.create_primary("endorsement", replace(AK_ECC_P256, curve=4, scheme_hash="sha384"))
        for _ in range(20):  # r or s has a leading zero now and then
            quote = device.quote(ak, CHALLENGE, {"sha256": [0]})
            members = {
                "attest": quote.attest,
                "signature": quote.signature,
                "pcrs": quote.pcrs,
                "ak_public": ak.public_bytes,
            }
            appraisal = appraise(members, challenge=CHALLENGE, at=now(), trust=Tpm2Trust())
            assert appraisal.failed == ()
            assert appraisal.claims["ak_hierarchy"] == "endorsement"


def test_unrestricted_key_can_forge_and_is_refused(software_tpm):
    """Why `restricted` matters: an ordinary signing key of the same TPM signs a made-up attestation."""
    from tests.attestation.paper import PaperTpm

    with software_tpm.open() as device:
        tss, esys = device.tss, device.esys
        key = device.create_primary(
            "owner",
            replace(
                AK_ECC_P256,
                attributes=AK_ECC_P256.attributes & ~pub.RESTRICTED,
                scheme=alg.NULL,
                scheme_hash=None,
            ),
        )
        forged = PaperTpm(extra_data=CHALLENGE).attest()
        scheme = tss.TPMT_SIG_SCHEME(scheme=tss.TPM2_ALG.ECDSA)
        scheme.details.any.hashAlg = tss.TPM2_ALG.SHA256
        ticket = tss.TPMT_TK_HASHCHECK(tag=tss.TPM2_ST.HASHCHECK, hierarchy=tss.TPM2_RH.NULL)
        signature = esys.sign(key.handle, hashlib.sha256(forged).digest(), scheme, ticket)
        restricted = device.create_ak()
        with pytest.raises(OperationalError):
            device.call("sign", esys.sign, restricted.handle, hashlib.sha256(forged).digest(), scheme, ticket)
    claimed = replace(key.public, attributes=AK_ECC_P256.attributes, scheme=alg.ECDSA, scheme_hash="sha256")
    members = PaperTpm().members(attest=forged, signature=bytes(signature.marshal()), ak_certificate=None)
    honest_area = appraise({**members, "ak_public": key.public_bytes}, challenge=CHALLENGE, at=now(), trust=Tpm2Trust())
    assert "evidence.tpm2.ak-attributes" in {check.code for check in honest_area.failed}
    false_area = appraise({**members, "ak_public": claimed.encode()}, challenge=CHALLENGE, at=now(), trust=Tpm2Trust())
    assert not false_area.passed  # no certificate is issued for a Name that no TPM has loaded


def test_registrar_refuses_unsound_keys(software_tpm, ca):
    registrar = Registrar(ca, (software_tpm.maker.der,))
    with software_tpm.open() as device:
        producer = Tpm2Producer(device, ek_kind=software_tpm.kind, event_log=b"")
        enrolment = producer.enrolment()
    unrestricted = replace(pub.parse_public(enrolment.ak_public), attributes=AK_ECC_P256.attributes & ~pub.RESTRICTED)
    with pytest.raises(RejectedError) as caught:
        registrar.challenge(replace(enrolment, ak_public=unrestricted.encode()), now())
    assert caught.value.code == "evidence.tpm2.ak-attributes"
    stranger = Registrar(ca, (ca.der,))
    with pytest.raises(RejectedError) as caught:
        stranger.challenge(enrolment, now())
    assert caught.value.code == "evidence.tpm2.ek-untrusted"
    _, pending = registrar.challenge(enrolment, now())
    with pytest.raises(RejectedError) as caught:
        registrar.issue(pending, pending.secret, now() + timedelta(minutes=6))
    assert caught.value.code == "evidence.tpm2.activation-expired"


def test_absent_pcr_and_unknown_kind(software_tpm):
    with software_tpm.open() as device:
        for wanted in ({"sha256": [24, 0]}, {"sha256": [-1]}, {"sha3": [0]}):
            with pytest.raises(OperationalError) as caught:
                device.read_pcrs(wanted)
            assert caught.value.code == "evidence.tpm2.pcr-absent"
        with pytest.raises(OperationalError) as caught:
            device.create_ak("ecc-p999")
        assert caught.value.code == "evidence.tpm2.key-kind-unknown"
        assert device.read_ek_certificate("ecc-p256") is None
        with pytest.raises(EvidenceError) as missing:
            Tpm2Producer(device, ek_kind="ecc-p256")
        assert missing.value.code == "evidence.tpm2.ek-certificate-missing"
