# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collections: evidence of one session holds together, evidence of two does not."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import replace
from datetime import timedelta

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation import raw, simulated
from attestation.cmw import FORMAT, TYPE, CmwTrust, Collection, Piece, appraise, encode, piece_challenges, read
from attestation.cmw.collection import COLLECTION_TAG, COLLECTION_TYPE, parse
from attestation.errors import EvidenceError, MalformedError, OperationalError, UnsupportedError
from attestation.simulated import SimulatedEvidence
from attestation.statements import signed_body
from attestation.tpm2.signature import parse_signature
from tests.attestation.cmw.making import OTHER, SESSION, TPM, TYPES, collection, pieces
from tests.attestation.paper import AT, PaperTpm, trust

SIMULATED = frozenset({TPM, simulated.TYPE})


def judged(found: Collection | bytes, challenge: bytes | None = SESSION, **changes):
    data = found if isinstance(found, bytes) else encode(found)
    chosen = CmwTrust(**{"trusts": {"tpm2": trust()}, **changes})
    return appraise({"collection": data}, challenge=challenge, at=AT, trust=chosen)


def failed(found: Collection, challenge: bytes | None = SESSION) -> set[str]:
    return {check.code for check in judged(found, challenge).failed}


def test_one_session():
    found = judged(collection())
    assert found.passed, found.failed
    assert {check.id.split(".")[2] for check in found.checks} >= {"challenge", "board", "module"}
    assert found.claims["pieces"]["board"]["type"] == TPM
    assert found.expires is None or found.expires > AT


def test_without_a_challenge_the_pieces_still_belong_together():
    found = judged(collection(), None)
    assert found.passed
    assert next(check.code for check in found.checks if check.outcome == "SKIP") == "evidence.cmw.challenge-not-given"
    mixed = collection()
    mixed = replace(mixed, pieces={**mixed.pieces, "module": pieces(OTHER)["module"]})
    assert failed(mixed, None) == {"evidence.tpm2.challenge-mismatch"}


def test_pieces_of_two_sessions_do_not_mix():
    ours, theirs = collection(), collection(OTHER)
    for label in TYPES:
        mixed = replace(ours, pieces={**ours.pieces, label: theirs.pieces[label]})
        assert failed(mixed) == {"evidence.tpm2.challenge-mismatch"}
    assert failed(theirs) == {"evidence.cmw.challenge-mismatch"}
    relabelled = replace(theirs, session=SESSION)
    assert failed(relabelled) == {"evidence.tpm2.challenge-mismatch"}


def test_a_piece_taken_away_added_renamed_or_swapped():
    ours = collection()
    alone = replace(ours, pieces={"board": ours.pieces["board"]})
    more = replace(ours, pieces={**ours.pieces, "third": ours.pieces["board"]})
    renamed = replace(ours, pieces={"board": ours.pieces["board"], "gpu": ours.pieces["module"]})
    swapped = replace(ours, pieces={"board": ours.pieces["module"], "module": ours.pieces["board"]})
    twice = replace(ours, pieces={"board": ours.pieces["board"], "module": ours.pieces["board"]})
    for wrong in (alone, more, renamed, swapped, twice):
        assert failed(wrong) == {"evidence.tpm2.challenge-mismatch"}


def test_evidence_for_the_session_challenge_itself_is_no_piece():
    tpm = Piece(TPM, PaperTpm(extra_data=SESSION).members())
    assert failed(Collection(SESSION, {"board": tpm})) == {"evidence.tpm2.challenge-mismatch"}


def test_a_false_piece_makes_the_whole_false():
    ours = collection()
    bad = dict(ours.pieces["module"].members)
    bad["pcrs"] = PaperTpm(extra_data=bytes(32)).members()["pcrs"].replace(b"0", b"1", 1)
    with contextlib.suppress(MalformedError):
        assert not judged(replace(ours, pieces={**ours.pieces, "module": Piece(TPM, bad)})).passed
    untrusted = judged(ours, trusts={})
    assert untrusted.missing and not untrusted.passed


def test_what_the_policy_accepts_and_requires():
    both = collection(types={"board": TPM, "toy": simulated.TYPE})
    found = judged(both)
    assert {check.code for check in found.missing} == {"evidence.cmw.piece-not-accepted"} and found.simulated
    found = judged(both, accept=SIMULATED)
    assert found.simulated and not found.passed and not found.failed
    assert judged(collection(), required=frozenset({TPM})).passed
    absent = judged(collection(), accept=SIMULATED, required=frozenset({simulated.TYPE}))
    assert [check.code for check in absent.failed] == ["evidence.cmw.piece-required"]
    for required, accept in ((TYPE, None), (TPM, frozenset())):
        with pytest.raises(OperationalError) as caught:
            CmwTrust(required=frozenset({required}), accept=accept)
        assert caught.value.code == "evidence.cmw.trust-invalid"


def test_windows_of_the_pieces_hold():
    data = encode(collection())
    chosen = CmwTrust(trusts={"tpm2": trust()})
    late = appraise({"collection": data}, challenge=SESSION, at=AT + timedelta(days=4000), trust=chosen)
    assert not late.passed


# Grammar.


def record(kind: str, body: bytes) -> list:
    return [f'application/vnd.affidavit.evidence; type="{kind}"', base64.urlsafe_b64encode(body).decode(), 4]


def as_json(found: Collection, **changes) -> dict:
    session = ["application/vnd.affidavit.challenge", base64.urlsafe_b64encode(found.session).decode().rstrip("="), 4]
    records = {
        label: record(piece.type, raw.members_document(piece.type, piece.members))
        for label, piece in found.pieces.items()
    }
    return {"__cmwc_t": COLLECTION_TYPE, "session": session, **records, **changes}


def test_every_encoding_reads_to_the_same_members():
    ours = collection()
    canonical = encode(ours)
    loose = cbor2.dumps(dict(reversed(cbor2.loads(canonical).items())))
    tagged = cbor2.dumps(cbor2.CBORTag(COLLECTION_TAG, cbor2.loads(canonical)))
    own = raw.members_document(TYPE, {"collection": canonical})
    text = json.dumps(as_json(ours), indent=2).encode()
    for data in (canonical, loose, tagged, own, text, canonical.hex().encode(), base64.b64encode(canonical)):
        assert read(data) == {"collection": canonical}
    assert judged(read(text)["collection"]).passed
    with pytest.raises(MalformedError):
        judged(loose)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"__cmwc_t": "tag:example.com,2026:other"}, "collection-unsupported"),
        ({"__cmwc_t": "tag:github.com,2025:veraison/ratsd/cmw"}, "collection-unsupported"),
        ({"__cmwc_t": 5}, "collection-malformed"),
        ({"__cmwc_t": None}, "collection-malformed"),
        ({"session": ["text/plain", "AAAA", 4]}, "collection-malformed"),
        ({"session": ["application/vnd.affidavit.challenge", "AAAA", 4]}, "collection-malformed"),
        ({"session": ["application/vnd.affidavit.challenge", "***", 4]}, "collection-malformed"),
        ({"Board": record(TPM, b"x")}, "collection-malformed"),
        ({"x" * 33: record(TPM, b"\xa1\x61x\x41x")}, "collection-malformed"),
        ({"more": ["application/eat+cwt", "AAAA", 4]}, "piece-unsupported"),
        ({"more": record("other@v1", b"x")}, "piece-unsupported"),
        ({"more": record(TYPE, b"x")}, "piece-unsupported"),
        ({"more": [*record(TPM, b"x")[:2], 2]}, "piece-unsupported"),
        ({"more": [*record(TPM, b"x")[:2], True]}, "piece-unsupported"),
        ({"more": record(TPM, b"x")[:2]}, "collection-malformed"),
        ({"more": {"__cmwc_t": COLLECTION_TYPE}}, "collection-malformed"),
        ({"more": [5, "AAAA", 4]}, "collection-malformed"),
        ({f"p{n}": record(simulated.TYPE, b"\xa1\x61x\x41x") for n in range(17)}, "collection-malformed"),
    ],
)
def test_what_is_no_collection(changes, code):
    found = {key: value for key, value in as_json(collection(), **changes).items() if value is not None}
    with pytest.raises((MalformedError, UnsupportedError)) as caught:
        read(json.dumps(found).encode())
    assert caught.value.code == f"evidence.cmw.{code}"


def test_base64_of_a_record_has_one_spelling():
    """The last character of 32 bytes has two bits that say nothing: changed, they are refused."""
    found = as_json(collection())
    text = found["session"][1]
    for spelling in (text[:-1] + chr(ord(text[-1]) ^ 1), text + "=="):
        found["session"][1] = spelling
        with pytest.raises(MalformedError) as caught:
            read(json.dumps(found).encode())
        assert caught.value.code == "evidence.cmw.collection-malformed"


def test_what_is_no_file_of_one():
    only_session = {key: value for key, value in as_json(collection()).items() if key in ("__cmwc_t", "session")}
    no_session = {key: value for key, value in as_json(collection()).items() if key != "session"}
    for data in (b"\xa0", b"\xf6", b"\x80", json.dumps(only_session).encode(), json.dumps(no_session).encode()):
        with pytest.raises(MalformedError) as caught:
            read(data)
        assert caught.value.code == "evidence.cmw.collection-malformed"
    for data, code in ((b"", "raw-empty"), (b"{]", "raw-malformed"), (b"x" * ((16 << 20) + 1), "raw-too-large")):
        with pytest.raises(MalformedError) as caught:
            read(data)
        assert caught.value.code == f"evidence.cmw.{code}"


def test_a_member_that_cannot_be():
    for piece in (b"\x05", b"\xa0", cbor2.dumps({"x": "text"}), cbor2.dumps({1: b"x"})):
        wrong = cbor2.loads(encode(collection()))
        wrong["board"] = [wrong["board"][0], piece, 4]
        with pytest.raises(MalformedError) as caught:
            parse(cbor2.dumps(wrong, canonical=True))
        assert caught.value.code == "evidence.cmw.collection-malformed"


def test_every_bit_of_the_frame():
    """The pieces' own bytes are their formats' affair (tests of these); here everything around them."""
    ours = Collection(SESSION, {"board": pieces(SESSION, {"board": TPM})["board"]})
    data = encode(ours)
    body = cbor2.dumps(dict(ours.pieces["board"].members), canonical=True)
    start = data.index(body)
    frame = [*range(start), *range(start + len(body), len(data))]
    assert len(frame) > 150
    for index in frame:
        for bit in range(8):
            flipped = data[:index] + bytes([data[index] ^ 1 << bit]) + data[index + 1 :]
            try:
                found = judged(flipped)
            except EvidenceError:
                continue
            assert not found.passed


def test_truncations_and_extensions():
    data = encode(collection())
    for wrong in (data[:-1], data + b"\0", data[1:], data + data, b""):
        with pytest.raises(MalformedError):
            judged(wrong)


@given(st.binary(min_size=32, max_size=32), st.sets(st.sampled_from("abcdef"), min_size=1))
def test_challenges_differ_by_session_pieces_and_label(session, labels):
    types = dict.fromkeys(labels, TPM)
    found = piece_challenges(session, types)
    assert len(set(found.values())) == len(found) and session not in found.values()
    assert not set(found.values()) & set(piece_challenges(session, {**types, "g": TPM}).values())
    assert not set(found.values()) & set(piece_challenges(session, dict.fromkeys(labels, "x@v1")).values())
    assert found == piece_challenges(session, dict(reversed(types.items())))


@pytest.mark.fuzz
@given(st.one_of(st.binary(max_size=200), st.just(b"")), st.data())
def test_hostile_collections_have_typed_outcomes(data, draw):
    if draw.draw(st.booleans()):
        data = encode(Collection(SESSION, {"toy": Piece(simulated.TYPE, SimulatedEvidence().collect(SESSION))}))
        for _ in range(draw.draw(st.integers(0, 4))):
            at = draw.draw(st.integers(0, len(data) - 1))
            data = data[:at] + draw.draw(st.binary(max_size=3)) + data[at + draw.draw(st.integers(0, 3)) :]
            if not data:
                break
    for call in (lambda: read(data), lambda: judged(data)):
        with contextlib.suppress(EvidenceError):
            call()


def test_a_replay_is_known_by_what_the_pieces_sign():
    """The same quotes with other signature bytes (ECDSA's n - s) are another collection and the same statement."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    genuine = collection()
    board = genuine.pieces["board"]
    signature = parse_signature(board.members["signature"])
    mirrored = order - int.from_bytes(signature.s, "big")
    other = replace(signature, s=mirrored.to_bytes(32, "big")).encode()
    twin = replace(
        genuine, pieces={**genuine.pieces, "board": replace(board, members={**board.members, "signature": other})}
    )
    assert judged(genuine).passed and judged(twin).passed and encode(genuine) != encode(twin)
    bodies = {signed_body(FORMAT, {"collection": encode(each)}) for each in (genuine, twin)}
    assert len(bodies) == 1
    assert signed_body(FORMAT, {"collection": encode(collection(OTHER))}) not in bodies


def test_member_names_without_utf_8():
    inner = b'{"type": "snp-report@v1", "members": {"\\ud800": "AAAA"}}'
    records = {
        "__cmwc_t": COLLECTION_TYPE,
        "session": ["application/vnd.affidavit.challenge", text(SESSION), 4],
        "a": ['application/vnd.affidavit.evidence; type="snp-report@v1"', text(inner), 4],
    }
    with pytest.raises(MalformedError):
        read(json.dumps(records).encode())


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
