# SPDX-License-Identifier: AGPL-3.0-or-later
"""dstack's envelope: real ones of TDX and SEV-SNP guests, and none that is not in its one encoding."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation import dstack, nitro, snp, tdx
from attestation.errors import EvidenceError, MalformedError
from attestation.tdx import TdxTrust
from tests.attestation.intel.making import AT, Paper
from tests.attestation.snp.real import WITHOUT_CRL

SNP_AT = datetime(2026, 7, 1, tzinfo=UTC)
VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "dstack"


def read(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def compact(value: int, size: int = 0) -> bytes:
    """SCALE's compact integer in its shortest form, or in a longer one of `size` bytes."""
    size = size or (1 if value < 1 << 6 else 2 if value < 1 << 14 else 4)
    return (value << 2 | {1: 0, 2: 1, 4: 2}[size]).to_bytes(size, "little")


def counted(data: bytes, size: int = 0) -> bytes:
    return compact(len(data), size) + data


def vector(*items: bytes) -> bytes:
    return compact(len(items)) + b"".join(items)


def event(imr: int = 0, kind: int = 4, digest: bytes = bytes(48), name: bytes = b"", payload: bytes = b"x") -> bytes:
    head = imr.to_bytes(4, "little") + kind.to_bytes(4, "little")
    return head + counted(digest) + counted(name) + counted(payload)


TAIL = vector(counted(b"app-id") + counted(b"\1\2")) + bytes(64) + counted(b'{"cpu_count":1}')
REPORT = bytes(1184)


def tdx_envelope(*events: bytes, quote: bytes = b"\4\0", tail: bytes = TAIL) -> bytes:
    return b"\0\0" + counted(quote) + vector(*events) + tail


def test_vectors_are_what_their_source_published() -> None:
    entries = json.loads(read("provenance.json"))
    assert {entry["file"] for entry in entries} | {"provenance.json"} == {path.name for path in VECTORS.iterdir()}
    for entry in entries:
        assert hashlib.sha256(read(entry["file"])).hexdigest() == entry["sha256"]


def test_a_real_snp_guest() -> None:
    bare = snp.read(read("sev_snp_attestation.bin"))
    assert set(bare) == {"report"}
    full = snp.read(read("sev-snp-attestation.json"))
    assert full["report"] == bare["report"] and set(full) == {"report", "certificates"}
    inside = json.loads(read("sev-snp-attestation.json"))["attestation"]
    assert snp.read(bytes.fromhex(inside)) == snp.read(inside.encode()) == full
    asked = b"attest-test-fixture-2026"
    found = snp.appraise(full, challenge=asked, at=SNP_AT, trust=WITHOUT_CRL)
    assert found.passed and found.claims["report_data"] == asked.ljust(64, b"\0").hex()


def test_a_real_tdx_guest_with_its_log() -> None:
    members = tdx.read(read("tdx_attestation.bin"))
    assert set(members) == {"quote", "event_log"}
    found = tdx.appraise(members, challenge=None, at=AT, trust=TdxTrust())
    assert found.claims["event_log_covered"] == [0, 1, 2, 3]
    assert [item["event"] for item in found.claims["runtime_events"]][1:3] == ["app-id", "compose-hash"]
    line = next(check for check in found.checks if check.id == "evidence.tdx.event-log")
    assert line.outcome == "PASS"


def test_a_stripped_log_is_no_log_of_the_boot() -> None:
    members = tdx.read(read("tdx-lite-attestation.json"))
    assert set(members) == {"quote"}
    found = tdx.appraise(members, challenge=None, at=AT, trust=TdxTrust())
    line = next(check for check in found.checks if check.id == "evidence.tdx.event-log")
    assert (line.outcome, line.code) == ("SKIP", "evidence.tdx.event-log-missing")


def test_the_layout() -> None:
    quote = Paper().quote()
    data = tdx_envelope(event(), event(3, 0x08000001, b"", b"app-id", b"\7"), quote=quote)
    assert tdx.read(data)["quote"] == quote and tdx.read(data)["event_log"]
    assert tdx.read(json.dumps({"attestation": data.hex()}).encode()) == tdx.read(data)
    assert dstack.read_nitro(b"\0\2" + counted(b"doc") + TAIL, "x") == b"doc"
    body = counted(REPORT) + vector(counted(b"one"), counted(b"")) + counted(b"{}")
    assert dstack.read_snp(b"\0\3" + body + TAIL, "x") == dstack.SnpQuote(REPORT, (b"one", b""))


WELL = tdx_envelope(event())
BODY = WELL[2:]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (WELL + b"\0", "trailing"),
        (WELL[:-1], "truncated"),
        (b"\1\0" + BODY, "malformed"),
        (b"\0\1" + BODY, "malformed"),
        (b"\0\3" + BODY, "malformed"),
        (b"\0\5" + BODY, "malformed"),
        (b"\0\0" + counted(b"\4\0", 2) + WELL[5:], "malformed"),
        (b"\0\0" + counted(b"\4\0", 4) + WELL[5:], "malformed"),
        (b"\0\0" + counted(bytes(100), 4) + WELL[5:], "malformed"),
        (b"\0\0\3" + bytes(4) + BODY, "malformed"),  # the mode for larger integers
        (b"\0\0" + compact(1 << 29) + BODY, "truncated"),
        (b"\0\0" + counted(b"\4\0") + compact(1025) + BODY, "malformed"),
        (tdx_envelope(event(), tail=compact(1025) + TAIL), "malformed"),
        (tdx_envelope(event(name=b"\xff")), "malformed"),
        (tdx_envelope(event(), tail=vector() + bytes(64) + counted(b"\xff")), "malformed"),
        (tdx_envelope(event(), tail=vector() + bytes(63)), "truncated"),
        (tdx_envelope(event(), tail=TAIL[:-3] + b"xyz" + b"\0" * 5), "trailing"),
    ],
)
def test_no_other_encoding(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        dstack.read_tdx(data, "evidence.tdx.raw")
    assert caught.value.code == f"evidence.tdx.raw-{code}"


@pytest.mark.parametrize(
    "changed", [event(imr=4), event(digest=bytes(47)), event(digest=b""), event(name="é".encode())]
)
def test_events_that_no_log_has(changed: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        tdx.read(tdx_envelope(event(), changed))
    assert caught.value.code == "evidence.tdx.raw-malformed"


def test_an_envelope_around_something_else() -> None:
    """Each reader takes its own kind alone, and says which one it was given."""
    snp_file, tdx_file = read("sev_snp_attestation.bin"), read("tdx_attestation.bin")
    for take, data, name in (
        (tdx.read, snp_file, "SEV-SNP"),
        (snp.read, tdx_file, "TDX"),
        (nitro.read, tdx_file, "TDX"),
        (tdx.read, b"\0\1" + BODY, "TDX with a TPM"),
        (nitro.read, b"\0\4" + BODY, "NitroTPM"),
    ):
        with pytest.raises(MalformedError) as caught:
            take(data)
        assert caught.value.code.endswith(".raw-malformed") and f"around {name};" in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        counted(REPORT[1:]) + vector() + counted(b""),
        counted(REPORT) + vector(*[counted(b"x")] * 17) + counted(b""),
        counted(REPORT) + vector(counted(b"no certificate")) + counted(b""),
    ],
)
def test_snp_bodies_that_are_none(body: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        snp.read(b"\0\3" + body + TAIL)
    assert caught.value.code == "evidence.snp.raw-malformed"


def test_every_truncation_of_real_ones() -> None:
    for name, take in (("sev_snp_attestation.bin", dstack.read_snp), ("tdx_attestation.bin", dstack.read_tdx)):
        data = read(name)
        for end in range(2, len(data)):
            with pytest.raises(MalformedError):
                take(data[:end], "x")


def test_what_nothing_signs_is_not_believed() -> None:
    """Changing the envelope's own events and settings changes no member."""
    whole = tdx_envelope(event(), quote=Paper().quote())
    for tail in (vector() + bytes(64) + counted(b""), vector() + bytes(64) + counted(b"{}")):
        assert tdx.read(whole.removesuffix(TAIL) + tail) == tdx.read(whole)


def test_report_data_that_the_quote_does_not_have() -> None:
    whole = tdx_envelope(event(), quote=Paper().quote())
    with pytest.raises(MalformedError) as caught:
        tdx.read(whole.removesuffix(TAIL) + vector() + b"\1" * 64 + counted(b"{}"))
    assert caught.value.code == "evidence.tdx.raw-malformed"


@given(st.binary(max_size=400), st.sampled_from([b"\0\0", b"\0\2", b"\0\3", b"\0\4", b""]))
def test_any_bytes(data: bytes, head: bytes) -> None:
    for take in (tdx.read, snp.read, nitro.read):
        try:
            take(head + data)
        except EvidenceError:
            continue
