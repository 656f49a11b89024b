# SPDX-License-Identifier: AGPL-3.0-or-later
"""IMA lists of one's own, written straight from the kernel's description of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attestation.collateral import sort_collateral
from attestation.contract import Appraisal
from attestation.ima import parse_ima_list
from attestation.ima.entries import Entry
from attestation.tpm2 import appraise
from tests.attestation.paper import AT, CHALLENGE, booted_pcrs
from tests.attestation.paper import trust as paper_trust

ID = "evidence.tpm2.ima"


@dataclass(frozen=True)
class Measurement:
    template: str
    name: str
    digest: bytes
    algorithm: str
    kind: str = ""
    extra: bytes | None = None
    violation: bool = False
    register: int = 10

    @property
    def fields(self) -> list[bytes]:
        if self.template == "ima":
            return [self.digest, self.name.encode()]
        label = f"{self.kind}:{self.algorithm}:" if self.kind else f"{self.algorithm}:"
        found = [label.encode() + b"\0" + self.digest, self.name.encode() + b"\0"]
        return found if self.extra is None else [*found, self.extra]

    @property
    def hash(self) -> bytes:
        if self.violation:
            return bytes(20)
        if self.template == "ima":
            data = self.digest + self.name.encode() + bytes(256 - len(self.name))
        else:
            data = b"".join(len(part).to_bytes(4, "little") + part for part in self.fields)
        return hashlib.sha1(data, usedforsecurity=False).digest()


def ascii_list(measurements: Sequence[Measurement]) -> bytes:
    lines = []
    for m in measurements:
        label = "" if m.template == "ima" else f"{m.kind}:{m.algorithm}:" if m.kind else f"{m.algorithm}:"
        line = f"{m.register:2d} {m.hash.hex()} {m.template} {label}{m.digest.hex()} {m.name}"
        lines.append(line if m.extra is None else f"{line} {m.extra.hex()}")
    return "".join(f"{line}\n" for line in lines).encode()


def binary_list(measurements: Sequence[Measurement]) -> bytes:
    def sized(data: bytes) -> bytes:
        return len(data).to_bytes(4, "little") + data

    out = b""
    for m in measurements:
        out += m.register.to_bytes(4, "little") + m.hash + sized(m.template.encode())
        if m.template == "ima":
            out += m.digest + sized(m.name.encode())
        else:
            out += sized(b"".join(map(sized, m.fields)))
    return out


def listing(measurements: Sequence[Measurement]) -> tuple[Entry, ...]:
    return parse_ima_list(ascii_list(measurements)).entries


def extended(entries: Sequence[Entry], bank: str) -> bytes:
    """PCR 10 after these entries."""
    value = bytes(hashlib.new(bank).digest_size)
    for entry in entries:
        if entry.register == 10:
            value = hashlib.new(bank, value + entry.extends(bank)).digest()
    return value


def _aggregate() -> bytes:
    values = booted_pcrs()
    return hashlib.sha256(b"".join(values["sha256", index] for index in range(10))).digest()


AGGREGATE = Measurement("ima-ng", "boot_aggregate", _aggregate(), "sha256")

TEMPLATES = [
    Measurement("ima", "/bin/a b", hashlib.sha1(b"f", usedforsecurity=False).digest(), "sha1"),
    Measurement("ima-ng", "/bin/with space", hashlib.sha256(b"f").digest(), "sha256"),
    Measurement("ima-ngv2", "/bin/v2", hashlib.sha512(b"f").digest(), "sha512", kind="verity"),
    Measurement("ima-sig", "/bin/signed here", hashlib.sha384(b"f").digest(), "sha384", extra=b"\3\2signature"),
    Measurement("ima-sig", "/bin/unsigned", hashlib.sha256(b"u").digest(), "sha256", extra=b""),
    Measurement("ima-sigv2", "/bin/sigv2", hashlib.sha256(b"g").digest(), "sha256", kind="ima", extra=b"s"),
    Measurement("ima-buf", "kexec-cmdline", hashlib.sha256(b"quiet").digest(), "sha256", extra=b"quiet"),
]
MEASURED = [AGGREGATE, *TEMPLATES[1:]]


def ask(members: Mapping[str, bytes], collateral: Iterable[bytes] = (), **settings: Any) -> Appraisal:
    """The appraisal of paper evidence under the paper's own trust."""
    trust = paper_trust(**settings)
    return appraise(members, challenge=CHALLENGE, at=AT, trust=trust, collateral=sort_collateral(collateral))
