# SPDX-License-Identifier: AGPL-3.0-or-later
"""Revocation lists never go back: by number, by date where there is none, by whoever serves them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from affidavit.collateral.cache import Cache
from affidavit.collateral.marks import FOLDER, Mark, Marks
from affidavit.collateral.source import Source
from affidavit.collateral.transfer import Answer, Request
from attestation.pki.revocation import load_crl
from tests.attestation.snp import paper as amd
from tests.collateral.vendors import AT, Clock
from verifier.errors import OperationalError

DAY = timedelta(days=1)
ARK = amd.ark().public_bytes(Encoding.PEM)


def crl(number: int | None, issued: datetime = AT - DAY, *, issuer: str = "ARK-Milan", signer: str = "") -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(amd.name_of(issuer))
        .last_update(issued)
        .next_update(AT + 90 * DAY)
    )
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    return builder.sign(amd.rsa_key(signer or issuer), hashes.SHA384(), rsa_padding=amd._PSS).public_bytes(Encoding.DER)


class Service:
    """Answers `body` at every address but the chain's."""

    def __init__(self, folder, clock=None):
        self.body, self.clock, self.folder = b"", clock or Clock(), folder

    def __call__(self, request: Request) -> Answer:
        return Answer(ARK if request.url.endswith("chain") else self.body, {})

    def ask(self, body: bytes, host: str = "http://a", *, chain: bool = True, label: str = "ark-milan-crl") -> Source:
        """A new run of the program, which wants a list; gives its source and what it got."""
        self.body = body
        cache = None if self.folder is None else Cache(self.folder)
        source = Source(self, cache, now=self.clock, fresh=timedelta(0))
        if chain:
            source.get(Request(f"{host}/chain", 9000), lambda answer: [("chain", "pem", answer.body)])
        [piece] = source.get(Request(f"{host}/crl", 9000), partial(_list, label))
        self.got = piece.data
        return source


def _list(label: str, answer: Answer) -> list[tuple[str, str, bytes]]:
    load_crl(answer.body, "evidence.snp.collateral")
    return [(label, "der", answer.body)]


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path / "cache")


def refused(call) -> str:
    with pytest.raises(OperationalError) as caught:
        call()
    return caught.value.code


def test_a_lower_number_of_another_mirror(service):
    service.ask(crl(5))
    assert refused(lambda: service.ask(crl(4), "http://b")) == "collateral.rolled-back"
    for newer in (crl(5), crl(6)):
        service.ask(newer, "http://b")
        assert service.got == newer
    assert refused(lambda: service.ask(crl(5), "http://c")) == "collateral.rolled-back"


def test_what_was_kept_is_used_instead_and_said(service):
    newest = crl(5)
    service.ask(newest)
    source = service.ask(crl(4))
    assert service.got == newest and len(source.notes) == 1
    assert all(part in source.notes[0] for part in ("number 4", "number 5", "used what was fetched"))


def test_a_kept_list_is_not_used_once_a_newer_one_was_seen_elsewhere(service):
    service.ask(crl(4))
    service.ask(crl(5), "http://b")
    assert refused(lambda: service.ask(crl(4))) == "collateral.rolled-back", "neither kept nor fetched"


@pytest.mark.parametrize(
    ("first", "second", "older"),
    [
        ((None, AT - DAY), (None, AT - 2 * DAY), True),
        ((None, AT - DAY), (None, AT - DAY), False),
        ((5, AT - DAY), (None, AT - 2 * DAY), True),
        ((None, AT - DAY), (1, AT - 2 * DAY), True),
        ((5, AT - DAY), (5, AT - 2 * DAY), True),
        ((5, AT - DAY), (6, AT - 2 * DAY), False),
        ((6, AT - 2 * DAY), (5, AT - DAY), True),
        ((2**150, AT - DAY), (2**150 - 1, AT - DAY), True),
    ],
)
def test_order(service, first, second, older):
    service.ask(crl(*first))
    if older:
        assert refused(lambda: service.ask(crl(*second), "http://b")) == "collateral.rolled-back"
    else:
        service.ask(crl(*second), "http://b")
    assert Mark(*second).before(Mark(*first)) == older


def test_a_list_of_somebodys_own_moves_no_mark(service):
    service.ask(crl(99, signer="somebody"), "http://evil")
    genuine = crl(5)
    service.ask(genuine)
    assert service.got == genuine, "the number that nobody vouched for is forgotten"
    assert len(list((service.folder / FOLDER).iterdir())) == 1


def test_without_the_issuers_certificate_there_is_no_mark(service):
    service.ask(crl(5), chain=False)
    service.ask(crl(4), "http://b", chain=False)
    assert not (service.folder / FOLDER).exists()


def test_scopes_count_by_themselves(service):
    service.ask(crl(5))
    service.ask(crl(4), "http://b", label="ark-milan-vlek-crl")
    service.ask(crl(1, issuer="ARK-Genoa"), "http://c")


def test_within_one_run_without_a_cache():
    service = Service(None)
    service.body = crl(5)
    source = Source(service, now=service.clock)
    source.get(Request("http://a/chain", 9000), lambda answer: [("chain", "pem", answer.body)])
    source.get(Request("http://a/crl", 9000), partial(_list, "ark-milan-crl"))
    service.body = crl(4)
    ask = partial(source.get, Request("http://a/crl", 9000), partial(_list, "ark-milan-crl"))
    assert refused(ask) == "collateral.rolled-back"


def test_pinned_roots_need_no_chain():
    from affidavit.collateral.marks import _pinned

    names = {issuer.subject.rfc4514_string() for issuer in _pinned()}
    assert any("ARK-Milan" in name for name in names) and any("Intel SGX Root CA" in name for name in names)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{}",
        b"[]",
        b'{"number": 5, "issued": "x"}',
        b'{"number": "z", "issued": ""}',
        b'{"number": null, "issued": "0001-01-01T00:00:00+14:00"}',
    ],
)
def test_a_damaged_mark_is_none(service, damage):
    service.ask(crl(5))
    [path] = (service.folder / FOLDER).iterdir()
    path.write_bytes(damage)
    older = crl(4)
    service.ask(older, "http://b")
    assert service.got == older


def test_a_mark_that_cannot_be_written_is_said_and_remembered(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    service = Service(tmp_path / "file")
    source = service.ask(crl(5))
    assert any("not kept" in note for note in source.notes)
    service.body = crl(4)
    ask = partial(source.get, Request("http://b/crl", 9000), partial(_list, "ark-milan-crl"))
    assert refused(ask) == "collateral.rolled-back"


def test_marks_are_never_lowered(tmp_path):
    marks = Marks(tmp_path)
    marks.keep({"a": Mark(5, AT)})
    Marks(tmp_path).keep({"a": Mark(4, AT)})
    assert Marks(tmp_path)._load("a") == Mark(5, AT) == marks._load("a")


def test_what_cannot_be_read_is_nothing_to_marks():
    assert Marks().check([("x", b"-----BEGIN CERTIFICATE-----\nbroken"), ("y", b"")]) == {}
