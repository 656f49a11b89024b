# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evidence of paper devices for the formats of which no real piece passes with collateral, and what it is trusted by.

Keys and certificates are random, so that a run which goes on later needs the ones it began with: they are kept in a
file, by name. No private key is in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cryptography import x509

from attestation.cmw import Collection, Piece, encode, piece_challenges
from tests.attestation import paper
from tests.attestation.azure import paper as azure
from tests.attestation.intel import making
from tests.attestation.nitro import paper as nitro
from tests.attestation.nvidia import paper as nvidia
from tests.attestation.small_pki import distribution_point, issue, ocsp_response, revocation_list

SESSION = bytes(range(32))
PIECES = {"board": "tpm2-quote@v1", "module": "tpm2-quote@v1"}


def parts(corpus: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    """What stands under `prefix/`, without it."""
    return {name.removeprefix(f"{prefix}/"): data for name, data in corpus.items() if name.startswith(f"{prefix}/")}


def digest(corpus: Mapping[str, bytes]) -> str:
    """SHA-256 of names and contents."""
    found = hashlib.sha256()
    for name in sorted(corpus):
        found.update(f"{name} {len(corpus[name])}\n".encode() + corpus[name])
    return found.hexdigest()


def kept(path: Path) -> dict[str, bytes]:
    """The corpus in the file; made and written there if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = {name: base64.b64encode(data).decode() for name, data in make().items()}
        path.write_text(json.dumps(text, indent=1))
    return {name: base64.b64decode(text) for name, text in json.loads(path.read_text()).items()}


@cache
def make() -> Mapping[str, bytes]:
    """Everything, new."""
    found = {"tpm2/maker": paper.maker().der, "tpm2/ca": paper.attestation_ca().der}
    found |= _under("tpm2/evidence", paper.PaperTpm().members())
    found |= _under("tpm2/rsa", paper.PaperTpm(key=paper.key_pair("rsa-2048")).members())
    found["cmw/evidence/collection"] = encode(_collection())
    found |= _nvidia() | _nitro() | _azure_tdx() | _lists()
    for name, one in (("tdx", making.Paper(version=5)), ("sgx", making.Paper(tdx=False, version=3))):
        found |= {f"{name}/quote": one.quote(), **_under(f"{name}/collateral", one.files())}
    return {**found, "intel/root": making.der(making.Paper().root())}


def _under(prefix: str, content: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{prefix}/{name}": data for name, data in content.items()}


def _collection() -> Collection:
    """Two boards, each with a key of its own, without logs: nothing in it is left unbound."""
    challenges = sorted(piece_challenges(SESSION, PIECES).items())
    boards = {
        label: paper.PaperTpm(key=paper.key_pair("p256", number), extra_data=challenge, event_log=None)
        for number, (label, challenge) in enumerate(challenges)
    }
    return Collection(SESSION, {label: Piece(PIECES[label], board.members()) for label, board in boards.items()})


def _nvidia() -> dict[str, bytes]:
    one, two, switch = nvidia.device(0), nvidia.device(1), nvidia.device(2, "LS10")
    found = {"nvidia/device-root": nvidia.device_root().der, "nvidia/rim-root": nvidia.rim_root().der}
    found |= _under("nvidia/evidence", nvidia.members(one, two)) | _under("nvswitch/evidence", nvidia.members(switch))
    told = [*nvidia.responses(one), *nvidia.responses(two), *_delegated(one)]
    rims = list(nvidia.rims())
    found |= _under("nvidia/collateral", {str(index): data for index, data in enumerate([*told, *rims])})
    bios = nvidia.sign_rim(
        nvidia.rim_text("96.10.55.00.01", nvidia.golden(range(20)), edition="SWITCH", product="LS10")
    )
    told = list(nvidia.responses(switch))
    return found | _under("nvswitch/collateral", {str(index): data for index, data in enumerate([*told, bios])})


def _delegated(device: nvidia.PaperDevice) -> list[bytes]:
    """A response by a responder that the issuer has certified."""
    usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING])
    issuer = device.chain[2]
    responder = issue("responder", nvidia.AT, issuer, extensions=[(usage, False)])
    certificate = device.chain[1].certificate
    return [ocsp_response(certificate, issuer, nvidia.AT, responder=responder, certificates=[responder])]


def _nitro() -> dict[str, bytes]:
    root, middle, _ = nitro.authority()
    lists = {"root": revocation_list(root, nitro.AT), "middle": revocation_list(middle, nitro.AT)}
    found = {"nitro/root": root.der, "nitro/evidence/document": nitro.paper()}
    return found | _under("nitro/collateral", lists)


def _azure_tdx() -> dict[str, bytes]:
    vtpm = azure.members()
    runtime = azure.runtime()
    data = hashlib.sha256(runtime).digest().ljust(64, b"\0")
    platform = making.Paper(body={"report_data": data})
    found = {"quote": platform.quote(), "runtime_data": runtime}
    found |= {name: vtpm[name] for name in ("attest", "signature", "pcrs")}
    return _under("azure-tdx/evidence", found) | _under("azure-tdx/collateral", platform.files())


def _lists() -> dict[str, bytes]:
    """A revocation list with entries, and certificates with a distribution point."""
    root = issue("list root", nitro.AT, ca=True)
    revoked = [issue(f"revoked {number}", nitro.AT, root, extensions=[distribution_point()]) for number in range(12)]
    found = {"pki/crl": revocation_list(root, nitro.AT, *revoked), "pki/root": root.der}
    return found | {f"pki/leaf/{number}": one.der for number, one in enumerate(revoked[:2])}
