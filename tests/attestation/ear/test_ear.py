# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attestation results: both dialects, both encodings, and every way in which a foreign one is refused."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from attestation.ear.claims import DIALECTS, DRAFT_04, VERAISON, Ear, Submodule, to_cbor, to_json
from attestation.ear.keys import load_key, load_signer, signer_of, to_jwk
from attestation.ear.reading import read_cbor, read_json, verify_ear
from attestation.ear.tiers import Tier, tier_of, worst
from attestation.ear.tokens import encode_cwt, encode_jwt
from attestation.errors import EvidenceError, MalformedError, OperationalError, RejectedError, UnsupportedError
from tests.attestation.ear.making import AT, EAR, KEYS, NONCE, NOW, VECTORS, signed, trusted


def code(token, key=None, **asked):
    with pytest.raises(EvidenceError) as caught:
        verify_ear(token, key or trusted(), **{"at": AT, **asked})
    return caught.value.code.removeprefix("evidence.ear."), type(caught.value)


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_there_and_back(form, dialect, algorithm):
    found = verify_ear(signed(form=form, dialect=dialect, algorithm=algorithm), trusted(algorithm), at=AT, nonce=NONCE)
    assert found.submods == EAR.submods and found.nonce == NONCE and found.profile == dialect.profile
    assert (found.iat, found.exp, found.developer, found.build) == (NOW, NOW + 600, "somebody", "v1")
    assert found.status is Tier.WARNING


def test_signing_is_deterministic():
    assert signed() == signed() and signed(form="cwt") == signed(form="cwt")


# Vectors from veraison/ear and the draft.

EXPECTED = {
    "veraison_arc_testJWT": None,
    "veraison_ear_test_0": None,
    "veraison_ear_test_1": "algorithm",
    "veraison_ear_test_2": "algorithm",
    "veraison_ear_test_3": "token-malformed",
    "veraison_ear_test_4": "claims-malformed",
    "veraison_arc_testRealmJWT": "signature",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_veraisons_tokens(name):
    token, key = (VECTORS / f"{name}.jwt").read_bytes(), load_key((VECTORS / "veraison_testkey_pub.jwk").read_bytes())
    if EXPECTED[name] is None:
        assert verify_ear(token, key, at=AT).status is Tier.AFFIRMING
    else:
        assert code(token, key)[0] == EXPECTED[name]


def test_trustees_token_while_it_held_and_later():
    """Its key stands in its own header; only because a caller chose to trust that key does it verify."""
    token = (VECTORS / "veraison_arc_testRealmJWT.jwt").read_bytes()
    header = json.loads(base64.urlsafe_b64decode(token.split(b".")[0] + b"=="))
    key = load_key(json.dumps(header["jwk"]).encode())
    end = datetime.fromtimestamp(1752059439, UTC)
    assert verify_ear(token, key, at=end - timedelta(seconds=1)).profile.endswith("Trustee")
    assert code(token, key, at=end)[0] == "expired"
    assert code(token, key)[0] == "expired"


@pytest.mark.parametrize("path", sorted((VECTORS / "draft").glob("*json*.diag")), ids=lambda path: path.stem)
def test_the_drafts_json_examples(path):
    ear, _ = read_json(json.loads(path.read_text()))
    again = to_json(ear)
    stated = json.loads(path.read_text())
    for name, submodule in again["submods"].items():
        for key, value in submodule.items():
            assert stated["submods"][name][key] == value
    assert {key: stated[key] for key in again if key != "submods"} == {k: v for k, v in again.items() if k != "submods"}


ISSUED_BY_RUST_EAR = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJlYXRfcHJvZmlsZSI6InRhZzppZXRmLm9yZywyMDI2OnJhdHMvZWFyIzA0IiwiaWF0IjoxLCJl"
    "YXJfdmVyaWZpZXJfaWQiOnsiZGV2ZWxvcGVyIjoiaHR0cHM6Ly92ZXJhaXNvbi1wcm9qZWN0Lm9yZyIsImJ1aWxkIjoidnN0cyAwLjAuMSJ9LCJz"
    "dWJtb2RzIjp7InRlc3QiOnsiZWFyX3N0YXR1cyI6Im5vbmUifX19.U5jj5G6xCT79IJ029izVYgHQFSAf_aCLHhEmon-iMnH1HrOfwygOt2k7_HR"
    "OkJFu9hw7GgfKTK29gDS2MzIX4Q"
)
"""veraison/rust-ear (Apache-2.0), the example in its documentation, with the key below."""
ITS_KEY = (
    '{"kty":"EC","crv":"P-256","x":"G8fAud93NgCg8C_0bY1YqVZ5zNlkb-cNsGTQia7m0is",'
    '"y":"RK1gonvUKKQOCSHDwz3SiN9EijCqmXS4sDeRbc8RnL0"}'
)


def test_the_draft_of_may_2026():
    """draft-ietf-rats-ear-04: a token of Veraison's, and where the claims of evidence and verifier stand now."""
    ear = verify_ear(ISSUED_BY_RUST_EAR.encode(), load_key(ITS_KEY.encode()), at=AT)
    assert (ear.profile, ear.status, set(ear.submods)) == (DRAFT_04.profile, Tier.NONE, {"test"})
    for form in ("jwt", "cwt"):
        found = verify_ear(signed(form=form, dialect=DRAFT_04), trusted(), at=AT, nonce=NONCE)
        assert found == replace(EAR, profile=DRAFT_04.profile)
    said = to_json(EAR, DRAFT_04)["submods"]["cpu"]
    assert (said["ear_attester_claims"], said["ear_verifier_claims"]) == ({"a": "b"}, {"score": 7})
    assert {1005, 1006} < to_cbor(EAR, DRAFT_04)[266]["cpu"].keys()
    worse = replace(EAR, submods={"cpu": Submodule(Tier.AFFIRMING, {"hardware": 96})})
    assert code(signed(worse, dialect=DRAFT_04)) == ("status-better-than-vector", RejectedError)


def test_a_set_of_one_key():
    """As discovery documents and `jwks_uri` give keys; of several the caller must say which."""
    key = json.loads(ITS_KEY)
    assert load_key(json.dumps({"keys": [key]}).encode()) == load_key(ITS_KEY.encode())
    for keys, code_ in (([], "unsupported"), ([key, key], "unsupported"), ([5], "malformed"), ([{}], "malformed")):
        with pytest.raises((UnsupportedError, MalformedError)) as caught:
            load_key(json.dumps({"keys": keys}).encode())
        assert caught.value.code == f"evidence.ear.key-{code_}"


def test_the_drafts_cbor_example():
    """ear-cbor-1.diag, typed in: diagnostic notation has no reader here."""
    claims = {
        265: "tag:ietf.org,2026:rats/ear#03",
        6: 1666529184,
        1004: {0: "https://veraison-project.org", 1: "vts 0.0.1"},
        1002: bytes.fromhex("6C696665626F61746D616E"),
        266: {
            "PSA": {1000: 96, 1001: {0: 2, 2: 96, 4: 2}, 1003: ["https://veraison.example/policy/1/60a0068d"]},
        },
    }
    ear, overall = read_cbor(claims)
    assert overall is None and ear.status is Tier.CONTRAINDICATED
    assert ear.submods["PSA"].vector == {"instance-identity": 2, "executables": 96, "hardware": 2}
    del claims[1002]
    assert to_cbor(ear) == claims


# Refusals.


def test_times():
    early = AT - timedelta(seconds=61)
    assert code(signed(), at=early) == ("not-yet", RejectedError)
    assert verify_ear(signed(), trusted(), at=AT - timedelta(seconds=60)).iat == NOW
    assert verify_ear(signed(), trusted(), at=AT + timedelta(seconds=599)).iat == NOW
    assert code(signed(), at=AT + timedelta(seconds=600)) == ("expired", RejectedError)
    with pytest.raises(OperationalError) as caught:
        verify_ear(signed(), trusted(), at=datetime(2026, 6, 1))  # noqa: DTZ001
    assert caught.value.code == "evidence.time-naive"


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_not_before(form):
    name, sign, _ = signer_of(KEYS["ES256"])

    def token(start):
        if form == "jwt":
            return encode_jwt({**to_json(EAR), "nbf": start}, name, sign)
        return encode_cwt({**to_cbor(EAR), 5: start}, name, sign)

    assert verify_ear(token(NOW + 60), trusted(), at=AT).nonce == NONCE
    assert code(token(NOW + 61)) == ("not-yet", RejectedError)
    assert code(token("tomorrow")) == ("claims-malformed", MalformedError)


def test_nonces():
    for wrong in (NONCE[:-1], bytes(32), b""):
        assert code(signed(), nonce=wrong) == ("nonce-mismatch", RejectedError)
    bare = Ear(**{**EAR.__dict__, "nonce": None})
    assert code(signed(bare), nonce=NONCE) == ("nonce-mismatch", RejectedError)


def test_a_cwt_as_text():
    token = signed(form="cwt")
    for text in (base64.b64encode(token), base64.b64encode(token) + b"\n", token.hex().encode()):
        assert verify_ear(text, trusted(), at=AT) == verify_ear(token, trusted(), at=AT)
    assert code(base64.b64encode(base64.b64encode(token))) == ("token-malformed", MalformedError)
    assert code(base64.b64encode(token)[:-4]) == ("token-malformed", MalformedError)


def test_nonces_of_others():
    """RFC 9711: a list is allowed, and in JSON any text; the draft's own example is base64url that is not canonical."""
    text = "80FH7byS7VjfARIq0_KLqu6B9j-F79QtV6p"
    mine = base64.urlsafe_b64encode(NONCE).decode()
    for stated in (text, [text, mine], [mine, text], [mine]):
        token = claimed(eat_nonce=stated)
        assert verify_ear(token, trusted(), at=AT).status is Tier.WARNING
        for nonce in [NONCE] * (mine in stated) + [text.encode()] * (text in stated):
            assert verify_ear(token, trusted(), at=AT, nonce=nonce).status is Tier.WARNING
        assert code(token, nonce=NONCE[:-1] + b"?") == ("nonce-mismatch", RejectedError)
    name, sign, _ = signer_of(KEYS["ES256"])
    listed = encode_cwt({**to_cbor(EAR), 10: [bytes(8), NONCE]}, name, sign)
    assert verify_ear(listed, trusted(), at=AT, nonce=NONCE).nonce == bytes(8)
    for wrong in ("text in CBOR", [], [bytes(7)], [bytes(65)], None, [bytes(8)] * 17):
        assert code(encode_cwt({**to_cbor(EAR), 10: wrong}, name, sign)) == ("claims-malformed", MalformedError)


@pytest.mark.parametrize("name", ["exp", "nbf", "eat_nonce", "ear_status"])
def test_a_claim_that_is_null_is_not_absent(name):
    algorithm, sign, _ = signer_of(KEYS["ES256"])
    assert code(encode_jwt({**to_json(EAR), name: None}, algorithm, sign)) == ("claims-malformed", MalformedError)


@pytest.mark.parametrize("form", ["jwt", "cwt"])
@pytest.mark.parametrize(
    ("status", "vector", "refused"),
    [
        (Tier.AFFIRMING, {"hardware": 32}, True),
        (Tier.WARNING, {"hardware": 96}, True),
        (Tier.NONE, {"hardware": 96}, True),
        (Tier.AFFIRMING, {"hardware": -33}, True),
        (Tier.AFFIRMING, {"hardware": 0, "executables": 2}, False),  # no claim about the hardware
        (Tier.AFFIRMING, {"hardware": 0}, False),  # as if there were no vector
        (Tier.AFFIRMING, {}, False),
        (Tier.AFFIRMING, {"hardware": 1, "executables": 2}, True),  # evidence that was not understood
        (Tier.AFFIRMING, {"hardware": -1}, True),  # a verifier that failed
        (Tier.NONE, {"hardware": 1}, False),
        (Tier.WARNING, {"hardware": -1, "executables": 32}, False),
        (Tier.CONTRAINDICATED, {"hardware": 2}, False),
        (Tier.NONE, {"hardware": 2}, False),
    ],
)
def test_a_status_is_no_better_than_its_vector(form, status, vector, refused):
    token = signed(Ear(**{**EAR.__dict__, "submods": {"x": Submodule(status, vector)}}), form)
    if refused:
        assert code(token) == ("status-better-than-vector", RejectedError)
    else:
        assert verify_ear(token, trusted(), at=AT).status is status


def test_an_overall_status_is_no_better_than_its_submodules():
    name, sign, _ = signer_of(KEYS["ES256"])
    claims = {**to_json(EAR), "ear_status": "affirming"}
    assert code(encode_jwt(claims, name, sign)) == ("status-better-than-vector", RejectedError)
    assert verify_ear(encode_jwt({**claims, "ear_status": "warning"}, name, sign), trusted(), at=AT).iat == NOW


def reheaded(header, key="ES256"):
    """A token with another header, properly signed."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, json.dumps(to_json(EAR)).encode())]
    message = b".".join(parts)
    return message + b"." + base64.urlsafe_b64encode(signer_of(KEYS[key])[1](message)).rstrip(b"=")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b'{"alg":"none"}', ("algorithm", RejectedError)),
        (b'{"alg":"HS256"}', ("algorithm", RejectedError)),
        (b'{"alg":"ES384"}', ("algorithm", RejectedError)),
        (b'{"alg":["ES256"]}', ("algorithm", RejectedError)),
        (b"{}", ("algorithm", RejectedError)),
        (b'{"alg":"ES256","crit":["exp"]}', ("critical-header", UnsupportedError)),
        (b'{"alg":"ES256","crit":[]}', ("critical-header", UnsupportedError)),
        (b'{"alg":"ES256","b64":false}', ("critical-header", UnsupportedError)),
        (b'{"alg":"none","alg":"ES256"}', ("token-malformed", MalformedError)),
        (b'["ES256"]', ("token-malformed", MalformedError)),
        (b"", ("token-malformed", MalformedError)),
    ],
)
def test_headers(header, expected):
    assert code(reheaded(header)) == expected


def test_a_key_in_the_header_is_never_used():
    own = to_jwk(trusted("ES384"))
    token = reheaded(json.dumps({"alg": "ES256", "jwk": own}).encode(), "ES256")
    assert verify_ear(token, trusted(), at=AT).iat == NOW
    forged = reheaded(json.dumps({"alg": "ES384", "jwk": own}).encode(), "ES384")
    assert code(forged)[0] == "algorithm"


def test_the_public_key_as_a_secret():
    """The classic confusion: HMAC under the public key's bytes."""
    import hashlib
    import hmac

    pem = KEYS["ES256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [base64.urlsafe_b64encode(p).rstrip(b"=") for p in (b'{"alg":"HS256"}', json.dumps(to_json(EAR)).encode())]
    message = b".".join(parts)
    mac = base64.urlsafe_b64encode(hmac.new(pem, message, hashlib.sha256).digest()).rstrip(b"=")
    assert code(message + b"." + mac, load_key(pem)) == ("algorithm", RejectedError)


def claimed(**changes):
    name, sign, _ = signer_of(KEYS["ES256"])
    claims = {**to_json(EAR), **changes}
    return encode_jwt({key: value for key, value in claims.items() if value is not None}, name, sign)


SUB = to_json(EAR)["submods"]["cpu"]


@pytest.mark.parametrize(
    "changes",
    [
        {"submods": {}}, {"submods": None}, {"submods": []}, {"iat": None}, {"iat": "now"}, {"iat": -1}, {"iat": True},
        {"exp": "later"}, {"exp": 1e300}, {"ear_verifier_id": None}, {"ear_verifier_id": {"developer": "x"}},
        {"eat_nonce": 5}, {"eat_nonce": "***"}, {"eat_nonce": []}, {"eat_nonce": ["x" * 89]}, {"eat_nonce": "\0" * 8},
        {"eat_profile": None}, {"eat_profile": 7}, {"ear_status": "fine"},
        {"submods": {"x": {}}}, {"submods": {"x": {"ear_status": "good"}}}, {"submods": {"x": {"ear_status": 2}}},
        {"submods": {"x": {**SUB, "ear_trustworthiness_vector": {"hardware": 128}}}},
        {"submods": {"x": {**SUB, "ear_trustworthiness_vector": {"hardware": True}}}},
        {"submods": {"x": {**SUB, "ear_trustworthiness_vector": {"software": 2}}}},
        {"submods": {"x": {**SUB, "ear_trustworthiness_vector": [2]}}},
        {"submods": {"x": {**SUB, "ear_appraisal_policy_ids": [7]}}},
        {"submods": {"x": {**SUB, "ear_veraison_annotated_evidence": "x"}}},
        {"submods": {str(n): SUB for n in range(65)}}, {"submods": {"n" * 1025: SUB}},
    ],
)  # fmt: skip
def test_claims(changes):
    assert code(claimed(**changes)) == ("claims-malformed", MalformedError)


def test_profiles():
    assert code(claimed(eat_profile="tag:example.com,2020:other")) == ("profile", UnsupportedError)
    # The names of one dialect under the profile of the other are no claims at all.
    assert code(claimed(eat_profile=VERAISON.profile))[0] == "claims-malformed"


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_every_bit(form):
    token = signed(form=form)
    for index in range(len(token)):
        for bit in range(8):
            flipped = token[:index] + bytes([token[index] ^ 1 << bit]) + token[index + 1 :]
            if flipped.strip() == token:
                continue
            with pytest.raises(EvidenceError):
                verify_ear(flipped, trusted(), at=AT)


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_truncations_and_extensions(form):
    token = signed(form=form)
    for wrong in (token[:-1], token + b"A", token + token, token + b".", b"." + token, token[2:], b"", b" "):
        assert code(wrong)[0] in ("token-malformed", "signature")


def test_signatures_of_the_wrong_size_or_range():
    head, _, signature = signed().rpartition(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    for wrong in (raw[:-1], raw + b"\0", bytes(64), b"\xff" * 64, b"", raw[:32] + bytes(32)):
        assert code(head + b"." + base64.urlsafe_b64encode(wrong).rstrip(b"="))[0] == "signature"


def coded(protected, unprotected=None, *, tag=18, claims=None):
    sign = signer_of(KEYS["ES256"])[1]
    head = cbor2.dumps(protected, canonical=True) if protected is not None else b""
    payload = cbor2.dumps(claims or to_cbor(EAR), canonical=True)
    message = cbor2.dumps(["Signature1", head, b"", payload])
    value = [head, unprotected or {}, payload, sign(message)]
    return cbor2.dumps(value if tag is None else cbor2.CBORTag(tag, value), canonical=True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (({1: -35},), "algorithm"),
        (({1: 5},), "algorithm"),
        (({},), "algorithm"),
        ((None,), "algorithm"),
        (({}, {1: -7}), "algorithm"),
        (({1: -7, 2: [1]},), "critical-header"),
        (({1: -7}, {2: [1]}), "critical-header"),
        (({1: -7}, {1: -7}), "token-malformed"),
        (([1],), "token-malformed"),
    ],
)
def test_cose_headers(arguments, expected):
    assert code(coded(*arguments))[0] == expected


def test_cose_forms():
    for tag in (18, None):
        assert verify_ear(coded({1: -7}, tag=tag), trusted(), at=AT).status is Tier.WARNING
    wrapped = cbor2.dumps(cbor2.CBORTag(61, cbor2.CBORTag(18, list(cbor2.loads(coded({1: -7})).value))))
    assert verify_ear(wrapped, trusted(), at=AT).iat == NOW
    assert verify_ear(coded({1: -9}), trusted(), at=AT).iat == NOW  # ESP256, RFC 9864
    assert code(coded({1: -7}, claims={"x": 1}))[0] == "claims-malformed"
    assert code(coded({1: -7}, tag=17))[0] == "token-malformed"
    for wrong in (cbor2.dumps([b"", {}, b""]), cbor2.dumps(5), b"\x9f\xff", b"\xd2\x9f\xff", b"\x84\x40\xa0\x40"):
        assert code(wrong)[0] == "token-malformed"


# Keys.


def test_keys_in_every_form():
    for algorithm, private in KEYS.items():
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        name, _, key = load_signer(pem)
        assert name == algorithm == key.algorithm
        jwk = to_jwk(key)
        for form in (public, *(json.dumps(each).encode() for each in (jwk, {**jwk, "kid": "k"}, {"keys": [jwk]}))):
            assert load_key(form).algorithm == algorithm
            assert verify_ear(signed(algorithm=algorithm), load_key(form), at=AT).iat == NOW


JWK = to_jwk(trusted())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "key-malformed"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "key-malformed"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "key-malformed"),
        (b"x" * 70_000, "key-malformed"),
        (b"{}", "key-malformed"),
        (json.dumps({**JWK, "x": JWK["y"]}).encode(), "key-malformed"),
        (json.dumps({**JWK, "x": JWK["x"][:-2]}).encode(), "key-malformed"),
        (json.dumps({**JWK, "x": 5}).encode(), "key-malformed"),
        (json.dumps({**JWK, "alg": "HS256"}).encode(), "key-unsupported"),
        (json.dumps({"keys": [JWK, JWK]}).encode(), "key-unsupported"),
        (json.dumps({"keys": []}).encode(), "key-unsupported"),
        (json.dumps({"keys": "none"}).encode(), "key-unsupported"),
        (json.dumps({"keys": [{"keys": [JWK]}]}).encode(), "key-malformed"),
        (json.dumps({**JWK, "use": "enc"}).encode(), "key-unsupported"),
        (json.dumps({"kty": "oct", "crv": "", "k": "AAAA"}).encode(), "key-unsupported"),
        (
            rsa.generate_private_key(65537, 2048)
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "key-unsupported",
        ),
    ],
)
def test_keys_that_are_none(data, expected):
    with pytest.raises(EvidenceError) as caught:
        load_key(data)
    assert caught.value.code == f"evidence.ear.{expected}"


def test_private_keys_that_are_none():
    for data, expected in ((b"", "key-malformed"), (b"-----BEGIN PRIVATE KEY-----\nAA==\n", "key-malformed")):
        with pytest.raises(EvidenceError) as caught:
            load_signer(data)
        assert caught.value.code == f"evidence.ear.{expected}"
    with pytest.raises(UnsupportedError) as caught:
        signer_of(ec.generate_private_key(ec.SECP521R1()))
    assert caught.value.code == "evidence.ear.key-unsupported"


# Tiers.


@pytest.mark.parametrize(
    ("claim", "tier"),
    [
        (0, Tier.NONE), (1, Tier.NONE), (-1, Tier.NONE), (2, Tier.AFFIRMING), (31, Tier.AFFIRMING),
        (-2, Tier.AFFIRMING),
        (-32, Tier.AFFIRMING), (32, Tier.WARNING), (95, Tier.WARNING), (-33, Tier.WARNING), (-96, Tier.WARNING),
        (96, Tier.CONTRAINDICATED), (127, Tier.CONTRAINDICATED), (-97, Tier.CONTRAINDICATED),
        (-128, Tier.CONTRAINDICATED), (128, None), (-129, None),
    ],
)  # fmt: skip
def test_tiers_of_claims(claim, tier):
    assert tier_of(claim) is tier


def test_the_worst_of_tiers():
    assert worst([]) is Tier.NONE
    assert worst([Tier.AFFIRMING, Tier.NONE]) is Tier.NONE
    assert worst([Tier.NONE, Tier.WARNING]) is Tier.WARNING
    assert worst(Tier) is Tier.CONTRAINDICATED


# Hostile bytes.

GENUINE = [signed(), signed(form="cwt"), (VECTORS / "veraison_arc_testRealmJWT.jwt").read_bytes()]


@pytest.mark.fuzz
@given(st.one_of(st.binary(max_size=300), st.sampled_from(GENUINE)), st.data())
def test_hostile_tokens_have_typed_outcomes(token, data):
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, max(0, len(token) - 1)))
        token = token[:at] + data.draw(st.binary(max_size=3)) + token[at + data.draw(st.integers(0, 3)) :]
    with contextlib.suppress(EvidenceError):
        verify_ear(token, trusted(), at=AT)


@pytest.mark.fuzz
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.binary(), lambda s: st.lists(s) | st.dictionaries(st.integers() | st.text(), s)))  # fmt: skip  # noqa: E501
def test_hostile_claims_have_typed_outcomes(value):
    claims = {**to_cbor(EAR), **(value if isinstance(value, dict) else {265: value})}
    for read in (read_cbor, read_json):
        with contextlib.suppress(EvidenceError):
            read(claims)


def test_keys_that_the_library_warns_of_or_does_not_know():
    """AMD's certificates have the serial number 0; a key's algorithm may be one that nobody has."""
    certificate = (VECTORS.parent / "snp" / "ms-turin" / "vcek.pem").read_bytes()
    assert load_key(certificate).algorithm == "ES384"
    der = KEYS["ES256"].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    unknown = base64.encodebytes(der.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")))
    with pytest.raises(MalformedError) as caught:
        load_key(b"-----BEGIN PUBLIC KEY-----\n" + unknown + b"-----END PUBLIC KEY-----\n")
    assert caught.value.code == "evidence.ear.key-malformed"
