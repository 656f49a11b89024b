# SPDX-License-Identifier: AGPL-3.0-or-later
"""configfs-tsm: races, refusals, absent drivers; and SNP and TDX evidence made through it, appraised."""

from __future__ import annotations

import errno
import os
import uuid
from functools import partial
from pathlib import Path

import pytest

from attestation.errors import OperationalError
from attestation.snp import appraise as appraise_snp
from attestation.snp.producer import SnpProducer
from attestation.tdx import TdxTrust
from attestation.tdx import appraise as appraise_tdx
from attestation.tdx.producer import TdxProducer
from attestation.tsm import presence
from attestation.tsm.configfs import ATTEMPTS, MAX_BLOB, Kernel, get_report
from tests.attestation.intel import making
from tests.attestation.producers.kernel import PaperKernel, code_of
from tests.attestation.snp import paper
from tests.attestation.snp.real import read as real

CHALLENGE = bytes(range(32))
DATA = bytes(range(64))


def echo(inblob: bytes, privlevel: int) -> tuple[bytes, bytes]:
    return b"report over " + inblob + b" at %d" % privlevel, b"certificates"


def ask(kernel: PaperKernel, provider: str = "sev_guest", **options):
    waits: list[float] = []
    found = get_report(DATA, provider, operations=kernel, sleep=waits.append, **options)
    return found, waits


def test_one_report():
    kernel = PaperKernel(echo)
    found, waits = ask(kernel)
    assert found.outblob == echo(DATA, 0)[0] and found.auxblob == b"certificates" and found.provider == "sev_guest"
    assert waits == [] and kernel.calls == 1 and kernel.entries == {}, "the entry is removed"
    ask(kernel)
    assert len(set(kernel.names)) == 2, "an entry of its own for each question"


def test_privilege_levels():
    assert ask(PaperKernel(echo, floor=2))[0].outblob.endswith(b"at 2"), "the lowest that this guest may ask for"
    assert ask(PaperKernel(echo, floor=1), privlevel=3)[0].outblob.endswith(b"at 3")
    assert code_of(lambda: ask(PaperKernel(echo, floor=2), privlevel=1)) == "evidence.tsm.failed"
    assert code_of(lambda: ask(PaperKernel(echo), privlevel=4)) == "evidence.tsm.failed"
    tdx = PaperKernel(echo, provider="tdx_guest", floor=None)
    assert ask(tdx, "tdx_guest")[0].auxblob == b""
    assert code_of(lambda: ask(tdx, "tdx_guest", privlevel=0)) == "evidence.tsm.failed"


@pytest.mark.parametrize("when", ["inblob", "outblob", "auxblob"])
def test_another_writer_is_noticed(when):
    """Whoever writes between our own steps would have his data reported, or ours at another level."""

    def once(path, entry):
        if path.name == when and not seen:
            seen.append(path)
            entry.inblob, entry.written = b"\xee" * 64, entry.written + 1

    seen: list[Path] = []
    kernel = PaperKernel(echo, meanwhile=once)
    found, waits = ask(kernel)
    assert seen and found.outblob == echo(DATA, 0)[0] and len(waits) == 1 and kernel.entries == {}


def test_another_writer_at_every_attempt():
    def always(path, entry):
        if path.name == "outblob":
            entry.inblob, entry.written = b"\xee" * 64, entry.written + 1

    kernel = PaperKernel(echo, meanwhile=always)
    assert code_of(lambda: ask(kernel)) == "evidence.tsm.race"
    assert len(kernel.names) == ATTEMPTS and kernel.entries == {}


def test_a_write_that_the_kernel_dropped_is_noticed():
    """The error of a binary attribute's write is lost on closing; without data in it, reading fails."""

    def stale(path, entry):
        entry.inblob = entry.inblob or b"\x11" * 64

    kernel = PaperKernel(echo, dropped=1, meanwhile=stale)
    found, waits = ask(kernel)
    assert found.outblob == echo(DATA, 0)[0] and len(waits) == 1
    assert code_of(lambda: ask(PaperKernel(echo, dropped=1))) == "evidence.tsm.failed"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EWOULDBLOCK, errno.EINTR])
def test_a_busy_platform_is_asked_again(number):
    kernel = PaperKernel(echo, faults=[number, number])
    found, waits = ask(kernel)
    assert found.outblob == echo(DATA, 0)[0] and kernel.calls == 3 and waits == [0.05, 0.1]
    kernel = PaperKernel(echo, faults=[number] * ATTEMPTS)
    assert code_of(lambda: ask(kernel)) == "evidence.tsm.busy" and kernel.entries == {}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EIO, "evidence.tsm.failed"),
        (errno.ENOTTY, "evidence.tsm.failed"),
        (errno.ETIMEDOUT, "evidence.tsm.busy"),
        (errno.ENXIO, "evidence.tsm.unavailable"),
    ],
)
def test_refusals_are_not_tried_again(number, code):
    kernel = PaperKernel(echo, faults=[number])
    assert code_of(lambda: ask(kernel)) == code and kernel.calls == 1 and kernel.entries == {}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENXIO, errno.ENOENT])
def test_no_entry_can_be_made(number):
    with pytest.raises(OperationalError) as caught:
        ask(PaperKernel(echo, mkdir_fault=number))
    assert caught.value.code == "evidence.tsm.unavailable" and caught.value.remedy


def test_other_technology_and_other_sizes():
    assert code_of(lambda: ask(PaperKernel(echo), "tdx_guest")) == "evidence.tsm.provider-differs"
    assert code_of(lambda: get_report(b"short", "sev_guest")) == "evidence.tsm.failed"
    assert code_of(lambda: ask(PaperKernel(lambda *_: (b"", b"")))) == "evidence.tsm.failed"
    assert code_of(lambda: ask(PaperKernel(lambda *_: (bytes(MAX_BLOB + 1), b"")))) == "evidence.tsm.too-large"
    assert code_of(lambda: ask(PaperKernel(echo, floor=-1))) == "evidence.tsm.failed", "no number"


def test_the_real_file_system(tmp_path):
    """The operations on plain files: whole reads, one write, no more than the limit, errors as they are."""
    system = Kernel()
    system.mkdir(tmp_path / "entry")
    target = tmp_path / "entry" / "inblob"
    with pytest.raises(FileNotFoundError):
        system.write(target, DATA)
    target.write_bytes(b"")
    system.write(target, DATA)
    assert system.read(target) == DATA
    target.write_bytes(bytes(MAX_BLOB + 70000))
    assert len(system.read(target)) == MAX_BLOB + 1
    target.unlink()
    system.rmdir(tmp_path / "entry")
    assert not (tmp_path / "entry").exists()
    assert code_of(lambda: get_report(DATA, "sev_guest", root=tmp_path / "nowhere")) == "evidence.tsm.unavailable"
    # A folder that is no configfs makes entries without attributes.
    assert code_of(lambda: get_report(DATA, "sev_guest", root=tmp_path)) == "evidence.tsm.unavailable"
    assert list(tmp_path.iterdir()) == []


def test_presence(tmp_path):
    device, root = tmp_path / "sev-guest", tmp_path / "report"
    assert presence.problem(device, "AMD SEV-SNP", root)[0].startswith("no AMD SEV-SNP guest")
    device.touch()
    reason, remedy = presence.problem(device, "AMD SEV-SNP", root)
    assert "report interface" in reason and "modprobe" in remedy
    root.mkdir(mode=0o500)
    reason, remedy = presence.problem(device, "AMD SEV-SNP", root)
    if os.geteuid():
        assert "permission" in reason and "root" in remedy
    root.chmod(0o700)
    assert presence.problem(device, "AMD SEV-SNP", root) == ("", "")


# SNP.


def table(**certificates: bytes) -> bytes:
    """The host's table of GUIDs, as the kernel hands it through."""
    guids = {
        "vcek": "63da758d-e664-4564-adc5-f4b93be8accd",
        "ask": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
        "ark": "c0b406a4-a803-4952-9743-3fb6014cd0ae",
    }
    offset, head, body = 24 * (len(certificates) + 1), b"", b""
    for name, data in certificates.items():
        head += uuid.UUID(guids[name]).bytes + (offset + len(body)).to_bytes(4, "little")
        head += len(data).to_bytes(4, "little")
        body += data
    return head + bytes(24) + body


def snp(auxblob: bytes, **kernel):
    def platform(inblob, privlevel):
        return paper.report("Milan", report_data=inblob, vmpl=privlevel), auxblob

    system = PaperKernel(platform, **kernel)
    return SnpProducer(source=partial(get_report, operations=system, sleep=lambda seconds: None))


def test_snp_evidence_passes():
    producer = snp(table(vcek=paper.der(paper.vek()), ask=paper.der(paper.ask()), ark=paper.der(paper.ark())))
    members = producer.collect(CHALLENGE)
    found = appraise_snp(members, challenge=CHALLENGE, at=paper.AT, trust=paper.trust())
    assert set(members) == {"report", "certificates"} and found.passed and found.type == producer.type
    other = appraise_snp(members, challenge=bytes(32), at=paper.AT, trust=paper.trust())
    assert [check.code for check in other.failed] == ["evidence.snp.challenge-mismatch"]
    assert not producer.simulated and "SNP" in producer.describe()
    producer.close()


@pytest.mark.parametrize("auxblob", [b"", b"\xff" * 100, table(vcek=b"not a certificate"), table(ark=b"0\x03xyz")])
def test_hosts_certificates_that_cannot_be_read_are_left_out(auxblob):
    assert set(snp(auxblob).collect(CHALLENGE)) == {"report"}


def test_a_real_table_behind_a_real_report():
    """The bytes of a real machine: its own table in the auxiliary blob."""
    report, chain = real("ms-milan/report.bin"), real("ms-milan/vcek.pem")
    source = partial(get_report, operations=PaperKernel(lambda *_: (report, chain)))
    assert set(SnpProducer(source=source).collect(CHALLENGE)) == {"report", "certificates"}


def test_snp_levels_and_refusals():
    assert code_of(lambda: snp(b"").collect(b"")) == "evidence.challenge-too-long"
    assert code_of(lambda: snp(b"").collect(bytes(65))) == "evidence.challenge-too-long"
    short = SnpProducer(source=partial(get_report, operations=PaperKernel(lambda *_: (bytes(100), b""))))
    assert code_of(lambda: short.collect(CHALLENGE)) == "evidence.tsm.failed"
    members = snp(b"", floor=2).collect(CHALLENGE)
    assert int.from_bytes(members["report"][48:52], "little") == 2, "VMPL"


# TDX.


def tdx(**options) -> TdxProducer:
    def platform(inblob, privlevel):
        return making.Paper(body={"report_data": inblob}).quote(), b""

    system = PaperKernel(platform, provider="tdx_guest", floor=None)
    return TdxProducer(source=partial(get_report, operations=system), **options)


def test_tdx_evidence_passes(tmp_path):
    producer = tdx(log_path=tmp_path / "none")
    members = producer.collect(CHALLENGE)
    trust = TdxTrust(roots=(making.der(making.Paper().root()),))
    collateral = making.Paper().collateral()
    found = appraise_tdx(members, challenge=CHALLENGE, at=making.AT, trust=trust, collateral=collateral)
    assert set(members) == {"quote"} and found.passed and found.type == producer.type
    assert "no event log" in producer.describe() and not producer.simulated
    assert code_of(lambda: producer.collect(bytes(65))) == "evidence.challenge-too-long"
    producer.close()


def test_tdx_event_log_is_read_where_it_can_be(tmp_path):
    logs = Path(__file__).parents[2] / "vectors" / "tpm" / "trustee-ccel"
    log = sorted(path for path in logs.rglob("*") if path.is_file())[0].read_bytes()
    (tmp_path / "CCEL").write_bytes(log)
    assert tdx(log_path=tmp_path / "CCEL").collect(CHALLENGE)["event_log"] == log
    (tmp_path / "CCEL").write_bytes(b"no log")
    assert "event_log" not in tdx(log_path=tmp_path / "CCEL").collect(CHALLENGE)
    assert tdx(event_log=b"given").collect(CHALLENGE)["event_log"] == b"given"
