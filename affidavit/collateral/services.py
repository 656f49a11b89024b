# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the vendors' services are, or the mirrors that take their place.

A file in TOML names those that differ, and the CA of a mirror's TLS certificate::

    [services]
    amd_kds = "https://kds.example.com"
    intel_pcs = "https://pccs.example.com:8081"
    intel_root_crl = "https://pccs.example.com:8081/sgx/certification/v4/rootcacrl"
    ca = "mirror-ca.pem"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx

from verifier.errors import MalformedError

MAX_SERVICES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Services:
    """Base URLs without a slash at the end; `intel_root_crl` is the whole URL. `ca`: a PEM file, or the usual CAs.

    Sources: AMD 57230 (KDS); Intel, Provisioning Certification Service for ECDSA attestation, version 4; NVIDIA,
    Attestation Suite, RIM service and OCSP.
    """

    amd_kds: str = "https://kdsintf.amd.com"
    intel_pcs: str = "https://api.trustedservices.intel.com"
    intel_root_crl: str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
    nvidia_rim: str = "https://rim.attestation.nvidia.com"
    nvidia_ocsp: str = "https://ocsp.ndis.nvidia.com"
    ca: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what is no URL of a service. Raises `MalformedError` with `collateral.services-malformed`."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "ca":
                object.__setattr__(self, field.name, _checked(field.name, value))


def read_services(data: bytes, folder: Path) -> Services:
    """Services of a TOML file; `ca` is relative to `folder`.

    Raises `MalformedError` with `collateral.services-malformed`.
    """
    try:
        value: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        _refuse(f"not TOML: {str(error)[:120]}")
    table = value.pop("services", {})
    known = {field.name for field in fields(Services)}
    if value or not isinstance(table, dict) or not set(table) <= known:
        _refuse(f"only a table [services] with {', '.join(sorted(known))} expected")
    if not all(isinstance(item, str) for item in table.values()):
        _refuse("a value that is no text")
    if "ca" in table:
        table["ca"] = folder / table["ca"]
    return Services(**table)


def _checked(name: str, url: str) -> str:
    try:
        parsed, parts = httpx.URL(url), urlsplit(url)
    except (httpx.InvalidURL, ValueError):
        _refuse(f"{name} is no URL: {url[:80]!r}")
    if parsed.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        _refuse(f"{name} is no plain http or https URL: {url[:80]!r}")
    return url.rstrip("/")


def _refuse(message: str) -> NoReturn:
    raise MalformedError("collateral.services-malformed", message, remedy="see docs/collateral.md, Mirrors")
