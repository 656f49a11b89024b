# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parsers of hostile bytes that stand on their own, with real inputs."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

from attestation.azure import parse_hcl_report
from attestation.azure.hcl import without_padding
from attestation.azure.runtime import parse_runtime_data
from attestation.collateral import recognise, sort_collateral
from attestation.errors import MalformedError
from attestation.eventlog import cover, parse_event_log, replay, secure_boot, summarise
from attestation.eventlog.events import HASHABLE
from attestation.eventlog.variables import parse_variable
from attestation.ima import covered_prefix, parse_ima_list
from attestation.intel.collateral import gather
from attestation.intel.documents import UnreadableError, parse_qe_identity, parse_tcb_info
from attestation.intel.enclave import parse_enclave_report
from attestation.intel.pck import read_pck
from attestation.intel.pem import parse_chain
from attestation.intel.quote import SGX, TDX, parse_quote
from attestation.nitro.cbor import decode
from attestation.nitro.document import parse_document, parse_envelope
from attestation.nvidia.fwid import read_identity
from attestation.nvidia.opaque import parse_opaque
from attestation.nvidia.spdm import parse_report as parse_spdm
from attestation.nvidia.swid import parse_signed
from attestation.pki.certificate import load_certificate, load_chain
from attestation.pki.ocsp import load_responses
from attestation.pki.revocation import load_crl
from attestation.snp.bundle import arrange, load_bundle, parse_table
from attestation.snp.report import parse_report as parse_snp
from attestation.snp.vek import read_vek
from attestation.tdx.report import parse_td_report
from attestation.tpm2 import read as read_tpm2
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.binding import parse_binding, read_binding
from attestation.tpm2.pcrs import encode_pcrs, parse_pcrs
from attestation.tpm2.pieces import complete
from attestation.tpm2.public import parse_public
from attestation.tpm2.signature import parse_signature
from attestation.tpm2.vendors import PINNED_EK_ROOTS
from tests.attestation import real
from tests.attestation.fuzzing.corpus import parts
from tests.attestation.fuzzing.target import Outcome, Parts, Seed, Target, of_bytes
from tests.attestation.ima.making import AGGREGATE, Measurement, binary_list
from tests.attestation.intel import making
from tests.attestation.nitro.paper import REAL as NITRO
from tests.attestation.nitro.paper import document
from tests.attestation.nvidia.paper import vector as nvidia
from tests.attestation.snp import real as snp

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
PREFIX = "evidence.fuzzed"
SMALL = 1 << 17
"""Bytes of the longest event log that is mutated: longer ones are the same, slower."""


def targets(corpus: Mapping[str, bytes]) -> list[Target]:
    """All of them."""
    return [*_tpm2(corpus), *_logs(), *_pki(corpus), *_intel(corpus), *_snp(), *_nitro(), *_nvidia(corpus)]


def _tpm2(corpus: Mapping[str, bytes]) -> list[Target]:
    evidence = list(real.gce_quotes("gce-cos-85-nonce9009").values())
    evidence += [parts(corpus, "tpm2/evidence"), parts(corpus, "tpm2/rsa")]

    def each(name: str) -> list[bytes]:
        return list(dict.fromkeys(found[name] for found in evidence))

    def listing(data: bytes) -> None:
        if encode_pcrs(parse_pcrs(data)) != data:
            raise AssertionError("a listing that is written in another way")

    binding = read_binding(load_certificate(parts(corpus, "tpm2/evidence")["ak_certificate"], PREFIX))
    values = 'pcrs: { key: 0 value: "' + "\\001" * 32 + '" }'
    text = f'ak_pub: "\\000\\001" quotes: {{ quote: "x" raw_sig: "y" pcrs: {{ hash: SHA256 {values} }} }}\n'
    return [
        of_bytes("tpm2 attest", parse_attest, *each("attest")),
        of_bytes("tpm2 public", parse_public, *each("ak_public")),
        of_bytes("tpm2 signature", parse_signature, *each("signature")),
        of_bytes("tpm2 pcrs", listing, *each("pcrs")),
        of_bytes("tpm2 binding", parse_binding, *([] if binding is None else [binding.encode()])),
        of_bytes("go-tpm text", read_tpm2, text.encode()),
        _pieces(evidence),
    ]


def _pieces(evidence: list[dict[str, bytes]]) -> Target:
    """A quote whose other parts are files among the collateral."""
    seeds = []
    for number, found in enumerate(evidence):
        values = "".join(f"    {i}: 0x{v.hex()}\n" for (_, i), v in parse_pcrs(found["pcrs"]).items())
        bank = found["pcrs"].partition(b" ")[0].decode()
        beside = (found["signature"], found["ak_public"], f"  {bank}:\n{values}".encode())
        pieces = {f"collateral/{place}": data for place, data in enumerate(beside)}
        seeds.append(Seed(f"tpm2 pieces {number}", {"data": found["attest"], **pieces}))

    def run(given: Parts, seed: Seed) -> Outcome:
        bag = sort_collateral(data for name, data in given.items() if name != "data")
        complete(read_tpm2(given.get("data", b"")), bag)
        return Outcome("complete")

    return Target("tpm2 pieces", tuple(seeds), run)


def _replayed(data: bytes, *, padded: bool = False) -> None:
    log = parse_event_log(data, padded=padded)
    if log.encode() != data:
        raise AssertionError("a log that is written in another way")
    for algorithm in log.algorithms:
        if algorithm in HASHABLE:
            coverage = cover(log, algorithm, replay(log, algorithm))
            secure_boot(log, coverage)
            summarise(log, coverage)


def _measured(data: bytes) -> None:
    measured = parse_ima_list(data)
    covered_prefix(measured, "sha256", bytes(32))
    for entry in measured.entries:
        entry.extends("sha384")


def _logs() -> list[Target]:
    logs = [real.read(name) for name in real.event_logs()]
    logs = [data for data in logs if len(data) <= SMALL]
    agile = [data for data in logs if parse_event_log(data).spec is not None]
    old = [data for data in logs if data not in agile]
    ccel = [path.read_bytes() for path in sorted((VECTORS / "tpm/trustee-ccel").iterdir())]
    ccel = [data[: len(data.rstrip(b"\xff")) + 64] for data in ccel]
    variables = [event.data for event in parse_event_log(agile[0]).events if event.type == 0x80000001]
    ascii_list = gzip.decompress((VECTORS / "ima/rust-keylime/ascii_runtime_measurements.gz").read_bytes())
    lines = ascii_list.splitlines(keepends=True)
    signed = Measurement("ima-sig", "/bin/x", bytes(32), "sha256", extra=b"\x03\x02" + bytes(60))
    buffered = Measurement("ima-buf", "keys", bytes(32), "sha256", extra=b"key=1")
    binary = [binary_list([AGGREGATE] * 3), binary_list([AGGREGATE, signed, buffered])]
    return [
        of_bytes("event log, crypto-agile", _replayed, *agile),
        of_bytes("event log, TPM 1.2", _replayed, *old),
        of_bytes("event log, CCEL", lambda data: _replayed(data, padded=True), *ccel),
        of_bytes("UEFI variable", parse_variable, *variables[:8]),
        of_bytes("IMA list, text", _measured, b"".join(lines[:3]), b"".join(lines[:100]), ascii_list),
        of_bytes("IMA list, binary", _measured, *binary),
    ]


def _pki(corpus: Mapping[str, bytes]) -> list[Target]:
    leaf = parts(corpus, "pki/leaf")
    tpm = parts(corpus, "tpm2/evidence")
    certificates = [*leaf.values(), corpus["pki/root"], tpm["ak_certificate"], tpm["ek_certificate"], *PINNED_EK_ROOTS]
    turin = snp.members("turin-v5")["certificates"]
    lists = [corpus["pki/crl"], (VECTORS / "tdx/google/pckcrl").read_bytes()]
    lists += parts(corpus, "nitro/collateral").values()
    loose = parts(corpus, "nvidia/collateral").values()
    responses = [data for data in loose if not data.startswith(b"<")]
    files = [path.read_bytes() for path in sorted((VECTORS / "snp/amd-roots").iterdir())]
    files += [*lists, *responses, nvidia("roots/verifier_RIM_root.pem"), nvidia("attsdk-unit/hopperCertChain.txt")]

    def certificate(data: bytes) -> None:
        found = load_certificate(data, PREFIX, reordering=True)
        read_binding(found)

    def response(data: bytes) -> None:
        if not load_responses([data]):  # which leaves out what it cannot read
            raise MalformedError(f"{PREFIX}.left-out", "no response")

    return [
        of_bytes("certificate", certificate, *certificates),
        of_bytes("certificate chain", lambda data: load_chain(data, PREFIX), turin, certificates[0] + certificates[2]),
        of_bytes("CRL", lambda data: load_crl(data, PREFIX), *lists),
        of_bytes("OCSP response", response, *responses),
        of_bytes("collateral file", recognise, *files),
    ]


def _intel(corpus: Mapping[str, bytes]) -> list[Target]:
    def quotes(tee: int, prefix: str, *inputs: bytes) -> Target:
        return of_bytes(f"Intel quote, {prefix}", lambda data: parse_quote(data, tee, f"evidence.{prefix}"), *inputs)

    def pck(data: bytes) -> None:
        read_pck(load_certificate(data, PREFIX), PREFIX)

    def gathered(data: bytes) -> None:
        gather(sort_collateral([data]))

    tdx, sgx = corpus["tdx/quote"], corpus["sgx/quote"]
    v4 = (VECTORS / "tdx/trustee/tdx_quote_4.dat").read_bytes()
    chain = parse_quote(tdx, TDX, "evidence.tdx").pck_chain
    one = making.Paper()
    collateral = [path.read_bytes() for path in sorted((VECTORS / "tdx/attestation-rs-collateral").iterdir())]
    collateral.append((VECTORS / "tdx/dcap-qvl/tdx_quote_collateral.json").read_bytes())
    return [
        quotes(TDX, "tdx", tdx, v4),
        quotes(SGX, "sgx", sgx, *(making.Paper(tdx=False, version=version).quote() for version in (4, 5))),
        of_bytes("PCK chain", lambda data: parse_chain(data, "evidence.tdx"), chain),
        of_bytes("PCK certificate", pck, making.der(one.pck_certificate())),
        of_bytes("TD report", parse_td_report, making.td_report(), making.td_report(5)),
        of_bytes("enclave report", lambda data: parse_enclave_report(data, PREFIX), making.enclave_report(svn=3)),
        of_bytes("TCB info", parse_tcb_info, one.tcb_info_body(), also=(UnreadableError,)),
        of_bytes("QE identity", parse_qe_identity, one.qe_identity_body(), also=(UnreadableError,)),
        of_bytes("Intel collateral", gathered, *collateral),
    ]


def _snp() -> list[Target]:
    names = [name for name in snp.REPORTS if name != "milan-v2-debug"]
    reports = [snp.members(name)["report"] for name in names]
    bundles = [snp.members(name)["certificates"] for name in names]
    table = bytes.fromhex("63da758de6644564adc5f4b93be8accd") + (48).to_bytes(4, "little")
    table += len(bundles[0]).to_bytes(4, "little") + bytes(24) + bundles[0]
    hcl = [(VECTORS / f"snp/azure-hcl/{name}").read_bytes() for name in ("snp_hcl_report.bin", "hcl-report-snp.bin")]
    hcl += [(VECTORS / "snp/trustee-az-snp-vtpm/hcl-report.bin").read_bytes()]

    def runtime(data: bytes) -> None:
        parse_runtime_data(data).claims()

    datas = [snp.members("azure-v2")["hcl_report"]]
    return [
        of_bytes("SNP report", parse_snp, *reports),
        of_bytes("SNP bundle", load_bundle, *bundles),
        of_bytes("SNP certificate file", arrange, *bundles, snp.read("ms-turin/vcek.pem"), table),
        of_bytes("SNP certificate table", parse_table, table),
        of_bytes("VEK certificate", lambda data: read_vek(load_certificate(data, PREFIX)), *_first(bundles)),
        of_bytes("HCL report", parse_hcl_report, *map(without_padding, hcl), *datas),
        of_bytes("Azure runtime data", runtime, *(parse_hcl_report(data).runtime_data for data in datas)),
    ]


def _first(bundles: list[bytes]) -> list[bytes]:
    return [data[: 4 + int.from_bytes(data[2:4], "big")] for data in bundles]


def _nitro() -> list[Target]:
    envelopes = [document(name) for name in NITRO]
    payloads = [parse_envelope(data).payload for data in envelopes]
    return [
        of_bytes("COSE of Nitro", parse_envelope, *envelopes),
        of_bytes("Nitro document", parse_document, *payloads),
        of_bytes("CBOR of Nitro", lambda data: decode(data, PREFIX), *payloads),
    ]


def _nvidia(corpus: Mapping[str, bytes]) -> list[Target]:
    evidence = {**parts(corpus, "nvidia/evidence"), **parts(corpus, "nvswitch/evidence")}
    reports = [evidence["report_0"], bytes.fromhex(nvidia("nvtrust-samples/hopperAttestationReport.txt").decode())]
    reports += [bytes.fromhex(nvidia("attsdk-unit/switchAttestationReport.txt").decode())]
    opaque = [parse_spdm(data).opaque for data in reports]
    leaf = evidence["chain_0"]
    leaf = leaf[: 4 + int.from_bytes(leaf[2:4], "big")]
    rims = [data for data in parts(corpus, "nvidia/collateral").values() if data.startswith(b"<")]
    rims += [nvidia("attsdk-unit/NV_GPU_DRIVER_GH100_550.144.03.xml")]

    def fields(data: bytes) -> None:
        for switch in (False, True):
            parse_opaque(data, switch=switch).describe()

    return [
        of_bytes("SPDM report", parse_spdm, *reports),
        of_bytes("NVIDIA opaque fields", fields, *opaque),
        of_bytes("NVIDIA identity", lambda data: read_identity(load_certificate(data, PREFIX)), leaf),
        of_bytes("NVIDIA RIM", parse_signed, *rims),
    ]
