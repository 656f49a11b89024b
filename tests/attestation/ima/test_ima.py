# SPDX-License-Identifier: AGPL-3.0-or-later
"""IMA lists: a real one, both forms of every template, the tail race, the boot aggregate, allowed digests."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import EvidenceError, MalformedError, UnsupportedError
from attestation.ima import boot_aggregates, covered_prefix, parse_ima_list
from attestation.ima.parser import MAX_LIST
from tests.attestation.ima.making import (
    AGGREGATE,
    ID,
    MEASURED,
    TEMPLATES,
    ascii_list,
    ask,
    binary_list,
    extended,
    listing,
)
from tests.attestation.paper import PaperTpm, booted_pcrs, codes

IMA = Path(__file__).resolve().parents[2] / "vectors" / "ima"


def vector(name: str) -> bytes:
    data = (IMA / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


REAL = vector("rust-keylime/ascii_runtime_measurements.gz")


def test_vectors_are_what_their_source_published():
    for entry in json.loads((IMA / "provenance.json").read_text()):
        data = vector(entry["file"])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["bytes"])


def test_real_list():
    measured = parse_ima_list(REAL)
    assert (len(measured.entries), measured.form, measured.inconsistent) == (826, "ascii", None)
    assert {entry.template for entry in measured.entries} == {"ima-ng"}
    assert measured.entries[1].name == "/init" and measured.entries[1].algorithm == "sha1"
    for bank in ("sha1", "sha256", "sha384"):
        for count in (1, 400, 826):
            assert covered_prefix(measured, bank, extended(measured.entries[:count], bank)) == count
        assert covered_prefix(measured, bank, extended(measured.entries[1:], bank)) is None
    with pytest.raises(MalformedError):
        parse_ima_list(vector("rust-keylime/invalid_ima_log.txt"))


@pytest.mark.parametrize("line", range(0, 826, 97))
def test_no_bit_of_a_real_entry_can_change(line):
    """Each flip is refused, makes the entry inconsistent with its template hash, or adds the newline of nothing."""
    text = REAL.split(b"\n")[line]
    for bit in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            measured = parse_ima_list(bytes(flipped))
        except EvidenceError:
            continue
        entry = measured.entries[0]
        assert measured.inconsistent == 0 or entry.register != 10, (line, bit)


@pytest.mark.parametrize("measurement", TEMPLATES, ids=lambda m: f"{m.template}-{m.name}")
def test_both_forms_of_a_template_say_the_same(measurement):
    one, other = parse_ima_list(ascii_list([measurement])), parse_ima_list(binary_list([measurement]))
    assert (one.form, other.form) == ("ascii", "binary") and one.entries == other.entries
    (entry,) = one.entries
    assert one.inconsistent is None and not entry.violation
    assert (entry.name, entry.digest, entry.algorithm) == (measurement.name, measurement.digest, measurement.algorithm)
    assert entry.kind == (measurement.kind or "ima") and entry.binds_buffer()
    wrong = replace(entry, fields=(*entry.fields[:-1], entry.fields[-1] + b"x"))
    assert wrong.extends("sha256") != entry.extends("sha256")


def test_violation_extends_ones():
    (entry,) = parse_ima_list(ascii_list([replace(TEMPLATES[1], violation=True)])).entries
    assert entry.violation and entry.extends("sha256") == b"\xff" * 32


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"10 " + b"0" * 39 + b" ima-ng sha256:00 /a\n", "malformed"),
        (b"10 " + b"0" * 40 + b" ima-ng sha256:00 /a\n", "malformed"),
        (b"10 " + b"0" * 40 + b" ima-ng sha256:" + b"0" * 64 + b"\n", "malformed"),
        (b"10 " + b"0" * 40 + b" ima-ng sm3:" + b"0" * 64 + b" /a\n", "malformed"),
        (b"39 " + b"0" * 40 + b" ima-ng sha256:" + b"0" * 64 + b" /a\n", "malformed"),
        (b"10 " + b"0" * 40 + b" ima-sig sha256:" + b"0" * 64 + b" /a xyz\n", "malformed"),
        (b"10 " + b"0" * 40 + b" ima " + b"0" * 41 + b" /a\n", "malformed"),
        (b"10 " + b"0" * 40 + b" ima-ngv2 sha256:" + b"0" * 64 + b" /a\n", "malformed"),
        (b"10 " + b"0" * 40 + b" ima-ng ima:sha256:" + b"0" * 64 + b" /a\n", "malformed"),
        (b"\n", "truncated"),
        (binary_list(TEMPLATES[1:2])[:-1], "truncated"),
        (binary_list(TEMPLATES[1:2]) + b"\0", "truncated"),
        (bytes(MAX_LIST + 1), "too-large"),
        (ascii_list(TEMPLATES[1:2]) * 65537, "too-large"),
    ],
)
def test_broken_lists(data, code):
    with pytest.raises(MalformedError) as caught:
        parse_ima_list(data)
    assert caught.value.code == f"evidence.ima.list-{code}"


def test_unknown_template():
    for data in (ascii_list(TEMPLATES[1:2]), binary_list(TEMPLATES[1:2])):
        with pytest.raises(UnsupportedError) as caught:
            parse_ima_list(data.replace(b"ima-ng", b"evm-ng"))
        assert caught.value.code == "evidence.ima.template-unsupported"


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_list_has_a_typed_outcome(data, cut):
    for candidate in (data, REAL[:cut] + data, binary_list(TEMPLATES)[:cut] + data):
        try:
            measured = parse_ima_list(candidate)
        except EvidenceError:
            continue
        for entry in measured.entries:
            assert len(entry.extends("sha256")) == 32
            assert "\0" not in entry.name.rstrip("\0")
            assert len(entry.digest) in (16, 20, 32, 48, 64)
            assert entry.binds_buffer() in (True, False)


# Under a quote.

ALLOWED = frozenset(m.digest for m in TEMPLATES if len(m.digest) >= 32)


def quoted(count, measurements, form=ascii_list, banks=("sha256",), **changes):
    """Members of a quote taken after `count` measurements, with the whole list."""
    pcrs: dict[tuple[str, int], bytes] = {}
    for bank in banks:
        pcrs |= booted_pcrs(bank)
        pcrs[bank, 10] = extended(listing(measurements)[:count], bank)
    return PaperTpm(pcrs=pcrs).members(ima_log=form(measurements), **changes)


@pytest.mark.parametrize("form", [ascii_list, binary_list])
@pytest.mark.parametrize("count", [1, 3, len(MEASURED)])
@pytest.mark.parametrize("banks", [("sha256",), ("sha256", "sha384"), ("sha1", "sha384")])
def test_prefix_that_the_quote_vouches_for(form, count, banks):
    """The quote may be older than the list: what lies behind is counted, and nothing is claimed of it."""
    members = quoted(count, MEASURED, form, banks)
    found = ask(members, require_ima=True)
    assert codes(found) == {} and found.passed
    assert found.claims["ima_entries"] == count
    assert found.claims["ima_entries_behind"] == len(MEASURED) - count
    line = next(check for check in found.checks if check.id == f"{ID}-boot-aggregate")
    assert line.outcome == ("PASS" if "sha256" in banks else "SKIP")


def test_list_from_the_collateral():
    members = quoted(2, MEASURED)
    data = members.pop("ima_log")
    assert codes(ask(members, require_ima=True)) == {ID: f"{ID}-missing"}
    other = ascii_list([TEMPLATES[2], *MEASURED])
    assert ask(members, [other, REAL, b"10 nonsense", data], require_ima=True).passed


def test_a_strangers_list_among_collateral_is_left_aside():
    """Offered, not claimed; so is this machine's own with a line altered. A member speaks against the evidence."""
    members = quoted(len(MEASURED), MEASURED)
    data = members.pop("ima_log")
    lines = data.split(b"\n")
    lines[2] = b"10 " + b"1" * 40 + lines[2][43:]
    for stranger in (REAL, ascii_list(MEASURED[1:]), b"\n".join(lines)):
        found = ask(members, [stranger])
        line = next(check for check in found.checks if check.id == ID)
        assert (line.outcome, line.code, line.demanded) == ("SKIP", f"{ID}-foreign", False)
        assert found.passed and "ima_entries" not in found.claims
        assert codes(ask(members, [stranger], require_ima=True)) == {ID: f"{ID}-foreign"}
        assert ask(members, [stranger, data], require_ima=True).passed
        assert ask({**members, "ima_log": stranger}).failed


@pytest.mark.parametrize(
    ("change", "check", "code"),
    [
        (lambda m: [m[0], *m[2:]], ID, "mismatch"),  # an entry left out
        (lambda m: [m[0], m[2], m[1], *m[3:]], ID, "mismatch"),  # swapped
        (lambda m: m[1:], ID, "mismatch"),
        (lambda m: m[:2], ID, "mismatch"),  # shorter than the quote
        (lambda m: [m[0], replace(m[1], name="/bin/other"), *m[2:]], ID, "mismatch"),
    ],
)
def test_edited_list(change, check, code):
    members = quoted(4, MEASURED)
    members["ima_log"] = ascii_list(change(MEASURED))
    assert codes(ask(members))[check] == f"{check}-{code}"


def test_template_hash_of_a_covered_entry_was_edited():
    members = quoted(len(MEASURED), MEASURED)
    lines = members["ima_log"].split(b"\n")
    lines[2] = b"10 " + b"1" * 40 + lines[2][43:]
    found = ask({**members, "ima_log": b"\n".join(lines)})
    assert codes(found) == {ID: "evidence.ima.template-hash-mismatch"}


@pytest.mark.parametrize(
    ("measurements", "code"),
    [
        ([replace(AGGREGATE, digest=bytes(32)), *TEMPLATES[1:2]], "mismatch"),
        ([TEMPLATES[1], AGGREGATE], "mismatch"),
        ([replace(AGGREGATE, violation=True)], "mismatch"),
    ],
)
def test_list_of_another_boot(measurements, code):
    check = f"{ID}-boot-aggregate"
    assert codes(ask(quoted(len(measurements), measurements))) == {check: f"{check}-{code}"}


def test_boot_aggregate_before_kernel_5_8():
    values = {index: value for (_, index), value in booted_pcrs().items()}
    new, old = boot_aggregates("sha256", values)
    assert new == AGGREGATE.digest and old == hashlib.sha256(b"".join(values[i] for i in range(8))).digest()
    assert ask(quoted(1, [replace(AGGREGATE, digest=old)])).passed
    assert boot_aggregates("sha256", {index: values[index] for index in range(7)}) == ()
    assert len(boot_aggregates("sha1", {index: bytes(20) for index in range(10)})) == 1


def test_allowed_digests():
    assert ask(quoted(len(MEASURED), MEASURED), ima_digests=ALLOWED).passed
    fewer = ALLOWED - {TEMPLATES[1].digest}
    found = ask(quoted(len(MEASURED), MEASURED), ima_digests=fewer)
    assert codes(found) == {f"{ID}-reference": f"{ID}-unexpected"}
    assert found.claims["unexpected_components"] == [f"sha256:{TEMPLATES[1].digest.hex()} /bin/with space"]
    # What lies behind the quote is not judged, for good or bad.
    assert ask(quoted(1, MEASURED), ima_digests=fewer).passed
    nothing = quoted(1, MEASURED)
    del nothing["ima_log"]
    assert codes(ask(nothing, ima_digests=ALLOWED)) == {ID: f"{ID}-missing"}


def test_sha1_digest_of_a_file_is_never_allowed():
    measured = [AGGREGATE, TEMPLATES[0]]
    found = ask(quoted(2, measured), ima_digests=ALLOWED)
    assert codes(found) == {f"{ID}-reference": f"{ID}-unexpected"}


def test_buffer_that_its_digest_does_not_bind():
    measured = [AGGREGATE, replace(TEMPLATES[6], extra=b"other")]
    assert codes(ask(quoted(2, measured), ima_digests=ALLOWED)) == {f"{ID}-reference": f"{ID}-unexpected"}


def test_file_that_changed_while_it_was_measured():
    measured = [AGGREGATE, replace(TEMPLATES[1], violation=True)]
    assert ask(quoted(2, measured)).claims["ima_violations"] == 1
    found = ask(quoted(2, measured), ima_digests=ALLOWED)
    assert codes(found) == {f"{ID}-reference": f"{ID}-violation"}


def test_entries_of_other_registers_are_vouched_for_by_nothing():
    stray = replace(TEMPLATES[1], register=11, name="/bin/stray")
    measured = [AGGREGATE, stray, TEMPLATES[2]]
    found = ask(quoted(3, measured), ima_digests=frozenset({TEMPLATES[2].digest}))
    assert found.passed and found.claims["ima_entries"] == 2


def test_sha1_bank_vouches_for_nothing():
    members = quoted(2, MEASURED, banks=("sha1",))
    found = ask(members, require_ima=True)
    assert codes(found)[ID] == f"{ID}-unquoted" and "ima_entries" not in found.claims


def test_nothing_measured_and_a_list():
    members = quoted(0, MEASURED)
    assert codes(ask(members)) == {ID: f"{ID}-mismatch"}


@pytest.mark.parametrize("form", [ascii_list, binary_list])
def test_no_bit_of_a_covered_list_can_change(form):
    data = form(MEASURED)
    value = extended(listing(MEASURED), "sha256")
    survivors = []
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            measured = parse_ima_list(bytes(flipped))
        except EvidenceError:
            continue
        if measured.inconsistent is None and covered_prefix(measured, "sha256", value) == len(MEASURED):
            survivors.append(bit)
    assert survivors == []
