# SPDX-License-Identifier: AGPL-3.0-or-later
"""The evidence of this machine, as the command line opens it, and the certificate that enrolment left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from affidavit.cli import files
from affidavit.cli.terminal import escape
from attestation import OperationalError, UnsupportedError
from attestation.cmw.collection import TYPE as CMW
from attestation.cmw.collection import parse
from attestation.producers import Candidate, Producer, detect
from attestation.simulated import SimulatedEvidence
from verifier.errors import MalformedError

if TYPE_CHECKING:
    pass

AK_CERTIFICATE = "ak-certificate.der"


HARDWARE = {"snp": "snp", "tdx": "tdx", "nitro": "nitro", "tpm": "tpm2-device", "nvidia": "nvidia"}
"""What `--evidence` calls each source that is no simulation, and what `detect` calls it."""


def open_producer(choice: str, tcti: str, folder: Path, notes: Console) -> Producer | None:
    """The source of evidence for ``choice``: ``auto``, ``simulated``, ``none`` or a key of `HARDWARE`.

    ``auto`` takes the best that this machine has; a TPM where ``tcti`` names one. Says on ``notes`` in one line when
    evidence is simulated or the TPM is not enrolled.

    Raises:
        attestation.EvidenceError: what was asked for cannot be used.
    """
    if choice == "none":
        return None
    if choice == "simulated":
        return _simulated("as asked", notes)
    if choice != "auto":
        return _open_named(choice, tcti, folder, notes)
    if tcti:
        return open_tpm(tcti, folder, notes)
    candidates = {candidate.name: candidate for candidate in detect()}
    for name, detected in HARDWARE.items():
        if candidates[detected].available:
            return _open(name, tcti, folder, notes)
    return _simulated(_why(candidates), notes)


def open_producers(choices: Sequence[str], tcti: str, folder: Path, notes: Console) -> Producer | None:
    """The source for one choice (``auto`` where there is none), or a collection of several sources, each named once.

    Raises:
        MalformedError: ``option.malformed``: a source twice, or ``auto`` or ``none`` beside others.
        attestation.EvidenceError: what was asked for cannot be used; what was opened is closed again.
    """
    if len(choices) <= 1:
        return open_producer(choices[0] if choices else "auto", tcti, folder, notes)
    if len(set(choices)) < len(choices) or {"auto", "none"} & set(choices):
        raise MalformedError(
            "option.malformed",
            f"--evidence {', '.join(choices)}: several sources are named, each once",
            remedy="leave out auto, none and what stands there twice",
        )
    from attestation.cmw.producer import CollectionProducer

    with ExitStack() as stack:
        sources: dict[str, Producer] = {}
        for choice in choices:
            source = open_producer(choice, tcti, folder, notes)
            if source is not None:
                stack.callback(source.close)
                sources[choice] = source
        collection = CollectionProducer(sources)
        stack.pop_all()
    return collection


def _open_named(name: str, tcti: str, folder: Path, notes: Console) -> Producer:
    """As `_open`; whoever named what is not there is told what else there is."""
    try:
        return _open(name, tcti, folder, notes)
    except (OperationalError, UnsupportedError) as error:
        other = "another TPM with --tcti, " if name == "tpm" else ""
        remedy = error.remedy or f"name {other}a source that this machine has, or --evidence auto"
        raise type(error)(error.code, error.message, remedy=remedy) from None


def _open(name: str, tcti: str, folder: Path, notes: Console) -> Producer:
    if name == "tpm":
        return open_tpm(tcti, folder, notes)
    if name in ("snp", "tdx"):
        return _open_guest(name)
    if name == "nitro":
        from attestation.nitro.nsm import Nsm
        from attestation.nitro.producer import NitroProducer

        return NitroProducer(Nsm())
    return _open_gpus()


def _open_guest(name: str) -> Producer:
    """An SNP or TDX guest; what is missing is said now and not with the first request."""
    found = next(candidate for candidate in detect() if candidate.name == name)
    if not found.available:
        raise OperationalError("evidence.tsm.unavailable", found.reason, remedy=found.remedy)
    if name == "snp":
        from attestation.snp.producer import SnpProducer

        return SnpProducer()
    from attestation.tdx.producer import TdxProducer

    return TdxProducer()


def _open_gpus() -> Producer:
    from attestation.nvidia.nvml import Nvml
    from attestation.nvidia.producer import NvidiaProducer

    library = Nvml()
    try:
        return NvidiaProducer(library)
    except BaseException:
        library.close()
        raise


def _why(candidates: Mapping[str, Candidate]) -> str:
    """Why there is no hardware to use: the sources that are there and lack something, or else the TPM's absence."""
    lacking = [candidates[name] for name in HARDWARE.values() if candidates[name].remedy]
    told = lacking or [candidates["tpm2-device"]]
    return "; ".join(found.reason + (f" ({found.remedy})" if found.remedy else "") for found in told)


def _simulated(reason: str, notes: Console) -> Producer:
    notes.print(f"[yellow]note[/] evidence is simulated and proves nothing: {escape(reason)}", highlight=False)
    return SimulatedEvidence()


def with_collateral(producer: Producer, services: Path | None, notes: Console) -> Producer:
    """The producer, its evidence carrying what verifiers need from vendors; as it is where there is no such thing.

    Raises:
        verifier.errors.MalformedError: ``collateral.services-malformed``; the producer is then closed.
    """
    from affidavit.cli.fetching import load_services, open_source
    from affidavit.collateral.fetching import FETCHERS, fetch
    from affidavit.collateral.source import Piece
    from affidavit.collateral.travelling import TravellingProducer
    from attestation.cmw.producer import CollectionProducer

    def note(text: str) -> None:
        notes.print(f"[yellow]note[/] {escape(text)}", highlight=False)

    wanted = set(producer.types.values()) if isinstance(producer, CollectionProducer) else {producer.type}
    for type_ in sorted(wanted - FETCHERS.keys()):
        note(f"nothing is fetched for evidence of type {type_}")
    if not wanted & FETCHERS.keys():
        return producer
    try:
        chosen = load_services(services)
    except BaseException:
        producer.close()
        raise

    def gather(type_: str, members: Mapping[str, bytes]) -> tuple[Piece, ...]:
        with open_source(chosen, None, patient=False) as source:
            found = [fetch(kind, parts, source, chosen) for kind, parts in _pieces(type_, members) if kind in FETCHERS]
            pieces = tuple(piece for each in found for piece in each)
            for text in source.notes:
                note(text)
        return pieces

    return TravellingProducer(producer, gather, note)


def _pieces(type_: str, members: Mapping[str, bytes]) -> list[tuple[str, Mapping[str, bytes]]]:
    """What a collection holds, or the one piece that it is."""
    if type_ != CMW:
        return [(type_, members)]
    return [(piece.type, piece.members) for piece in parse(members["collection"]).pieces.values()]


def open_tpm(tcti: str, folder: Path, notes: Console) -> Producer:
    """This machine's TPM, with the AK certificate from an earlier enrolment if there is one and it is of its key."""
    from affidavit.enrolment import MAX_ANSWER_BYTES, certifies
    from attestation.tpm2.device import DEVICE_TCTI, TpmDevice
    from attestation.tpm2.producer import Tpm2Producer

    device = TpmDevice(tcti or DEVICE_TCTI)
    try:
        producer = Tpm2Producer(device)
    except BaseException:
        device.close()
        raise
    path = folder / AK_CERTIFICATE
    certificate = files.read_bytes(path, limit=MAX_ANSWER_BYTES) if path.exists() else b""
    if certificate and certifies(certificate, producer.enrolment().ak_public):
        producer.certify(certificate)
    else:
        which = "enrolled under another key" if certificate else "not enrolled"
        notes.print(
            f"[yellow]note[/] this TPM is {which}, so verifiers cannot tie its key to it: "
            "affidavit node enrol --verifier URL",
            highlight=False,
        )
    return producer
