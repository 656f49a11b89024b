# SPDX-License-Identifier: AGPL-3.0-or-later
"""OCSP responses: who may sign them, when they count, what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from attestation.pki.effort import Effort
from attestation.pki.ocsp import MAX_MATCHING, MAX_RESPONSE, check_status, load_responses
from tests.attestation.small_pki import DAY, issue, ocsp_response

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ROOT = issue("root", AT, ca=True, end=AT + 900 * DAY)
MIDDLE = issue("middle", AT, ROOT, ca=True, end=AT + 900 * DAY)
LEAF = issue("leaf", AT, MIDDLE)
SIGNING = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
RESPONDER = issue("responder", AT, MIDDLE, extensions=[SIGNING])


def ask(*responses: bytes, demanded: bool = True, at: datetime = AT):
    return check_status(
        LEAF.certificate,
        (MIDDLE.certificate, ROOT.certificate),
        load_responses(responses),
        at,
        check="x",
        prefix="evidence.nvidia.certificate",
        demanded=demanded,
    )


def code(*responses: bytes, **settings) -> tuple[str, str]:
    check = ask(*responses, **settings).check
    return check.outcome, check.code.removeprefix("evidence.nvidia.certificate-ocsp-")


def response(**settings) -> bytes:
    return ocsp_response(LEAF.certificate, MIDDLE, AT, **settings)


def test_good():
    status = ask(response())
    assert status.check.outcome == "PASS" and status.expires == AT + DAY
    for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        assert code(response(algorithm=algorithm)) == ("PASS", "")
    longer = response(end=AT + 2 * DAY)
    assert ask(response(), longer).expires == ask(longer, response()).expires == AT + 2 * DAY


def test_missing():
    assert code() == ("SKIP", "missing")
    assert ask().check.demanded and not ask(demanded=False).check.demanded


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"end": AT}, ("PASS", "")),
        ({"end": AT + SECOND}, ("PASS", "")),
        ({"end": AT - SECOND}, ("SKIP", "expired")),
        ({"start": AT}, ("PASS", "")),
        ({"start": AT - SECOND}, ("PASS", "")),
        ({"start": AT + SECOND}, ("SKIP", "expired")),
        ({"endless": True}, ("SKIP", "expired")),
    ],
)
def test_window_to_the_second(settings, expected):
    assert code(response(**settings)) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (None, "revoked"),
        (x509.ReasonFlags.key_compromise, "revoked"),
        (x509.ReasonFlags.certificate_hold, "hold"),
    ],
)
def test_revoked(reason, expected):
    revoked = response(status=ocsp.OCSPCertStatus.REVOKED, reason=reason)
    assert code(revoked) == code(response(), revoked) == code(revoked, response()) == ("FAIL", expected)
    late = response(status=ocsp.OCSPCertStatus.REVOKED, reason=reason, start=AT - 9 * DAY, end=AT - 8 * DAY)
    assert code(late, response()) == ("FAIL", expected)


def test_unknown_is_demanded_whatever_the_policy_says():
    unknown = response(status=ocsp.OCSPCertStatus.UNKNOWN)
    assert code(unknown) == ("SKIP", "unknown")
    assert ask(unknown, response(), demanded=False).check.demanded


def test_responders():
    assert code(response(responder=RESPONDER, certificates=[RESPONDER])) == ("PASS", "")
    above = issue("responder", AT, ROOT, extensions=[SIGNING])
    assert code(response(responder=above, certificates=[above])) == ("PASS", "")
    root = response(responder=ROOT, certificates=[ROOT])  # a CA above, without the purpose
    assert code(root) == ("SKIP", "invalid")


def test_responders_by_name():
    assert code(response(by_name=True)) == ("PASS", "")
    assert code(response(by_name=True, responder=RESPONDER, certificates=[RESPONDER])) == ("PASS", "")


def resigned(data: bytes, key: ec.EllipticCurvePrivateKey, old: bytes = b"", new: bytes = b"") -> bytes:
    """The response with `old` replaced by `new`, and the signature by one of `key`: no library makes such a thing."""
    found = ocsp.load_der_ocsp_response(data)
    body = found.tbs_response_bytes.replace(old, new) if old else found.tbs_response_bytes
    while len(signature := key.sign(body, ec.ECDSA(hashes.SHA384()))) != len(found.signature):
        pass
    return data.replace(found.tbs_response_bytes, body).replace(found.signature, signature)


def key_hash(data: bytes) -> bytes:
    named = ocsp.load_der_ocsp_response(data).responder_key_hash
    assert named is not None
    return named


STRANGER = issue("root", AT, ca=True)


@pytest.mark.parametrize("by_name", [False, True])
def test_forged_in_the_name_of_who_may(by_name):
    """The genuine responder's certificate is in the response, and so is its name: the signature is a stranger's."""
    by_issuer = response(by_name=by_name)
    delegated = response(responder=RESPONDER, certificates=[RESPONDER], by_name=by_name)
    for genuine, key in ((by_issuer, MIDDLE.key), (delegated, RESPONDER.key)):
        assert code(genuine) == code(resigned(genuine, key)) == ("PASS", "")
        assert code(resigned(genuine, STRANGER.key)) == ("SKIP", "invalid")


def test_signed_by_another_responder_than_it_names():
    other = issue("another responder", AT, MIDDLE, extensions=[SIGNING])
    genuine = response(responder=other, certificates=[other])
    renamed = resigned(genuine, other.key, key_hash(genuine), key_hash(response(responder=RESPONDER)))
    assert (code(genuine), code(renamed)) == (("PASS", ""), ("SKIP", "invalid"))
    assert code(resigned(genuine, MIDDLE.key)) == ("SKIP", "invalid")  # nor the issuer itself, in a responder's name


def test_responders_with_rsa():
    key: Any = rsa.generate_private_key(65537, 2048)
    responder = issue("responder", AT, MIDDLE, key=key, extensions=[SIGNING])
    genuine = response(responder=responder, certificates=[responder])
    signature = ocsp.load_der_ocsp_response(genuine).signature
    forged = genuine.replace(signature, signature[:-1] + bytes([signature[-1] ^ 1]))
    assert (code(genuine), code(forged)) == (("PASS", ""), ("SKIP", "invalid"))


def test_weak_hashes():
    assert code(response(hashing=hashes.SHA224())) == ("SKIP", "invalid")
    assert code(response(responder=RESPONDER, certificates=[RESPONDER], hashing=hashes.SHA224()))[1] == "invalid"


OTHER_PURPOSE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), False)
NOT_FOR_IT = {
    "without a purpose": issue("responder", AT, MIDDLE),
    "for another purpose": issue("responder", AT, MIDDLE, extensions=[OTHER_PURPOSE]),
    "certified with SHA-224": issue("responder", AT, MIDDLE, extensions=[SIGNING], hashing=hashes.SHA224()),
    "of a stranger": issue("responder", AT, STRANGER, extensions=[SIGNING]),
    "expired": issue("responder", AT, MIDDLE, extensions=[SIGNING], end=AT - SECOND),
    "not yet valid": issue("responder", AT, MIDDLE, extensions=[SIGNING], start=AT + SECOND),
    "of the leaf": issue("responder", AT, LEAF, extensions=[SIGNING]),
    "weak": issue("responder", AT, MIDDLE, extensions=[SIGNING], curve=ec.SECP192R1()),
}


@pytest.mark.parametrize("who", NOT_FOR_IT)
def test_responders_who_may_not(who):
    signer = NOT_FOR_IT[who]
    assert code(response(responder=signer, certificates=[signer])) == ("SKIP", "invalid")


def test_responder_without_its_certificate():
    assert code(response(responder=RESPONDER)) == ("SKIP", "invalid")


def test_about_somebody_else():
    other = issue("other", AT, MIDDLE)
    assert code(ocsp_response(other.certificate, MIDDLE, AT)) == ("SKIP", "missing")
    namesake = issue("middle", AT, ROOT, ca=True)  # the issuer's name, another key
    same = x509.load_der_x509_certificate(LEAF.der)
    assert code(ocsp_response(same, namesake, AT)) == ("SKIP", "missing")


def test_critical_extensions():
    strange = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), True)
    assert code(response(extensions=[strange])) == ("SKIP", "invalid")
    assert code(response(extensions=[(strange[0], False)])) == ("PASS", "")
    for critical in (False, True):
        assert code(response(extensions=[(x509.OCSPNonce(b"n" * 32), critical)])) == ("PASS", "")


def test_every_bit_of_a_response():
    """None turns a revoked certificate into a good one."""
    data = response(status=ocsp.OCSPCertStatus.REVOKED)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert code(bytes(flipped))[0] != "PASS"


def test_what_is_left_out():
    failed = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)

    assert (
        load_responses([b"", b"\x30\x03\x0a\x01\x00", failed.public_bytes(Encoding.DER), bytes(MAX_RESPONSE + 1)]) == ()
    )


GOOD = response()


@pytest.mark.fuzz
@given(st.integers(0, 600), st.binary(min_size=1, max_size=8))
def test_hostile_responses(position, octets):
    data = bytearray(GOOD)
    data[position % len(data) : position % len(data) + len(octets)] = octets
    assert bytes(data) == GOOD or code(bytes(data))[0] in ("SKIP", "PASS")


def test_a_few_responses_about_one_certificate():
    forged = [response(responder=STRANGER, start=AT - timedelta(hours=n + 1)) for n in range(MAX_MATCHING)]
    assert code(*forged[:-1], response()) == ("PASS", "")
    assert code(*forged, response()) == ("SKIP", "invalid")


def test_revocations_and_the_newest_are_not_pushed_out():
    older = [response(start=AT - timedelta(hours=n + 2)) for n in range(MAX_MATCHING)]
    revoked = response(status=ocsp.OCSPCertStatus.REVOKED, start=AT - timedelta(days=1))
    assert code(*older, revoked) == ("FAIL", "revoked")
    stale = [response(start=AT - timedelta(days=n + 9), end=AT - timedelta(days=n + 8)) for n in range(MAX_MATCHING)]
    assert code(*stale, response()) == ("PASS", "")


@pytest.mark.parametrize("demanded", [True, False])
def test_forged_revocations_do_not_hide_a_true_one(demanded):
    revoked = response(status=ocsp.OCSPCertStatus.REVOKED, start=AT - timedelta(days=9))
    forged = [
        response(status=ocsp.OCSPCertStatus.REVOKED, responder=STRANGER, start=AT - timedelta(hours=n + 1))
        for n in range(MAX_MATCHING)
    ]
    assert code(*forged[1:], revoked, demanded=demanded) == ("FAIL", "revoked")
    hidden = ask(*forged, revoked, response(), demanded=demanded).check
    assert (hidden.outcome, hidden.code[-8:], hidden.demanded) == ("SKIP", "too-many", True)


def test_effort_that_is_spent_does_not_hide_a_revocation():
    responses = load_responses([response(), response(status=ocsp.OCSPCertStatus.REVOKED)])
    about = (LEAF.certificate, (MIDDLE.certificate, ROOT.certificate))
    asked: dict[str, Any] = {"check": "x", "prefix": "evidence.nvidia.certificate", "demanded": False}
    for limit, expected in ((0, ("SKIP", "ocsp-too-many", True)), (9, ("FAIL", "ocsp-revoked", True))):
        found = check_status(*about, responses, AT, **asked, effort=Effort(limit)).check
        assert (found.outcome, found.code.removeprefix("evidence.nvidia.certificate-"), found.demanded) == expected
    harmless = check_status(*about, responses[:1], AT, **asked, effort=Effort(0)).check
    assert (harmless.outcome, harmless.code[-7:], harmless.demanded) == ("SKIP", "invalid", False)
