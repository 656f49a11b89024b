# SPDX-License-Identifier: AGPL-3.0-or-later
"""Services that throttle, fail, send elsewhere or too much; and what is kept, used and never used."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from affidavit.collateral.cache import Cache, Kept
from affidavit.collateral.services import Services, read_services
from affidavit.collateral.source import Source
from affidavit.collateral.transfer import ATTEMPTS, Answer, Request, Transfer
from attestation.errors import MalformedError as MalformedEvidence
from tests.attestation.snp import paper as amd
from tests.collateral.vendors import AT, Clock, Vendor, ok, serving, source
from verifier.errors import MalformedError, OperationalError, UnsupportedError, VerifierError

DAY = timedelta(days=1)
CRL = amd.crl(end=AT + 10 * DAY)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def vendor():
    with serving(Vendor({"/crl": ok(CRL)})) as found:
        yield found


@pytest.fixture
def ask(vendor, clock):
    def run(path="/crl", limit=10_000, body=None):
        with Transfer(timeout=2, sleep=clock.slept.append, now=clock, jitter=lambda: 1.0) as transfer:
            return transfer(Request(vendor.url + path, limit, body))

    return run


def code_of(call) -> str:
    with pytest.raises(VerifierError) as caught:
        call()
    assert caught.value.message
    return caught.value.code


def test_an_answer(ask, vendor):
    vendor.routes["/ocsp"] = lambda body: ok(b"answer to " + body, X_Y="z")
    assert ask().body == CRL
    found = ask("/ocsp", body=b"question")
    assert found.body == b"answer to question" and found.headers["x-y"] == "z"


@pytest.mark.parametrize(
    ("header", "waits"),
    [("7", [7.0]), ("Mon, 01 Jun 2026 12:00:09 GMT", [9.0]), ("Mon, 01 Jun 2026 11:00:00 GMT", [0.0]), ("soon", [1.0])]
    + [
        (odd, [1.0])
        for odd in ("Mon, 01 Jun 2026 12:00:09 +99999999999999999999", "Mon, 01 Jun 0 99:00:00 GMT", "²", "9" * 400)
    ],
)
def test_throttling_is_waited_for(ask, vendor, clock, header, waits):
    vendor.faults = [(429, b"slow down", {"Retry-After": header})]
    assert ask().body == CRL and clock.slept == waits


def test_throttling_has_its_limits(ask, vendor, clock):
    vendor.down = (429, b"", {"Retry-After": "3600"})
    assert code_of(ask) == "collateral.throttled" and clock.slept == [] and len(vendor.asked) == 1
    vendor.down = (429, b"", {})
    assert code_of(ask) == "collateral.throttled" and clock.slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_outages(ask, vendor, clock, status):
    vendor.faults = [(status, b"", {})] * 2
    assert ask().body == CRL and clock.slept == [1.0, 2.0]
    vendor.down = (status, b"", {})
    assert code_of(ask) == "collateral.unavailable" and len(vendor.asked) == 3 + ATTEMPTS


def test_nobody_there(clock):
    with serving(Vendor()) as vendor:
        url = vendor.url
    with Transfer(timeout=1, sleep=clock.slept.append, jitter=lambda: 0.0) as transfer:
        assert code_of(lambda: transfer(Request(url, 10))) == "collateral.unavailable"
    assert clock.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ((404, b"", {}), "collateral.absent"),
        ((410, b"", {}), "collateral.absent"),
        ((302, b"", {"Location": "http://elsewhere.example/crl"}), "collateral.redirected"),
        ((301, b"", {}), "collateral.redirected"),
        ((403, b"", {}), "collateral.refused"),
        ((204, b"", {}), "collateral.refused"),
        (ok(bytes(10_001)), "collateral.too-large"),
    ],
)
def test_final_answers(ask, vendor, clock, reply, code):
    vendor.down = reply
    assert code_of(ask) == code and clock.slept == [] and len(vendor.asked) == 1


def test_impatience(vendor, clock):
    """For a node whose client waits: fewer attempts, and no long pauses on a service's wish."""
    vendor.down = (503, b"", {"Retry-After": "3"})
    with Transfer(timeout=2, attempts=2, max_pause=2, sleep=clock.slept.append, now=clock) as transfer:
        assert code_of(lambda: transfer(Request(vendor.url, 10))) == "collateral.throttled"
        vendor.down = (503, b"", {})
        assert code_of(lambda: transfer(Request(vendor.url, 10))) == "collateral.unavailable"
    assert len(vendor.asked) == 3 and len(clock.slept) == 1


def test_a_ca_that_is_none(tmp_path):
    assert code_of(lambda: Transfer(ca=tmp_path / "none.pem")) == "client.ca.unusable"


# What is kept.


def accept(answer):
    from attestation.pki.revocation import load_crl

    load_crl(answer.body, "evidence.snp.collateral")
    return [("crl", "der", answer.body)]


@pytest.fixture
def fetch(vendor, clock, tmp_path):
    class Fetch:
        notes: tuple[str, ...] = ()

        def __call__(self, path="/crl"):
            with source(clock, tmp_path / "cache") as found:
                pieces = found.get(Request(vendor.url + path, 10_000), accept)
            self.notes = tuple(found.notes)
            return pieces

    return Fetch()


def test_a_day_without_network(fetch, vendor, clock):
    [first] = fetch()
    assert (first.data, first.fetched_at, first.expires) == (CRL, AT, AT + 10 * DAY)
    clock.at = AT + DAY - timedelta(seconds=1)
    assert fetch() == (first,) and len(vendor.asked) == 1
    clock.at = AT + DAY
    assert fetch()[0].fetched_at == AT + DAY and len(vendor.asked) == 2 and fetch.notes == ()


def test_an_outage_is_bridged_until_the_list_expires(fetch, vendor, clock):
    [first] = fetch()
    for down in [(503, b"", {}), ok(b"<html>log in</html>"), ok(amd.crl(end=AT + DAY)), (302, b"", {}), (404, b"", {})]:
        vendor.down = down
        clock.at = AT + 10 * DAY - timedelta(seconds=1)
        assert fetch() == (first,) and "used what was fetched" in fetch.notes[0]
        clock.at = AT + 10 * DAY
        assert code_of(fetch).startswith("collateral."), "never past its next update"


def test_expired_lists_are_not_used_though_the_service_sends_them(fetch, vendor, clock):
    vendor.routes["/crl"] = ok(amd.crl(end=AT))
    assert code_of(fetch) == "collateral.expired"
    vendor.routes["/crl"] = ok(CRL)
    assert fetch()[0].data == CRL, "and are not kept"


def test_other_content_is_not_kept(fetch, vendor, tmp_path):
    vendor.routes["/crl"] = ok(b"<html>log in</html>")
    assert code_of(fetch) == "collateral.content-wrong"
    assert not list(tmp_path.glob("cache/*"))


def test_a_clock_that_went_back_asks_again(fetch, vendor, clock):
    fetch()
    clock.at = AT - timedelta(hours=1)
    fetch()
    assert len(vendor.asked) == 2


def test_damage_on_disk_is_no_answer(fetch, vendor, clock, tmp_path):
    fetch()
    [path] = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    head, _, body = whole.partition(b"\n")
    told = json.loads(head)
    damaged = [
        b"", whole[:-1], whole + b"x", b"\n" + body, b"[]\n" + body, b"{}\n" + body, whole[: len(head)],
        json.dumps({**told, "fetched_at": "2026-06-01T12:00:00"}).encode() + b"\n" + body,
        json.dumps({**told, "fetched_at": "0001-01-01T00:00:00+14:00"}).encode() + b"\n" + body,
        json.dumps({**told, "url": "http://elsewhere/"}).encode() + b"\n" + body,
        json.dumps({**told, "headers": []}).encode() + b"\n" + body,
    ]  # fmt: skip
    for number, data in enumerate(damaged, start=2):
        path.write_bytes(data)
        assert fetch()[0].data == CRL and len(vendor.asked) == number
        assert path.read_bytes() == whole
    again = Source(lambda request: Answer(CRL, {}), Cache(tmp_path / "cache"), now=clock)
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert again.get(Request(vendor.url + "/crl", 10_000), accept)[0].data == CRL


def test_a_cache_that_cannot_be_written_is_said(vendor, clock, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with source(clock, tmp_path / "file" / "cache") as found:
        assert found.get(Request(f"{vendor.url}/crl", 10_000), accept)[0].data == CRL
    assert found.notes and "not kept" in found.notes[0]


def test_requests_have_answers_of_their_own(tmp_path):
    cache, at = Cache(tmp_path), AT
    first, second = Request("http://x/ocsp", 99, b"one"), Request("http://x/ocsp", 99, b"two")
    cache.store(first, Kept(Answer(b"1", {"tcb-info-issuer-chain": "c", "date": "d"}), at))
    assert cache.load(second) is None and cache.load(Request("http://x/ocsp", 99)) is None
    assert cache.load(first) == Kept(Answer(b"1", {"tcb-info-issuer-chain": "c"}), at)
    assert cache.load(Request("http://x/ocsp", 0, b"one")) is None, "larger than the limit of today"


def test_errors_of_accept_are_not_swallowed():
    def wrong(answer):
        raise MalformedEvidence("evidence.x", "no list")

    with pytest.raises(OperationalError, match="no list"):
        Source(lambda request: Answer(b"", {})).get(Request("http://x/", 9), wrong)


# Where services are.


def test_services_of_a_file(tmp_path):
    text = b'[services]\namd_kds = "https://kds.example.com/"\nca = "ca.pem"\n'
    found = read_services(text, tmp_path)
    assert found.amd_kds == "https://kds.example.com" and found.ca == tmp_path / "ca.pem"
    assert found.intel_pcs == Services().intel_pcs and read_services(b"", tmp_path) == Services()


@pytest.mark.parametrize(
    "text",
    [
        b"\xff", b"[", b"x = 1", b"[services]\nx = 'y'", b"[services]\namd_kds = 1", b"services = 1",
        b"[services]\namd_kds = 'ftp://x'", b"[services]\namd_kds = 'https://'", b"[services]\namd_kds = ''",
        b"[services]\namd_kds = 'https://a?b'", b"[services]\namd_kds = 'https://u:p@a'",
        b"[services]\namd_kds = 'https://[x'",
    ],
)  # fmt: skip
def test_other_files_of_services(text, tmp_path):
    with pytest.raises(MalformedError) as caught:
        read_services(text, tmp_path)
    assert caught.value.code == "collateral.services-malformed"


def test_absent_is_no_fault(ask, vendor):
    vendor.down = (404, b"", {})
    with pytest.raises(UnsupportedError):
        ask()
