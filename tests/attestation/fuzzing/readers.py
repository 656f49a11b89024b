# SPDX-License-Identifier: AGPL-3.0-or-later
"""`read` of every format, on the real files of all formats, in their armour and out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from attestation import raw
from attestation.collateral import EMPTY
from attestation.contract import Format
from attestation.formats import FORMATS
from tests.attestation.fuzzing.corpus import parts
from tests.attestation.fuzzing.target import Outcome, Parts, Seed, Target

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
FILES = {
    "tpm2": ("tpm/gce-attestation/*.pb", "tpm/trustee/*.json", "tpm/go-attestation/*.json"),
    "snp": ("snp/ms-turin/report.bin", "snp/attestation-rs-bergamo/live-*", "snp/trustee-e2e/*.json"),
    "azure-snp": ("snp/trustee-az-snp-vtpm/*.json", "snp/trustee-az-snp-vtpm/hcl-report.bin", "snp/*azure/*.json"),
    "azure-tdx": ("tdx/trustee-az-tdx-vtpm/*.json", "tdx/attestation-rs-azure/*.json"),
    "tdx": ("tdx/dstack/*.json", "tdx/dcap-qvl/tdx_quote", "tdx/dcap-qvl/*.hex", "tdx/google/quote_v5_sample.dat"),
    "sgx": ("sgx/dcap-qvl/sgx_quote",),
    "nitro": ("nitro/*.bin",),
    "nvidia": (
        "nvidia/attsdk-evidence/*hopper*.json",
        "nvidia/private-ml-sdk/*.json",
        "nvidia/nvtrust-samples/hopperAttestationReport.txt",
    ),
    "nvswitch": ("nvidia/attsdk-evidence/*ls10.json", "nvidia/attsdk-unit/switchAttestationReport.txt"),
    "cmw": (),
    "simulated": (),
}
"""Real files of each format, by its name."""


def targets(corpus: Mapping[str, bytes]) -> list[Target]:
    """One per format. Evidence on paper comes in the project's own JSON form."""
    return [Target(f"read {scheme.name}", tuple(_seeds(scheme, corpus)), _run(scheme)) for scheme in FORMATS.values()]


def _seeds(scheme: Format, corpus: Mapping[str, bytes]) -> list[Seed]:
    files = [path for pattern in FILES[scheme.name] for path in sorted(VECTORS.glob(pattern))]
    found = [Seed(path.name, {"data": path.read_bytes()}) for path in files]
    if not all(any(VECTORS.glob(pattern)) for pattern in FILES[scheme.name]):
        raise AssertionError(f"a pattern of {scheme.name} has no file")
    members = parts(corpus, f"{scheme.name}/evidence")
    if scheme.name == "simulated":
        members = {"statement": b"This is not evidence"}
    if members:
        found.append(Seed("members", {"data": raw.members_document(scheme.type, members)}))
    elif found:
        members = scheme.read(found[0].parts["data"])
        found.append(Seed("members", {"data": raw.members_document(scheme.type, members)}))
    if scheme.name == "cmw":
        found.append(Seed("collection", {"data": members["collection"]}))
    return found


def _run(scheme: Format) -> Callable[[Parts, Seed], Outcome]:
    def run(given: Parts, seed: Seed) -> Outcome:
        members = scheme.read(given["data"])
        if {type(part) for part in members.values()} - {bytes} or {type(name) for name in members} - {str}:
            raise AssertionError("members that are no bytes")
        if scheme.complete is not None:
            scheme.complete(members, EMPTY)
        return Outcome("read")

    return run
