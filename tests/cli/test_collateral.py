# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit collateral``, ``appraise --collateral PACK``, ``--evidence snp`` and ``--fetch-collateral``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from affidavit.cli import evidence as opening
from attestation import raw
from attestation.errors import EvidenceError, UnsupportedError
from attestation.producers import Candidate, detect
from attestation.simulated import SimulatedEvidence
from attestation.snp.producer import SnpProducer
from attestation.tsm.configfs import get_report
from tests.attestation.nitro import paper as nitro
from tests.attestation.producers.kernel import PaperKernel
from tests.attestation.snp import paper as amd
from tests.collateral.vendors import KDS, VCEK, Vendor, kds, ok, serving
from verifier import read_affidavit
from verifier.errors import MalformedError

FAR = datetime(2126, 1, 1, tzinfo=UTC)


@pytest.fixture
def vendor(place):
    """AMD's service for the paper chip, and a file that names it."""
    routes = kds(**{VCEK: ok(amd.der(amd.vek(end=FAR))), f"{KDS}/crl": ok(amd.crl(end=FAR))})
    with serving(Vendor(routes)) as found:
        (place / "services.toml").write_text(f'[services]\namd_kds = "{found.url}"\n')
        (place / "report.bin").write_bytes(amd.report())
        yield found


@pytest.fixture
def fetch(affidavit, place):
    def run(*more, out="col", type_="snp", file="report.bin"):
        return affidavit(
            "collateral", "fetch", "--type", type_, "--evidence", place / file, "-o", place / out,
            "--services", place / "services.toml", "--cache", place / "cache", *more,
        )  # fmt: skip

    return run


@pytest.fixture
def fresh_chain(monkeypatch):
    """The paper chain's certificates end in 2026, and the command line has the real clock."""
    from affidavit.collateral import source

    monkeypatch.setattr(source, "expires", lambda data: None)


def test_fetch_bundle_appraise(affidavit, fetch, place, vendor, fresh_chain):
    ran = fetch("--json")
    assert ran.code == 0, ran.err
    assert len(ran.json["items"]) == 3 and ran.json["notes"] == []
    vendor.down = (503, b"", {})
    assert fetch(out="again").code == 0, "from the cache"
    ran = affidavit("collateral", "bundle", place / "col", place / "again", "-o", place / "amd.pack", "--json")
    assert ran.code == 0 and ran.json["items"] == 3 and ran.json["ignored"] == []
    assert abs(datetime.fromisoformat(ran.json["as_of"]) - datetime.now(UTC)) < timedelta(minutes=5)
    first = (place / "amd.pack").read_bytes()
    ran = affidavit("collateral", "bundle", place / "again", "-o", place / "amd.pack")
    assert ran.code == 0 and "as of 20" in ran.out and "first expiry 20" in ran.out
    assert (place / "amd.pack").read_bytes() == first, "the same pieces, the same bytes"
    kinds = {}
    for where in ("col", "amd.pack"):
        ran = affidavit(
            "appraise", "--type", "snp", "--evidence", place / "report.bin", "--collateral", place / where,
            "--at", "2026-06-01T12:00:00Z", "--json",
        )  # fmt: skip
        kinds[where] = ran.json["collateral"]
        checks = {check["id"]: check["code"] for check in ran.json["checks"]}
        assert checks["evidence.snp.vek-chain"] == "evidence.snp.vek-chain-broken", "nothing in a pack is an anchor"
    assert kinds["col"]["items"] == kinds["amd.pack"]["items"] == {"crl": 1, "x509": 3}
    assert kinds["col"]["as_of"] is None and kinds["amd.pack"]["as_of"].startswith("20")


def test_notes_and_renewal(fetch, vendor, fresh_chain):
    assert fetch().code == 0 and len(vendor.asked) == 3
    assert fetch("--renew").code == 0 and len(vendor.asked) == 6
    vendor.down = (404, b"", {})
    ran = fetch("--renew")
    assert ran.code == 0 and "used what was fetched" in ran.err and "crl" in ran.out


@pytest.mark.parametrize(
    ("type_", "content", "code", "exit_"),
    [
        ("snp", amd.report(chip_id=bytes(64)), "collateral.chip-masked", 20),
        ("snp", amd.report(chip_id=b"\1" * 64), "collateral.absent", 20),
        ("snp", b"?" * 1184, "collateral.evidence-unreadable", 30),
        ("nitro", nitro.paper(), "collateral.type-unsupported", 20),
        ("what", b"", "evidence.type-unknown", 20),
    ],
)
def test_fetch_refusals(fetch, place, vendor, type_, content, code, exit_):
    (place / "file").write_bytes(content)
    ran = fetch("--json", type_=type_, file="file")
    assert (ran.code, ran.json["code"]) == (exit_, code)
    assert not (place / "col").exists()


def test_a_folder_that_cannot_be(fetch, place, vendor, fresh_chain):
    (place / "col").write_bytes(b"")
    assert fetch("--json").json["code"] == "file.unwritable"


def test_bundle_needs_a_date(affidavit, place):
    folder = place / "mine"
    folder.mkdir()
    ran = affidavit("collateral", "bundle", folder, "-o", place / "p", "--json")
    assert (ran.code, ran.json["code"]) == (20, "collateral.pack.empty")
    (folder / "crl").write_bytes(amd.crl(end=FAR))
    (folder / "none.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n!!")
    ran = affidavit("collateral", "bundle", folder, "-o", place / "p", "--json")
    assert (ran.code, ran.json["code"]) == (20, "collateral.pack.no-date")
    ran = affidavit("collateral", "bundle", folder, "-o", place / "p", "--as-of", "2026-01-02T03:04:05Z", "--json")
    assert ran.code == 0 and ran.json["as_of"] == "2026-01-02T03:04:05+00:00" and len(ran.json["ignored"]) == 1
    assert "left out" in affidavit("collateral", "bundle", folder, "-o", place / "p", "--as-of", "2026-01-02").out
    ran = affidavit("collateral", "bundle", folder, "-o", place / "q", "--as-of", "2999-01-01", "--json")
    assert (ran.code, ran.json["code"]) == (20, "collateral.pack.no-date") and not (place / "q").exists()
    ran = affidavit("collateral", "bundle", folder, "-o", place / "q", "--as-of", "soon", "--json")
    assert (ran.code, ran.json["code"]) == (30, "option.malformed") and "--as-of" in ran.json["message"]


def test_a_file_that_is_no_pack(affidavit, place):
    (place / "report.bin").write_bytes(amd.report())
    ran = affidavit(
        "appraise", "--type", "snp", "--evidence", place / "report.bin", "--collateral", place / "report.bin", "--json"
    )
    assert (ran.code, ran.json["code"]) == (30, "collateral.pack.malformed")


def test_collateral_inside_evidence_counts(affidavit, place):
    members = {"report": amd.report(), "collateral.0": amd.der(amd.vek())}
    (place / "e.json").write_bytes(raw.members_document("snp-report@v1", members))
    ran = affidavit(
        "appraise", "--type", "snp", "--evidence", place / "e.json", "--at", "2026-06-01T12:00:00Z", "--json"
    )
    codes = {check["code"] for check in ran.json["checks"]}
    assert "evidence.snp.vek-chain-broken" in codes and "evidence.snp.vek-missing" not in codes


# Sources of evidence.


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ("snp", "evidence.tsm.unavailable"),
        ("tdx", "evidence.tsm.unavailable"),
        ("nitro", "evidence.nitro.device-unavailable"),
        ("nvidia", "evidence.nvidia."),
        ("tpm", "evidence.tpm2."),
    ],
)
def test_hardware_that_is_not_there(choice, code, tmp_path):
    """On a machine that has none: one line with the reason, no traceback, no simulation in its place."""
    if {candidate.name: candidate for candidate in detect()}[opening.HARDWARE[choice]].available:
        pytest.skip("this machine has it")
    with pytest.raises(EvidenceError) as caught:
        opening.open_producer(choice, "", tmp_path, Console(quiet=True))
    assert caught.value.code.startswith(code) and caught.value.message


def test_auto_takes_the_best(monkeypatch, tmp_path):
    def machine(*available: str):
        return lambda: tuple(
            Candidate(name, "x@v1", name in available, "there" if name in available else f"no {name}", "")
            for name in ("snp", "tdx", "nitro", "tpm2-device", "nvidia", "tpm2-software", "simulated")
        )

    opened: list[str] = []
    monkeypatch.setattr(opening, "_open", lambda name, *rest: opened.append(name))
    for available in (("tdx", "tpm2-device", "nvidia"), ("nvidia", "tpm2-device"), ("nvidia",)):
        monkeypatch.setattr(opening, "detect", machine(*available))
        opening.open_producer("auto", "", tmp_path, Console(quiet=True))
    assert opened == ["tdx", "tpm", "nvidia"]
    monkeypatch.setattr(opening, "detect", machine("tpm2-software", "simulated"))
    said = Console(record=True, quiet=False, file=(tmp_path / "said").open("w"), width=200)
    found = opening.open_producer("auto", "", tmp_path, said)
    assert found is not None and found.simulated and "no tpm2-device" in said.export_text()
    assert opening.open_producer("none", "", tmp_path, said) is None
    said.file.close()


def snp() -> SnpProducer:
    kernel = PaperKernel(lambda inblob, level: (amd.report(report_data=inblob), b""))
    return SnpProducer(source=partial(get_report, operations=kernel))


def test_run_carries_collateral(affidavit, place, vendor, monkeypatch, fresh_chain):
    """`--evidence snp --fetch-collateral` on a paper machine: what verifiers need is in the file."""
    monkeypatch.setattr(opening, "open_producer", lambda *rest: snp())

    def run(*more: object, out: str) -> tuple[set[str], str]:
        ran = affidavit(
            "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / out, "--evidence", "snp", *more
        )
        assert ran.code == 0, ran.err
        [claim] = read_affidavit((place / out).read_bytes()).receipt.evidence
        return set(claim.members), ran.err

    assert run(out="without")[0] == {"report"} and vendor.asked == [], "never over the network unasked"
    fetching = ("--fetch-collateral", "--services", place / "services.toml")
    assert run(*fetching, out="with")[0] == {"report", "collateral.0"} and len(vendor.asked) == 3
    assert run(*fetching, out="cached")[0] == {"report", "collateral.0"} and len(vendor.asked) == 3


def test_run_without_the_service(affidavit, place, vendor, monkeypatch):
    monkeypatch.setattr(opening, "open_producer", lambda *rest: snp())
    vendor.down = (403, b"", {})
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a", "--evidence", "snp",
        "--fetch-collateral", "--services", place / "services.toml",
    )  # fmt: skip
    assert ran.code == 0 and "no collateral" in ran.err


def test_nothing_to_fetch_is_said(affidavit, place):
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a", "--evidence", "simulated",
        "--fetch-collateral",
    )  # fmt: skip
    assert ran.code == 0 and "nothing is fetched for evidence of type simulated@v1" in ran.err


def test_services_that_are_none_close_the_device(tmp_path):
    closed: list[bool] = []
    producer = snp()
    producer.close = lambda: closed.append(True)  # type: ignore[method-assign]
    (tmp_path / "s.toml").write_text("x = 1")
    with pytest.raises(MalformedError):
        opening.with_collateral(producer, Path(tmp_path / "s.toml"), Console(quiet=True))
    assert closed


# Several sources.


class Source:
    """A source on paper, of which a test sees whether it was closed."""

    simulated = False

    def __init__(self, name: str) -> None:
        self.name, self.type, self.closed = name, "simulated@v1", 0

    def describe(self) -> str:
        return self.name

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        return SimulatedEvidence().collect(challenge)

    def close(self) -> None:
        self.closed += 1


def test_several_sources_are_one_collection(monkeypatch, tmp_path):
    opened: list[Source] = []

    def open_one(name, *rest):
        if name == "nvidia":
            raise UnsupportedError("evidence.nvidia.library-absent", "not installed")
        opened.append(Source(name))
        return opened[-1]

    monkeypatch.setattr(opening, "_open", open_one)
    quiet = Console(quiet=True)
    found = opening.open_producers(["tdx", "tpm"], "", tmp_path, quiet)
    assert found is not None and found.describe() == "tdx: tdx and tpm: tpm" and found.type == "cmw-collection@v1"
    found.close()
    assert [source.closed for source in opened] == [1, 1]
    assert opening.open_producers(["tdx"], "", tmp_path, quiet) is opened[2]
    with pytest.raises(UnsupportedError):
        opening.open_producers(["tdx", "nvidia"], "", tmp_path, quiet)
    assert opened[3].closed == 1, "what was opened is closed again"
    for choices in (["tdx", "tdx"], ["auto", "tpm"], ["tpm", "none"]):
        with pytest.raises(MalformedError) as caught:
            opening.open_producers(choices, "", tmp_path, quiet)
        assert caught.value.code == "option.malformed"
    assert opening.open_producers(["none"], "", tmp_path, quiet) is None
    assert len(opened) == 4


def test_run_with_two_sources(affidavit, place, monkeypatch):
    """The whole way: one affidavit, one collection in it, believed by a policy that accepts it."""
    monkeypatch.setattr(opening, "_open", lambda name, *rest: Source(name))
    file = place / "two.affidavit"
    asked = ("run", place / "small.circuit", "--input", place / "x.npz", "-o", file, "--json")
    ran = affidavit(*asked, "--evidence", "tdx", "--evidence", "tpm")
    assert ran.code == 0, ran.err
    assert ran.json["evidence"] == ["cmw-collection@v1"]
    [claim] = read_affidavit(file.read_bytes()).receipt.evidence
    assert set(claim.members) == {"collection"}
    require = '[require]\nassurance = ["signed", "attested"]\ninput = false\nmodel = false\n'
    head = 'format = "policy@v1"\nprofile = "development"\n' + require
    known = ["--nonce", ran.json["nonce"], "--policy", place / "p.toml"]
    (place / "p.toml").write_text(head + '[evidence]\naccept = ["cmw-collection@v1"]\nunsafe_accept_simulated = true\n')
    verified = affidavit("verify", file, *known, "--json")
    assert verified.code == 0, verified.out
    assert {check["id"] for check in verified.json["checks"]} >= {
        f"evidence[0].cmw.{name}challenge" for name in ("", "tdx.simulated.", "tpm.simulated.")
    }
    (place / "p.toml").write_text(head + '[evidence]\naccept = ["tpm2-quote@v1"]\n')
    refused = affidavit("verify", file, *known, "--json")
    assert refused.code == 20 and refused.json["code"] == "evidence.type.not-accepted"
    twice = affidavit(*asked, "--evidence", "tpm", "--evidence", "tpm")
    assert twice.code == 30 and "option.malformed" in twice.err + twice.out


def test_a_collection_carries_what_its_pieces_need(affidavit, place, vendor, monkeypatch, fresh_chain):
    monkeypatch.setattr(opening, "_open", lambda name, *rest: snp() if name == "snp" else Source(name))
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a", "--evidence", "snp",
        "--evidence", "tpm", "--fetch-collateral", "--services", place / "services.toml",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    [claim] = read_affidavit((place / "a").read_bytes()).receipt.evidence
    assert set(claim.members) == {"collection", "collateral.0"} and len(vendor.asked) == 3
    assert "nothing is fetched for evidence of type simulated@v1" in ran.err
