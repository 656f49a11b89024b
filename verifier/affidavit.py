# SPDX-License-Identifier: AGPL-3.0-or-later
"""The affidavit as a value: parsed, digest-checked, nothing believed yet (``affidavit@v1``, section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier import strict_json
from verifier.container import MAX_FILE_BYTES, read_container, write_container
from verifier.dsse import IN_TOTO, Envelope, parse_envelope
from verifier.errors import MalformedError, RejectedError
from verifier.fields import Fields
from verifier.receipt import RECEIPT_TYPE, Receipt, parse_receipt
from verifier.recheck import RECHECK_TYPE, RecheckStatement, parse_recheck
from verifier.statement import parse_statement

FORMAT = "affidavit@v1"
ROLES = ("circuit", "input", "keys", "outline", "output", "trace")
MAX_ENVELOPES = 32
_MANIFEST = "manifest.json"
_RECEIPT = "envelopes/receipt.dsse.json"
_BLOBS = "blobs/sha256/"


@dataclass(frozen=True)
class Affidavit:
    """One file, taken apart.

    Attributes:
        receipt_envelope, receipt: what the node signed, as bytes and parsed.
        rechecks: other parties' findings, by member name.
        unknown: names of envelopes whose predicate this version does not know.
        roles: which blob is offered as ``circuit``, ``input``, ``keys``, ``outline``, ``output``, ``trace`` (SHA-256
        each); in an encrypted execution input and output are ciphertexts.
        blobs: content by SHA-256; each was hashed on reading.
        envelopes: every envelope's bytes by member name.
    """

    receipt_envelope: Envelope
    receipt: Receipt
    rechecks: Mapping[str, tuple[Envelope, RecheckStatement]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    roles: Mapping[str, bytes] = field(default_factory=dict)
    blobs: Mapping[bytes, bytes] = field(default_factory=dict)
    envelopes: Mapping[str, bytes] = field(default_factory=dict)

    def blob(self, role: str) -> bytes | None:
        """Content offered for ``role``, if any."""
        digest = self.roles.get(role)
        return None if digest is None else self.blobs.get(digest)


def write_affidavit(
    envelopes: Mapping[str, Envelope],
    roles: Mapping[str, bytes],
    attachments: Mapping[str, bytes] | None = None,
) -> bytes:
    """Assemble the file.

    Args:
        envelopes: by short name (``receipt``, ``recheck-1a2b``).
        roles: content by role, see :data:`ROLES`.
        attachments: further blobs (evidence parts) by any label; only the content is stored.

    Raises:
        MalformedError: unknown role or a limit exceeded.
    """
    unknown = sorted(roles.keys() - set(ROLES))
    if unknown:
        raise MalformedError("affidavit.manifest.malformed", f"unknown roles {unknown}")
    members = {f"envelopes/{name}.dsse.json": envelope.encode() for name, envelope in envelopes.items()}
    for content in (*roles.values(), *(attachments or {}).values()):
        members[_BLOBS + hashlib.sha256(content).hexdigest()] = content
    return _assemble(members, {role: hashlib.sha256(content).digest() for role, content in roles.items()})


def add_envelope(affidavit: Affidavit, name: str, envelope: Envelope) -> bytes:
    """A copy of the file with one more envelope; everything already there stays byte for byte."""
    members = {**affidavit.envelopes, f"envelopes/{name}.dsse.json": envelope.encode()}
    members |= {_BLOBS + digest.hex(): content for digest, content in affidavit.blobs.items()}
    return _assemble(members, affidavit.roles)


def _assemble(members: Mapping[str, bytes], roles: Mapping[str, bytes]) -> bytes:
    manifest = {
        "format": FORMAT,
        "members": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in members.items()
        },
        "roles": {role: digest.hex() for role, digest in roles.items()},
    }
    return write_container({**members, _MANIFEST: strict_json.dumps(manifest)})


def _check_manifest(members: Mapping[str, bytes]) -> dict[str, bytes]:
    code = "affidavit.manifest.malformed"
    if _MANIFEST not in members:
        raise MalformedError("affidavit.manifest.missing", "the file has no manifest.json")
    raw = members[_MANIFEST]
    fields = Fields.of(strict_json.loads(raw, code=code, what=_MANIFEST), "manifest", code)
    if fields.value.get("format") != FORMAT:
        raise MalformedError(
            "affidavit.version.unknown",
            f"format {str(fields.value.get('format'))[:40]!r}, this reader knows {FORMAT}",
        )
    fields.exactly({"format", "members", "roles"})
    if strict_json.dumps(fields.value) != raw:
        raise MalformedError(code, "manifest.json is not in the canonical form")
    listed = fields.object("members")
    if listed.value.keys() != members.keys() - {_MANIFEST}:
        odd = sorted(listed.value.keys() ^ (members.keys() - {_MANIFEST}))
        raise MalformedError("affidavit.manifest.members-differ", f"manifest and file differ on {odd[:3]}")
    for name in listed.value:
        entry = listed.object(name)
        entry.exactly({"sha256", "size"})
        size = entry.integer("size", 0, MAX_FILE_BYTES)
        digest = hashlib.sha256(members[name]).digest()
        named = bytes.fromhex(name[len(_BLOBS) :]) if name.startswith(_BLOBS) else digest
        if not digest == entry.digest("sha256") == named or size != len(members[name]):
            raise RejectedError(
                "affidavit.member.digest-mismatch",
                f"{name} does not have the digest under which it is listed",
            )
    roles = fields.object("roles")
    unknown = sorted(roles.value.keys() - set(ROLES))
    if unknown:
        raise MalformedError(code, f"manifest.roles: unknown {[key[:40] for key in unknown]}")
    return {role: roles.digest(role) for role in roles.value}


def read_affidavit(data: bytes) -> Affidavit:
    """Take a file apart; linear in its size.

    Raises:
        MalformedError: grammar or limits.
        RejectedError: ``affidavit.member.digest-mismatch`` when a member's content is not what it is
        listed as.
    """
    members = read_container(data)
    roles = _check_manifest(members)
    envelopes = {name: content for name, content in members.items() if name.startswith("envelopes/")}
    blobs = {bytes.fromhex(n[len(_BLOBS) :]): content for n, content in members.items() if n.startswith(_BLOBS)}
    if _RECEIPT not in envelopes:
        raise MalformedError("affidavit.receipt.missing", f"the file has no {_RECEIPT}")
    if len(envelopes) > MAX_ENVELOPES:
        raise MalformedError("affidavit.manifest.malformed", f"more than {MAX_ENVELOPES} envelopes")
    for role, digest in roles.items():
        if digest not in blobs:
            raise MalformedError("affidavit.manifest.members-differ", f"role {role} names a blob that is not there")
    receipt: tuple[Envelope, Receipt] | None = None
    rechecks: dict[str, tuple[Envelope, RecheckStatement]] = {}
    unknown: list[str] = []
    for name, content in envelopes.items():
        envelope = parse_envelope(content, name)
        if envelope.payload_type != IN_TOTO:
            unknown.append(name)
            continue
        statement = parse_statement(envelope.payload, name)
        if name == _RECEIPT:
            if statement.predicate_type != RECEIPT_TYPE:
                raise MalformedError(
                    "receipt.version.unknown",
                    f"{name}: predicate type {statement.predicate_type[:60]!r}, this reader knows {RECEIPT_TYPE}",
                )
            receipt = (envelope, parse_receipt(statement))
        elif statement.predicate_type == RECHECK_TYPE:
            rechecks[name] = (envelope, parse_recheck(statement))
        else:
            unknown.append(name)
    if receipt is None:
        raise MalformedError("affidavit.envelope.malformed", f"{_RECEIPT} is not an in-toto statement")
    _refuse_unreferenced(receipt[1], roles, blobs)
    return Affidavit(receipt[0], receipt[1], rechecks, tuple(unknown), roles, blobs, envelopes)


def _refuse_unreferenced(receipt: Receipt, roles: Mapping[str, bytes], blobs: Mapping[bytes, bytes]) -> None:
    referenced = set(roles.values()) | {digest for item in receipt.evidence for digest in item.members.values()}
    referenced |= {receipt.proof.digest} if receipt.proof else set()
    stray = sorted(blobs.keys() - referenced)
    if stray:
        raise MalformedError("affidavit.blob.unreferenced", f"nothing names blob {stray[0].hex()}")
