# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vendors' services on this machine: answers by path for paper platforms, with every fault that services have."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from affidavit.collateral.cache import Cache
from affidavit.collateral.services import Services
from affidavit.collateral.source import Source
from affidavit.collateral.transfer import Transfer
from attestation.intel.pem import encode_certificate
from tests.attestation.intel import making
from tests.attestation.nvidia import paper as nvidia
from tests.attestation.small_pki import Identity, ocsp_response
from tests.attestation.snp import paper as amd

Reply = tuple[int, bytes, Mapping[str, str]]
AT = amd.AT
"""AMD's and Intel's paper platforms agree on the time; NVIDIA's have their own."""


def ok(body: bytes, **headers: str) -> Reply:
    return 200, body, {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Vendor:
    """`routes` from path and query to an answer, or to a function of the request's body; `faults` come first."""

    routes: dict[str, Reply | Callable[[bytes], Reply]] = field(default_factory=dict)
    faults: list[Reply] = field(default_factory=list)
    down: Reply | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, body: bytes) -> Reply:
        self.asked.append(path)
        if self.faults:
            return self.faults.pop(0)
        if self.down is not None:
            return self.down
        found = self.routes.get(path, (404, b"no such thing", {}))
        return found(body) if callable(found) else found

    @property
    def services(self) -> Services:
        return Services(
            amd_kds=self.url,
            intel_pcs=self.url,
            intel_root_crl=f"{self.url}/IntelSGXRootCA.der",
            nvidia_rim=self.url,
            nvidia_ocsp=f"{self.url}/ocsp",
        )


@contextmanager
def serving(vendor: Vendor) -> Iterator[Vendor]:
    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, data, headers = vendor.answer(self.path, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = respond  # noqa: N815 - the names are http.server's

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Clock:
    """A time that tests move; sleeping moves it, too."""

    at: datetime = AT
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.at


@contextmanager
def source(clock: Clock, folder: Any = None) -> Iterator[Source]:
    """A source over real HTTP, with a clock of its own."""
    with Transfer(timeout=5, sleep=clock.slept.append, now=clock, jitter=lambda: 1.0) as transfer:
        yield Source(transfer, None if folder is None else Cache(folder), now=clock)


# What each vendor says of its paper platform.

KDS = "/vcek/v1/Milan"
VCEK = f"{KDS}/{amd.HWID.hex()}?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"


def kds(**changes: Any) -> dict[str, Any]:
    chain = amd.ask().public_bytes(Encoding.PEM) + amd.ark().public_bytes(Encoding.PEM)
    routes = {VCEK: ok(amd.der(amd.vek())), f"{KDS}/cert_chain": ok(chain), f"{KDS}/crl": ok(amd.crl())}
    return {**routes, **changes}


def pcs(platform: making.Paper, ca: str = "platform") -> dict[str, Any]:
    kind = "tdx" if platform.tdx else "sgx"
    files = platform.files()
    chain = quote(files["chain"])
    pck = quote(encode_certificate(making.der(platform.ca_certificate())))
    return {
        f"/{kind}/certification/v4/tcb?fmspc=90C06F000000": ok(files["tcb_info"], TCB_Info_Issuer_Chain=chain),
        f"/{kind}/certification/v4/qe/identity": ok(files["qe_identity"], SGX_Enclave_Identity_Issuer_Chain=chain),
        f"/sgx/certification/v4/pckcrl?ca={ca}&encoding=der": ok(files["pck_crl"], SGX_PCK_CRL_Issuer_Chain=pck),
        "/IntelSGXRootCA.der": ok(files["root_crl"]),
    }


RIM_FIELDS = {**nvidia.device().fields, 17: b"1010\0", 18: b"0200\0", 15: b"882\0"}
DRIVER_RIM, VBIOS_RIM = "NV_GPU_DRIVER_GH100_550.90.07", "NV_GPU_VBIOS_1010_0200_882_96005E0001"


def rim_service() -> dict[str, Any]:
    """RIMs, and an OCSP responder that answers about whatever certificate it is asked."""
    known: list[tuple[Identity, Identity]] = [*pairwise(nvidia.rim_signer())]
    for number in range(3):
        known += pairwise(nvidia.device(number).chain[1:])

    def status(body: bytes) -> Reply:
        serial = ocsp.load_der_ocsp_request(body).serial_number
        subject, issuer = next(pair for pair in known if pair[0].certificate.serial_number == serial)
        return ok(ocsp_response(subject.certificate, issuer, nvidia.AT))

    def rim(name: str, document: bytes) -> Reply:
        return ok(json.dumps({"id": name, "rim": base64.b64encode(document).decode(), "sha256": "x"}).encode())

    driver, vbios = nvidia.rims()
    return {
        f"/v1/rim/{DRIVER_RIM}": rim(DRIVER_RIM, driver),
        f"/v1/rim/{VBIOS_RIM}": rim(VBIOS_RIM, vbios),
        "/ocsp": status,
    }


def gpus(count: int = 1) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for index in range(count):
        one = nvidia.device(index)
        found |= {f"report_{index}": nvidia.report(one, fields=RIM_FIELDS), f"chain_{index}": one.der}
    return found
