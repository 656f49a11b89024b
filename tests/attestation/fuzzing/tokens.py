# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parsers of signed results, of CBOR and of JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import cbor2

from attestation import cbor, raw
from attestation.cmw.collection import parse as parse_collection
from attestation.collateral.recognition import unarmoured
from attestation.ear.claims import DIALECTS, to_cbor, to_json
from attestation.ear.keys import VerificationKey, load_key, to_jwk
from attestation.ear.reading import read_cbor, read_json, verify_ear
from attestation.errors import MalformedError
from tests.attestation.ear.making import AT, EAR, KEYS, VECTORS, signed, trusted
from tests.attestation.fuzzing.target import Outcome, Parts, Seed, Target, of_bytes

PREFIX = "evidence.fuzzed"


def targets(collection: bytes) -> list[Target]:
    """All of them; `collection` is a CMW."""
    items = [cbor2.dumps(to_cbor(EAR, dialect)) for dialect in DIALECTS.values()]
    texts = [json.dumps(to_json(EAR, dialect)).encode() for dialect in DIALECTS.values()]
    keys = [json.dumps(to_jwk(trusted(name))).encode() for name in KEYS]
    cwts = [signed(form="cwt", algorithm=name) for name in KEYS]
    return [
        _results("EAR, JWT", "jwt"),
        _results("EAR, CWT", "cwt"),
        of_bytes("EAR claims, JSON", _json_claims, *texts),
        of_bytes("EAR claims, CBOR", _cbor_claims, *items),
        of_bytes("EAR key", _key, *keys, *_pem_keys()),
        of_bytes("CBOR", lambda data: cbor.decode(data, PREFIX, "item", tags=frozenset({18, 61})), *items, *cwts),
        of_bytes("JSON", lambda data: raw.document(data, PREFIX), *texts, base64.b64encode(texts[0])),
        of_bytes("armour", unarmoured, texts[0].hex().encode(), base64.b64encode(items[0]), items[0]),
        of_bytes("collection", parse_collection, collection),
    ]


def _results(title: str, form: str) -> Target:
    """What is stated is the result itself: outer tags and unprotected headers are nobody's statement."""
    seeds = [
        Seed(
            f"{algorithm} {dialect}",
            {"token": signed(form=form, algorithm=algorithm, dialect=found)},
            trusted(algorithm),
        )
        for algorithm in KEYS
        for dialect, found in DIALECTS.items()
    ]
    if form == "jwt":
        key = load_key((VECTORS / "veraison_testkey_pub.jwk").read_bytes())
        seeds += [Seed(path.name, {"token": path.read_bytes()}, key) for path in sorted(VECTORS.glob("*.jwt"))]

    def run(parts: Parts, seed: Seed) -> Outcome:
        key: VerificationKey = seed.context
        return Outcome("accepted", repr(verify_ear(parts["token"], key, at=AT)))

    return Target(title, tuple(seeds), run)


def _json_claims(data: bytes) -> None:
    found = raw.document(data, PREFIX)
    if not isinstance(found, dict):
        raise MalformedError(PREFIX, "not an object")
    read_json(found)


def _cbor_claims(data: bytes) -> None:
    found = cbor.decode(data, PREFIX, "claims")
    if not isinstance(found, dict):
        raise MalformedError(PREFIX, "not a map")
    read_cbor(found)


def _key(data: bytes) -> None:
    load_key(data)


def _pem_keys() -> list[bytes]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from tests.attestation.snp import real

    written: Callable[..., bytes] = KEYS["ES256"].public_key().public_bytes
    return [written(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), real.read("ms-turin/vcek.pem")]
