# SPDX-License-Identifier: AGPL-3.0-or-later
"""Paths and members, the same faults in each of these formats: Nitro documents, NVIDIA devices, RIM signers."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from attestation.errors import MalformedError
from attestation.nitro import NitroTrust
from attestation.nitro import appraise as appraise_nitro
from attestation.nitro import read as read_document
from attestation.nvidia import read_gpus
from attestation.raw import MAX_RAW
from tests.attestation.nitro import paper as nitro
from tests.attestation.nvidia import paper as nvidia
from tests.attestation.small_pki import DAY, Identity, issue, ocsp_response

AT = nvidia.AT
STRANGE = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), True)
MIDDLES: dict[str, dict[str, Any]] = {
    "chain-not-ca": {},
    "chain-key-weak": {"ca": True, "curve": ec.SECP192R1()},
    "chain-signature-weak": {"ca": True, "hashing": hashes.SHA224()},
    "chain-critical-extension": {"ca": True, "extensions": [STRANGE]},
}
UNREADABLE = bytes.fromhex("3003020101")


def chain(fault: str) -> tuple[Identity, ...]:
    """Leaf, faulty intermediate, root."""
    root = issue("root", AT, ca=True, end=AT + 900 * DAY)
    middle = issue("middle", AT, root, **MIDDLES[fault])
    return issue("leaf", AT, middle), middle, root


def nitro_faults(identities, **trust):
    leaf, *issuers = identities
    fields = nitro.fields(certificate=leaf.der, cabundle=[one.der for one in reversed(issuers)])
    document = nitro.seal(cbor2.dumps(fields), leaf.key)
    return nitro.faults(nitro.judge(document, **{"roots": (issuers[-1].der,), **trust}))


def device_faults(identities, **trust):
    leaf, *issuers = identities
    evidence = {
        "report_0": nvidia.sign(nvidia.transcript(), leaf.key),
        "chain_0": b"".join(one.der for one in (leaf, *issuers)),
    }
    return nvidia.faults(nvidia.judge(evidence, **{"device_roots": (issuers[-1].der,), **trust}))


def rim_faults(identities, *responses, **trust):
    pytest.importorskip("signxml")
    text = nvidia.rim_text("550.90.07", nvidia.golden(range(20, 40)))
    bag = nvidia.bag(nvidia.sign_rim(text, identities), nvidia.rims()[1], *responses)
    roots = (identities[-1].der, nvidia.rim_root().der)
    settings = {"rim_roots": roots, "require_ocsp": False, **trust}
    return nvidia.faults(nvidia.judge(collateral=bag, **settings))


FORMATS = {
    "evidence.nitro.certificate": nitro_faults,
    "evidence.nvidia.certificate": device_faults,
    "evidence.nvidia.rim-signer": rim_faults,
}


@pytest.mark.parametrize("prefix", FORMATS)
@pytest.mark.parametrize("fault", MIDDLES)
def test_faulty_intermediate(prefix, fault):
    assert f"{prefix}-{fault}" in FORMATS[prefix](chain(fault))


@pytest.mark.parametrize(
    ("prefix", "setting"),
    [
        ("evidence.nitro.certificate", "roots"),
        ("evidence.nvidia.certificate", "device_roots"),
        ("evidence.nvidia.rim-signer", "rim_roots"),
    ],
)
def test_anchors_that_cannot_be_read_and_none(prefix, setting):
    root = issue("root", AT, ca=True)
    good = (issue("leaf", AT, root), root)
    found = FORMATS[prefix](good, **{setting: (UNREADABLE,)})
    assert f"{prefix}-anchor-unsupported" in found
    assert f"{prefix}-no-anchors" in FORMATS[prefix](good, **{setting: ()})


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"end": AT - DAY / 2}, "expired"),
        ({"status": ocsp.OCSPCertStatus.UNKNOWN}, "unknown"),
        ({"responder": issue("stranger", AT)}, "invalid"),
    ],
)
def test_ocsp_of_a_rims_signer(settings, code):
    signer = nvidia.rim_signer()
    answer = ocsp_response(signer[0].certificate, signer[1], AT, **settings)
    found = rim_faults(signer, answer, *nvidia.responses()[:2], nvidia.responses()[3], require_ocsp=True)
    assert f"evidence.nvidia.rim-signer-ocsp-{code}" in found


def test_rim_with_a_certificate_that_cannot_be_read():
    pytest.importorskip("signxml")
    start, end = b"<ds:X509Certificate>", b"</ds:X509Certificate>"
    before, _, rest = nvidia.rims()[0].partition(start)
    broken = before + start + b"MAMCAQE=" + end + rest.partition(end)[2]
    appraisal = nvidia.judge(collateral=nvidia.bag(broken, nvidia.rims()[1]), require_ocsp=False)
    assert "evidence.nvidia.rim-certificate-unsupported" in nvidia.faults(appraisal)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "missing"),
        ({"document": b""}, "empty"),
        ({"document": bytes(16513)}, "too-large"),
        ({"document": b"x", "other": b"x"}, "unknown"),
    ],
)
def test_members_of_nitro(members, code):
    with pytest.raises(MalformedError) as caught:
        appraise_nitro(members, challenge=None, at=AT, trust=NitroTrust())
    assert caught.value.code == f"evidence.nitro.member-{code}"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "missing"),
        ({"report_0": b""}, "empty"),
        ({"report_0": bytes(16385)}, "too-large"),
        ({"report_0": b"x", "report_16": b"x"}, "unknown"),
    ],
)
def test_members_of_nvidia(members, code):
    with pytest.raises(MalformedError) as caught:
        nvidia.judge(members)
    assert caught.value.code == f"evidence.nvidia.member-{code}"


def test_files_beyond_the_limit():
    for read, name in ((read_document, "nitro"), (read_gpus, "nvidia")):
        with pytest.raises(MalformedError) as caught:
            read(bytes(MAX_RAW + 1))
        assert caught.value.code == f"evidence.{name}.raw-too-large"


@pytest.mark.parametrize("prefix", FORMATS)
def test_intermediate_with_a_key_of_an_unknown_type(prefix):
    root = issue("root", AT, ca=True, end=AT + 900 * DAY)
    middle = issue("middle", AT, root, ca=True)
    ec_public_key = bytes.fromhex("06072a8648ce3d0201")
    assert middle.der.count(ec_public_key) == 1
    strange = x509.load_der_x509_certificate(middle.der.replace(ec_public_key, ec_public_key[:-1] + b"\x7f"))
    found = FORMATS[prefix]((issue("leaf", AT, middle), Identity(strange, middle.key), root))
    assert f"{prefix}-chain-unsupported" in found
