# SPDX-License-Identifier: AGPL-3.0-or-later
"""tests/vectors/snp/defects.json: real evidence with one defect each, the verdict and the very codes that it gives.

A patch is a list of steps on the members of a base set (`real.REPORTS`, `real.AZURE`): `put` and `xor` at an offset,
`cut` from the end, `append`, `drop`, `add`, `double`, `replace` text, `take` a member or `splice` its tail from another
set, `file` adds a certificate. Next to it stand the time, the challenge, and what the policy says.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from attestation.azure_snp import AzureSnpTrust
from attestation.errors import MalformedError, UnsupportedError
from attestation.snp import SnpTrust
from attestation.snp.bundle import arrange
from attestation.tpm2 import Tpm2Trust
from tests.attestation.snp import real

DEFECTS = json.loads(real.read("defects.json"))
_PLAIN = ("require_crl", "allow_debug", "require_committed", "minimum_guest_svn", "minimum_tcb", "minimum_launch_tcb")
_TEXTS = (
    "products", "signing_keys", "csp_ids", "required_policy", "forbidden_policy", "required_platform", "vmpls",
    "bulletin_statuses", "denied_advisories",
)  # fmt: skip


def patched(base: str, steps: list[dict[str, Any]]) -> dict[str, bytes]:
    members = real.members(base)
    for step in steps:
        ((verb, what),) = step.items()
        if verb in ("drop", "double"):
            data = members.pop(what)
            members |= {what: data + data} if verb == "double" else {}
            continue
        name, *rest = what
        data = members.get(name, b"")
        if verb in ("put", "xor"):
            offset, octets = rest[0] % len(data), bytes.fromhex(rest[1])
            old = data[offset : offset + len(octets)]
            new = octets if verb == "put" else bytes(a ^ b for a, b in zip(old, octets, strict=True))
            assert new != old
            members[name] = data[:offset] + new + data[offset + len(octets) :]
        elif verb == "replace":
            assert rest[0].encode() in data
            members[name] = data.replace(rest[0].encode(), rest[1].encode())
        elif verb == "splice":
            members[name] = data[: rest[0]] + real.members(rest[1])[name][rest[0] :]
        elif verb == "take":
            members[name] = real.members(rest[0])[name]
        elif verb == "file":
            members[name] = data + arrange(real.read(rest[0]))
        elif verb == "cut":
            members[name] = data[: len(data) - rest[0]]
        else:
            assert verb in ("append", "add")
            members[name] = data + bytes.fromhex(rest[0])
    return members


def trust(settings: dict[str, Any]) -> SnpTrust:
    def value(key: str, given: Any) -> Any:
        if key in _PLAIN:
            return given
        if key in _TEXTS:
            return frozenset(given)
        if key in ("minimum_abi", "minimum_firmware"):
            return tuple(given)
        found = [bytes.fromhex(text) for text in given]
        return tuple(found) if key in ("roots", "intermediates") else frozenset(found)

    return SnpTrust(**{**real.TOLERANT, **{key: value(key, given) for key, given in settings.items()}})


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect["name"].replace(" ", "-") for defect in DEFECTS])
def test_defect(defect):
    base = defect["base"]
    members = patched(base, defect.get("patch", []))
    when = datetime.fromisoformat(defect["at"]) if "at" in defect else real.at(base)
    challenge = bytes.fromhex(defect["challenge"]) if "challenge" in defect else None
    pcrs = {("sha256", int(n)): frozenset({bytes.fromhex(v)}) for n, v in defect.get("pcrs", {}).items()}
    plain = trust(defect.get("trust", {}))
    chosen = AzureSnpTrust(snp=plain, vtpm=Tpm2Trust(reference_pcrs=pcrs)) if base in real.AZURE else plain
    try:
        appraisal = real.judge(members, challenge, when, chosen)
    except MalformedError as error:
        found = "malformed", [error.code]
    except UnsupportedError as error:
        found = "unverifiable", [error.code]
    else:
        assert not appraisal.passed
        found = "reject" if appraisal.failed else "unverifiable", sorted(real.codes(appraisal))
    assert found == (defect["verdict"], defect["codes"])


def test_one_name_each():
    assert len({defect["name"] for defect in DEFECTS}) == len(DEFECTS) > 100
