# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise` of every format, under trust that accepts the unchanged evidence.

A mutant is a mutant of members and collateral; one case in ten is one of a raw file, read first. What is stated is
the members, and the claims. Members that nothing vouches for (the data and types of events that no register holds a
hash of) and collateral (of which a part that is not relied upon may be anything) are left out of the statement: there
the claims alone have to stay what they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attestation.azure_tdx import AzureTdxTrust
from attestation.cmw import CmwTrust
from attestation.collateral import sort_collateral
from attestation.formats import FORMATS
from attestation.nitro import NitroTrust
from attestation.nvidia import NvidiaTrust
from attestation.sgx import SgxTrust
from attestation.simulated import SimulatedEvidence, SimulatedTrust
from attestation.tdx import TdxTrust
from attestation.tpm2 import Tpm2Trust
from tests.attestation import paper, real
from tests.attestation.azure import paper as azure_paper
from tests.attestation.fuzzing.corpus import SESSION, parts
from tests.attestation.fuzzing.evidence import COLLATERAL
from tests.attestation.fuzzing.target import Outcome, Parts, Seed, Target
from tests.attestation.intel import making
from tests.attestation.intel.judging import vector
from tests.attestation.nitro.paper import AT as NITRO_AT
from tests.attestation.nitro.paper import CHALLENGE as NITRO_CHALLENGE
from tests.attestation.nitro.paper import REAL as NITRO_REAL
from tests.attestation.nitro.paper import document
from tests.attestation.nvidia import paper as nvidia
from tests.attestation.snp import real as snp

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
UNBOUND = frozenset({"event_log"})
RUNTIME = Tpm2Trust().runtime_pcrs
TOLERATED = frozenset({"UpToDate", "ConfigurationAndSWHardeningNeeded"})
RAW = "raw"
BLACKWELL = "attsdk-unit/sample_attestation_data/gpu/blackwell"


@dataclass(frozen=True)
class Question:
    """What goes with the evidence into `appraise`."""

    at: datetime
    challenge: bytes | None
    trust: Any
    unbound: frozenset[str] = UNBOUND


def targets(corpus: Mapping[str, bytes]) -> list[Target]:
    """One per format."""
    seeds = {
        "tpm2-quote@v1": _tpm2(corpus),
        "simulated@v1": [_seed("paper", SimulatedEvidence().collect(b"c"), paper.AT, b"c", SimulatedTrust())],
        "snp-report@v1": [_snp(name) for name in snp.REPORTS],
        "azure-snp-vtpm@v1": [_snp(name) for name in snp.AZURE],
        "azure-tdx-vtpm@v1": _azure_tdx(corpus),
        "tdx-quote@v1": _intel(corpus, "tdx"),
        "sgx-quote@v1": _intel(corpus, "sgx"),
        "nitro-document@v1": _nitro(corpus),
        "nvidia-gpu@v1": _gpus(corpus),
        "nvidia-switch@v1": _switches(corpus),
        "cmw-collection@v1": _cmw(corpus),
    }
    return [Target(f"appraise {FORMATS[type_].name}", tuple(found), _run(type_)) for type_, found in seeds.items()]


def _run(type_: str) -> Callable[[Parts, Seed], Outcome]:
    scheme = FORMATS[type_]

    booted: dict[str, Mapping[str, Any]] = {}

    def run(given: Parts, seed: Seed) -> Outcome:
        question: Question = seed.context
        bag = sort_collateral(data for name, data in given.items() if name.startswith(COLLATERAL))
        members = {name: data for name, data in given.items() if not name.startswith(COLLATERAL)}
        if RAW in members:
            members = {**scheme.read(members.pop(RAW)), **members}
        found = scheme.appraise(
            members, challenge=question.challenge, at=question.at, trust=question.trust, collateral=bag
        )
        json.dumps(dict(found.claims))  # claims are JSON values, whatever comes in
        if not found.passed:
            lines = found.failed or found.missing
            return Outcome(lines[0].code if lines else "nothing passes")
        bound = frozenset((name, data) for name, data in members.items() if name not in question.unbound)
        if type_.startswith("nvidia"):  # in whatever order they come
            root = question.trust.device_roots[0]  # which may stand at the end or not
            pairs = ((members[f"report_{i}"], members.get(f"chain_{i}", b"")) for i in range(_count(members)))
            return Outcome("passed", (type_, frozenset((report, chain.removesuffix(root)) for report, chain in pairs)))
        if given == seed.parts:
            booted[seed.name] = found.claims
        return Outcome("passed", (type_, bound, _stated(found.claims, booted.get(seed.name, {}))))

    return run


def _stated(claims: Mapping[str, Any], genuine: Mapping[str, Any]) -> str:
    """Claims, without what the log alone says of its events: type, and text as far as it fits the digest.

    A log in which the event about secure boot is called something else says nothing of it; another answer is a finding.
    So says one that no longer leads to a register that runtime goes on extending: it covers less, and states less.
    """
    told = dict(claims)
    if told.get("secure_boot") is None:
        told["secure_boot"] = genuine.get("secure_boot")
    if "boot_events" in told:
        lost = set(genuine.get("event_log_covered", ())) - set(told["event_log_covered"])
        lost &= set(told["event_log_uncovered"]) & RUNTIME
        events = [(event["register"], event["digest"]) for event in told["boot_events"]]
        before = [(event["register"], event["digest"]) for event in genuine.get("boot_events", ())]
        if lost and events == [event for event in before if event[0] not in lost]:
            events = before
            told["event_log_covered"] = sorted({*told["event_log_covered"], *lost})
            told["event_log_uncovered"] = sorted(set(told["event_log_uncovered"]) - lost)
        told["boot_events"] = events
    return json.dumps(told, sort_keys=True)


def _count(members: Mapping[str, bytes]) -> int:
    return sum(name.startswith("report_") for name in members)


def _seed(
    name: str,
    members: Mapping[str, bytes],
    at: datetime,
    challenge: bytes | None,
    trust: Any,
    collateral: Mapping[str, bytes] | None = None,
    *,
    unbound: frozenset[str] = UNBOUND,
) -> Seed:
    loose = {f"{COLLATERAL}{key}": data for key, data in (collateral or {}).items()}
    return Seed(name, {**members, **loose}, Question(at, challenge, trust, unbound))


def _files(*patterns: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for pattern in patterns for path in sorted(VECTORS.glob(pattern))}


def _tpm2(corpus: Mapping[str, bytes]) -> list[Seed]:
    trust = Tpm2Trust(
        ek_roots=(corpus["tpm2/maker"],),
        ak_issuers=(corpus["tpm2/ca"],),
        required_pcrs=frozenset(range(8)),
        require_event_log=True,
    )
    google = Tpm2Trust(platform_ak_issuers=(real.gce_root(),), require_event_log=True)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    quotes = real.gce_quotes("gce-cos-85-nonce9009")
    # Where a platform vouches for the AK, an EK's certificate is not asked for, and one that is there not looked at.
    unasked = UNBOUND | {"ek_certificate"}
    found = [
        _seed(f"gce {bank}", quotes[bank], at, b"\x90\x09", google, unbound=unasked)
        for bank in ("sha1", "sha256", "sha384")
    ]
    for name in ("evidence", "rsa"):
        found.append(_seed(f"paper {name}", parts(corpus, f"tpm2/{name}"), paper.AT, paper.CHALLENGE, trust))
    collateral = {"chain": quotes["sha256"]["ak_chain"]}
    raw = {RAW: real.read("gce-attestation/gce-cos-85-nonce9009.pb")}
    return [*found, _seed("gce file", raw, at, b"\x90\x09", google, collateral, unbound=unasked)]


def _snp(name: str) -> Seed:
    azure = name in snp.AZURE
    trust = snp.AZURE_WITHOUT_CRL if azure else snp.WITHOUT_CRL
    if name in ("azure-v1", "azure-live"):
        return _seed(name, {RAW: snp.read(snp.AZURE[name])}, snp.at(name), None, trust)
    members = snp.members(name)
    if name == "genoa-v5":
        loose = {"vcek": members.pop("certificates")}
        return _seed(name, members, snp.at(name), None, trust, loose)
    return _seed(name, members, snp.at(name), None, trust)


def _azure_tdx(corpus: Mapping[str, bytes]) -> list[Seed]:
    trust = AzureTdxTrust(td=TdxTrust(roots=(corpus["intel/root"],)))
    evidence, loose = parts(corpus, "azure-tdx/evidence"), parts(corpus, "azure-tdx/collateral")
    found = [_seed("paper", evidence, making.AT, azure_paper.CHALLENGE, trust, loose)]
    at = datetime(2026, 1, 10, tzinfo=UTC)
    for name in ("trustee-az-tdx-vtpm/evidence-v0.json", "trustee-az-tdx-vtpm/evidence-v1.json"):
        found.append(_seed(name, {RAW: vector(f"tdx/{name}")}, at, b"challenge", AzureTdxTrust()))
    return found


def _intel(corpus: Mapping[str, bytes], name: str) -> list[Seed]:
    make = TdxTrust if name == "tdx" else SgxTrust
    on_paper, intel = make(roots=(corpus["intel/root"],)), make(tcb_statuses=TOLERATED)
    june, march = datetime(2025, 6, 20, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC)
    evidence, loose = {"quote": corpus[f"{name}/quote"]}, parts(corpus, f"{name}/collateral")
    challenge = making.CHALLENGE if name == "tdx" else None
    found = [_seed("paper", evidence, making.AT, challenge, on_paper, loose)]
    quote = FORMATS[f"{name}-quote@v1"].read(vector(f"{name}/dcap-qvl/{name}_quote"))
    service = _files(f"{name}/dcap-qvl/{name}_quote_collateral.json")
    found.append(_seed("dcap-qvl", quote, june, None, intel, service))
    if name == "tdx":
        v5 = {RAW: vector("tdx/google/quote_v5_sample.dat")}
        found.append(_seed("google v5", v5, march, None, intel, _files("tdx/attestation-rs-collateral/*")))
        lite = FORMATS["tdx-quote@v1"].read(vector("tdx/dstack/tdx-lite-getquote.json"))
        found.append(_seed("dstack", lite, june, None, intel))
    return found


def _nitro(corpus: Mapping[str, bytes]) -> list[Seed]:
    found = [_seed(name, {"document": document(name)}, at, None, NitroTrust()) for name, at in NITRO_REAL.items()]
    name, at = next(iter(NITRO_REAL.items()))
    found.append(_seed("file", {RAW: vector(f"nitro/{name}")}, at, None, NitroTrust()))
    trust = NitroTrust(roots=(corpus["nitro/root"],), require_crl=True)
    evidence, lists = parts(corpus, "nitro/evidence"), parts(corpus, "nitro/collateral")
    return [*found, _seed("paper", evidence, NITRO_AT, NITRO_CHALLENGE, trust, lists)]


def _gpus(corpus: Mapping[str, bytes]) -> list[Seed]:
    trust = NvidiaTrust(
        device_roots=(corpus["nvidia/device-root"],), rim_roots=(corpus["nvidia/rim-root"],), device_count=2
    )
    evidence, loose = parts(corpus, "nvidia/evidence"), parts(corpus, "nvidia/collateral")
    found = [_seed("paper", evidence, nvidia.AT, nvidia.NONCE, trust, loose)]
    read, at = FORMATS["nvidia-gpu@v1"].read, datetime(2024, 6, 1, tzinfo=UTC)
    single, four = (NvidiaTrust(require_rims=False, require_ocsp=False, device_count=count) for count in (1, 4))
    pairs = {
        "h100": ("nvtrust-samples/hopperAttestationReport.txt", "nvtrust-samples/hopperCertChain.txt"),
        "gb100": (f"{BLACKWELL}AttestationReport.txt", f"{BLACKWELL}CertChain.txt"),
    }
    for name, (report, chain) in pairs.items():
        found.append(_seed(name, read(nvidia.with_chain(report, chain)), at, None, single))
        loose = {"chain": nvidia.vector(chain), "rim": nvidia.vector("attsdk-unit/NV_GPU_DRIVER_GH100_550.144.03.xml")}
        found.append(_seed(f"{name} alone", read(nvidia.vector(report)), at, None, single, loose))
    several = nvidia.vector("attsdk-evidence/multi_gpu_hopper.json")
    return [*found, _seed("four", read(several), at, None, four), _seed("four, file", {RAW: several}, at, None, four)]


def _switches(corpus: Mapping[str, bytes]) -> list[Seed]:
    trust = NvidiaTrust(
        device_roots=(corpus["nvidia/device-root"],), rim_roots=(corpus["nvidia/rim-root"],), device_count=1
    )
    evidence, loose = parts(corpus, "nvswitch/evidence"), parts(corpus, "nvswitch/collateral")
    found = [_seed("paper", evidence, nvidia.AT, nvidia.NONCE, trust, loose)]
    rim = "attsdk-unit/switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml"
    pair = ("attsdk-unit/switchAttestationReport.txt", "attsdk-unit/switchCertChain.txt")
    measured = NvidiaTrust(require_ocsp=False, device_count=1)
    members = FORMATS["nvidia-switch@v1"].read(nvidia.with_chain(*pair))
    at = datetime(2026, 7, 1, tzinfo=UTC)
    found.append(_seed("ls10", members, at, None, measured, {"rim": nvidia.vector(rim)}))
    file = nvidia.vector("attsdk-evidence/switch_evidence_ls10.json")
    loosely = NvidiaTrust(require_rims=False, require_ocsp=False, device_count=1)
    return [*found, _seed("ls10, file", {RAW: file}, at, None, loosely)]


def _cmw(corpus: Mapping[str, bytes]) -> list[Seed]:
    boards = Tpm2Trust(
        ek_roots=(corpus["tpm2/maker"],), ak_issuers=(corpus["tpm2/ca"],), required_pcrs=frozenset(range(8))
    )
    trust = CmwTrust(trusts={"tpm2": boards}, required=frozenset({"tpm2-quote@v1"}))
    return [_seed("paper", parts(corpus, "cmw/evidence"), paper.AT, SESSION, trust)]
