# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPM structures: round trips, names, key derivation vectors, one defect per malformed structure."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import EvidenceError, MalformedError, UnsupportedError
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.attest import (
    ST_ATTEST_QUOTE,
    TPM_GENERATED,
    Attest,
    QuoteInfo,
    Selection,
    parse_attest,
)
from attestation.tpm2.credential import EkParameters, ek_parameters, kdfa, kdfe, make_credential
from attestation.tpm2.pcrs import encode_pcrs, parse_pcrs
from attestation.tpm2.public import parse_public
from attestation.tpm2.signature import Signature, parse_signature
from attestation.tpm2.templates import AK_ECC_P256, EK_ECC_P256, EK_POLICY_SHA256, EK_RSA_2048
from attestation.wire import Reader
from tests.attestation.paper import PaperTpm, key_pair, public_area

bitmaps = st.binary(min_size=1, max_size=4)
quotes = st.builds(
    QuoteInfo,
    st.lists(
        st.builds(Selection, st.sampled_from(sorted(alg.HASH_IDS)), bitmaps),
        max_size=4,
        unique_by=lambda selection: selection.bank,
    ).map(tuple),
    st.binary(max_size=64),
)
attests = st.builds(
    Attest,
    magic=st.just(TPM_GENERATED) | st.integers(0, 2**32 - 1),
    type=st.just(ST_ATTEST_QUOTE),
    qualified_signer=st.binary(max_size=66),
    extra_data=st.binary(max_size=64),
    clock=st.integers(0, 2**64 - 1),
    reset_count=st.integers(0, 2**32 - 1),
    restart_count=st.integers(0, 2**32 - 1),
    safe=st.booleans(),
    firmware_version=st.integers(0, 2**64 - 1),
    quote=quotes,
)


@given(attests)
def test_attest_round_trip(attest):
    assert parse_attest(attest.encode()) == attest


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa-1024", "rsa-2048"])
def test_public_round_trip_and_key(kind):
    public = public_area(key_pair(kind))
    parsed = parse_public(public.encode())
    assert parsed == public
    assert parsed.key() == key_pair(kind).public_key()
    assert parsed.name() == b"\x00\x0b" + hashlib.sha256(public.encode()).digest()


def test_published_name():
    """The EK policy of the TCG's profile is the digest that TPM2_PolicySecret(endorsement) gives."""
    command, endorsement = (0x151).to_bytes(4, "big"), (0x4000000B).to_bytes(4, "big")
    step = hashlib.sha256(bytes(32) + command + endorsement).digest()
    assert hashlib.sha256(step).digest() == EK_POLICY_SHA256


@given(st.sampled_from([alg.RSASSA, alg.RSAPSS]), st.sampled_from(sorted(alg.HASH_IDS)), st.binary(max_size=512))
def test_rsa_signature_round_trip(scheme, name, value):
    signature = Signature(scheme, name, value=value)
    assert parse_signature(signature.encode()) == signature


@given(st.binary(min_size=1, max_size=66), st.binary(min_size=1, max_size=66))
def test_ecdsa_signature_round_trip(r, s):
    signature = Signature(alg.ECDSA, "sha256", r=r, s=s)
    if any(r) and any(s):
        assert parse_signature(signature.encode()) == signature
    else:
        with pytest.raises(MalformedError):
            parse_signature(signature.encode())


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(sorted(alg.HASH_IDS)), st.integers(0, 31)), st.binary(min_size=64, max_size=64)
    )
)
def test_pcr_listing_round_trip(values):
    sized = {(bank, index): value[: alg.HASH_SIZES[bank]] for (bank, index), value in values.items()}
    if sized:
        assert parse_pcrs(encode_pcrs(sized)) == sized


ATTEST = PaperTpm().attest()
PUBLIC = PaperTpm().public.encode()
RSA = public_area(key_pair("rsa-2048")).encode()
SIGNATURE = Signature(alg.ECDSA, "sha256", r=b"\x01" * 32, s=b"\x02" * 32).encode()

MALFORMED = {
    "safe is 2": (parse_attest, ATTEST[:-53] + b"\x02" + ATTEST[-52:]),
    "17 banks": (parse_attest, ATTEST.replace(b"\x00\x00\x00\x01\x00\x0b\x03", b"\x00\x00\x00\x11\x00\x0b\x03")),
    "bank twice": (
        parse_attest,
        ATTEST.replace(
            b"\x00\x00\x00\x01\x00\x0b\x03\xff\xff\x00", b"\x00\x00\x00\x02" + b"\x00\x0b\x03\xff\xff\x00" * 2
        ),
    ),
    "bit map of 5 octets": (
        parse_attest,
        ATTEST.replace(b"\x00\x0b\x03\xff\xff\x00", b"\x00\x0b\x05\xff\xff\x00\x00\x00"),
    ),
    "bit map of 0 octets": (parse_attest, ATTEST.replace(b"\x00\x0b\x03\xff\xff\x00", b"\x00\x0b\x00")),
    "long extra data": (parse_attest, ATTEST.replace(b"\x00\x20\x00\x01\x02", b"\x00\x41\x00\x01\x02")),
    "reserved attribute": (parse_public, PUBLIC[:4] + b"\x80" + PUBLIC[5:]),
    "policy of 3 bytes": (parse_public, PUBLIC[:8] + b"\x00\x03abc" + PUBLIC[10:]),
    "coordinate too long": (parse_public, PUBLIC[:-34] + b"\x00\x21\x00" + PUBLIC[-32:]),
    "coordinate partly padded": (parse_public, PUBLIC[:-34] + b"\x00\x1f\x00" + PUBLIC[-30:]),
    "coordinate empty": (parse_public, PUBLIC[:-34] + b"\x00\x00"),
    "modulus with leading zero": (parse_public, RSA[:-256] + b"\x00" + RSA[-255:]),
    "modulus shorter than stated": (parse_public, RSA[:-258] + b"\x00\xff" + RSA[-255:]),
    "AES of 100 bits": (
        parse_public,
        EK_RSA_2048.encode().replace(b"\x00\x06\x00\x80", b"\x00\x06\x00\x64"),
    ),
    "r of 67 bytes": (parse_signature, SIGNATURE[:4] + b"\x00\x43" + bytes(67) + SIGNATURE[-34:]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_structure(name):
    parse, data = MALFORMED[name]
    with pytest.raises(MalformedError) as caught:
        parse(data)
    assert caught.value.code.endswith("-malformed")


UNSUPPORTED = {
    "symmetric key type": (parse_public, b"\x00\x25" + PUBLIC[2:]),
    "SM3 name": (parse_public, PUBLIC[:2] + b"\x00\x12" + PUBLIC[4:]),
    "Camellia": (parse_public, EK_RSA_2048.encode().replace(b"\x00\x06\x00\x80", b"\x00\x26\x00\x80")),
    "ECDAA": (parse_public, PUBLIC.replace(b"\x00\x10\x00\x18", b"\x00\x10\x00\x1a")),
    "BN curve": (parse_public, PUBLIC.replace(b"\x00\x0b\x00\x03\x00\x10", b"\x00\x0b\x00\x10\x00\x10")),
    "key derivation": (parse_public, PUBLIC.replace(b"\x00\x03\x00\x10\x00\x20", b"\x00\x03\x00\x20\x00\x20")),
    "HMAC signature": (parse_signature, b"\x00\x05" + SIGNATURE[2:]),
    "SM3 bank": (parse_attest, ATTEST.replace(b"\x00\x01\x00\x0b\x03", b"\x00\x01\x00\x12\x03")),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_algorithm(name):
    parse, data = UNSUPPORTED[name]
    with pytest.raises(UnsupportedError) as caught:
        parse(data)
    assert caught.value.code == "evidence.tpm2.algorithm-unsupported"


@pytest.mark.parametrize(
    ("parse", "data"), [(parse_attest, ATTEST), (parse_public, PUBLIC), (parse_signature, SIGNATURE)]
)
def test_every_truncation_and_extension_is_malformed(parse, data):
    for cut in range(len(data)):
        with pytest.raises(MalformedError):
            parse(data[:cut])
    for tail in (b"\x00", data):
        with pytest.raises(MalformedError) as caught:
            parse(data + tail)
        assert caught.value.code.endswith("-trailing")


def test_stripped_coordinates_are_read_as_the_same_key():
    """Some TPMs strip leading zeros; the Name differs, the key does not."""
    number = 0
    while True:
        key = key_pair("p256", 1000 + number)
        if public_area(key).x[0] == 0:
            break
        number += 1
    public = public_area(key)
    stripped = replace(public, x=public.x.lstrip(b"\x00"))
    assert parse_public(stripped.encode()).key() == public.key()
    assert stripped.name() != public.name()


def test_kdfa_is_sp800_108_counter_mode():
    for name, algorithm in (("sha256", hashes.SHA256()), ("sha384", hashes.SHA384())):
        for bits in (128, 256, 384, 640):
            fixed = b"STORAGE\x00" + b"u" * 7 + b"v" * 5 + bits.to_bytes(4, "big")
            expected = KBKDFHMAC(
                algorithm,
                Mode.CounterMode,
                bits // 8,
                rlen=4,
                llen=None,
                location=CounterLocation.BeforeFixed,
                label=None,
                context=None,
                fixed=fixed,
            ).derive(b"k" * 32)
            assert kdfa(name, b"k" * 32, b"STORAGE", b"u" * 7, b"v" * 5, bits) == expected


def test_kdfe_is_sp800_56a_concatenation():
    for bits in (128, 256, 512):
        info = b"IDENTITY\x00" + b"u" * 32 + b"v" * 32
        expected = ConcatKDFHash(hashes.SHA256(), bits // 8, info).derive(b"z" * 32)
        assert kdfe("sha256", b"z" * 32, b"IDENTITY", b"u" * 32, b"v" * 32, bits) == expected


def test_ek_parameters_follow_the_default_templates():
    assert ek_parameters(key_pair("rsa-2048").public_key()) == EkParameters("sha256", 128)
    assert ek_parameters(key_pair("p256").public_key()) == EkParameters("sha256", 128)
    assert ek_parameters(key_pair("p384").public_key()) == EkParameters("sha384", 256)
    for kind in ("rsa-1024", "p521"):
        with pytest.raises(UnsupportedError) as caught:
            ek_parameters(key_pair(kind).public_key())
        assert caught.value.code == "evidence.tpm2.ek-unsupported"
    with pytest.raises(UnsupportedError) as caught:
        make_credential(key_pair("p256").public_key(), b"name", bytes(33))
    assert caught.value.code == "evidence.tpm2.secret-size"


def test_templates_parse():
    assert parse_public(EK_ECC_P256.encode()) == EK_ECC_P256
    assert AK_ECC_P256.attribute_names() == [
        "fixedTPM",
        "fixedParent",
        "sensitiveDataOrigin",
        "userWithAuth",
        "noDA",
        "restricted",
        "sign",
    ]


def test_reader_never_runs_out():
    reader = Reader(b"\x00\x03abc", "evidence.x")
    assert reader.sized(3, "text") == b"abc" and reader.left == 0
    with pytest.raises(MalformedError) as caught:
        reader.take(1, "more")
    assert caught.value.code == "evidence.x-truncated"
    with pytest.raises(EvidenceError):
        Reader(b"\x00\x04abcd", "evidence.x").sized(3, "text")
