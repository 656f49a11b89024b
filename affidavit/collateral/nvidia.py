# SPDX-License-Identifier: AGPL-3.0-or-later
"""NVIDIA's RIM service and OCSP responder.

::

    GET  /v1/rim/NV_GPU_DRIVER_{chip}_{driver version}                              {"id": .., "rim": base64 of XML}
    GET  /v1/rim/NV_GPU_VBIOS_{project}_{project SKU}_{chip SKU}_{VBIOS version}    version without its dots
    GET  /v1/rim/NV_SWITCH_BIOS_5612_0002_890_{BIOS version}
    POST <ocsp>                                                                     RFC 6960; no nonce: answers are kept

Asked of OCSP: every certificate of a device's chain but the attestation key's own, and every one of a RIM's signer.

Source: NVIDIA, RIM service API; NVIDIA/nvtrust and NVIDIA/attestation-sdk for the identifiers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from affidavit.collateral.services import Services
from affidavit.collateral.source import Piece, Source
from affidavit.collateral.transfer import Answer, Request
from attestation.nvidia import opaque
from attestation.nvidia.device import Device, parse_device
from attestation.nvidia.swid import parse_signed
from attestation.nvidia.trust import MAX_DEVICES, NvidiaTrust
from attestation.pki.certificate import load_certificate, serial_number
from attestation.pki.ocsp import load_responses
from attestation.pki.path import Anchors
from verifier.errors import UnsupportedError

MAX_RIM = 16 << 20
MAX_OCSP = 64 << 10
PREFIX = "evidence.nvidia"
SWITCH = "NV_SWITCH_BIOS_5612_0002_890"
"""Project, SKU and chip of the one kind of switch; its reports do not say."""
PROJECT, PROJECT_SKU, CHIP_SKU = 17, 18, 15

Accepted = Sequence[tuple[str, str, bytes]]
Link = tuple[x509.Certificate, x509.Certificate]


def fetch_nvidia(
    members: Mapping[str, bytes],
    source: Source,
    services: Services,
    *,
    switch: bool,
    trust: NvidiaTrust | None = None,
) -> tuple[Piece, ...]:
    """What a set of devices needs, each piece once. `trust`: whose roots end chains that come without.

    Raises:
        attestation.errors.EvidenceError: a report or chain cannot be read.
        UnsupportedError: ``collateral.absent``, also for a device without chain.
        OperationalError: as `Source.get`.
    """
    roots = trust or NvidiaTrust()
    devices = list(_devices(members, switch))
    found: dict[bytes, Piece] = {}
    links: dict[bytes, Link] = {}
    for device in devices:
        links |= _links(device.chain[1:] or device.chain, roots.device_roots)
        for piece in _rims(device, source, services):
            found[piece.data] = piece
            signer = tuple(load_certificate(data, f"{PREFIX}.rim") for data in parse_signed(piece.data).certificates)
            links |= _links(signer, roots.rim_roots)
    for certificate, issuer in links.values():
        body = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA384()).build()
        request = Request(services.nvidia_ocsp, MAX_OCSP, body.public_bytes(Encoding.DER), "application/ocsp-request")
        found |= {piece.data: piece for piece in source.get(request, partial(_status, certificate))}
    return tuple(found.values())


def _devices(members: Mapping[str, bytes], switch: bool) -> Iterator[Device]:
    for index in range(MAX_DEVICES):
        report, chain = members.get(f"report_{index}"), members.get(f"chain_{index}")
        if report is None:
            continue
        if chain is None:
            raise UnsupportedError(
                "collateral.absent",
                f"device {index} comes without its certificate chain, which nobody publishes",
                remedy="take the chain from the device, with its report",
            )
        yield parse_device(report, chain, switch=switch)


def _rims(device: Device, source: Source, services: Services) -> tuple[Piece, ...]:
    version = (device.opaque.vbios_version or "").replace(".", "").upper()
    if device.switch:
        return _rim([f"{SWITCH}_{version}"], "rim-switch", source, services)
    project, sku, chip_sku = (device.opaque.text(number) or "" for number in (PROJECT, PROJECT_SKU, CHIP_SKU))
    chips = dict.fromkeys(filter(None, (device.chip, device.opaque.text(opaque.CHIP_INFO))))
    driver = device.opaque.text(opaque.DRIVER_VERSION) or ""
    return (
        *_rim([f"NV_GPU_DRIVER_{chip}_{driver}" for chip in chips], "rim-driver", source, services),
        *_rim([f"NV_GPU_VBIOS_{project}_{sku}_{chip_sku}_{version}"], "rim-vbios", source, services),
    )


def _rim(names: Sequence[str], label: str, source: Source, services: Services) -> tuple[Piece, ...]:
    """The first that there is; a report's text goes into a URL only where it is one word."""
    problem = UnsupportedError("collateral.absent", f"the report does not say which RIM it needs ({label})")
    for name in names:
        if not all(character.isalnum() or character in "._-" for character in name) or not name.isascii():
            continue
        try:
            return source.get(Request(f"{services.nvidia_rim}/v1/rim/{name}", MAX_RIM), partial(_xml, name, label))
        except UnsupportedError as error:
            problem = error
    raise problem


def _xml(name: str, label: str, answer: Answer) -> Accepted:
    value = json.loads(answer.body)
    if not isinstance(value, dict) or value.get("id") != name or not isinstance(value.get("rim"), str):
        raise ValueError("no RIM of that name")
    document = base64.b64decode(value["rim"], validate=True)
    parse_signed(document)
    return [(label, "xml", document)]


def _links(chain: Sequence[x509.Certificate], roots: tuple[bytes, ...]) -> dict[bytes, Link]:
    """Each certificate with its issuer; the last one's is a root of ours where it is no root itself."""
    found = list(pairwise(chain))
    last = chain[-1]
    if last.issuer != last.subject:
        found += [(last, root) for root in Anchors.load(roots).certificates if root.subject == last.issuer][:1]
    return {subject.public_bytes(Encoding.DER): (subject, issuer) for subject, issuer in found}


def _status(certificate: x509.Certificate, answer: Answer) -> Accepted:
    responses = load_responses((answer.body,))
    if len(responses) != 1 or responses[0].serial_number != serial_number(certificate):
        raise ValueError("no OCSP response for this certificate")
    if responses[0].next_update_utc is None:
        raise ValueError("an OCSP response without end")
    return [("ocsp", "der", answer.body)]
