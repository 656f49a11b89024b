# SPDX-License-Identifier: AGPL-3.0-or-later
"""in-toto Statement v1: the outermost layer of everything that gets signed.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verifier import strict_json
from verifier.errors import MalformedError
from verifier.fields import Fields

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
CODE = "affidavit.statement.malformed"


@dataclass(frozen=True)
class Statement:
    """One subject and what is said of it.

    Attributes:
        subject_name: what the digest is of (``output``, ``affidavit``).
        subject: SHA-256, 32 bytes.
        predicate_type: URI that names the grammar of ``predicate``.
        predicate: the decoded predicate, still untyped.
    """

    subject_name: str
    subject: bytes
    predicate_type: str
    predicate: dict[str, Any]

    def encode(self) -> bytes:
        """Bytes to be signed. Only the signer ever calls this; readers keep what they received."""
        return strict_json.dumps(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": self.subject_name, "digest": {"sha256": self.subject.hex()}}],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


def parse_statement(payload: bytes, name: str) -> Statement:
    """Decode a payload with exactly one subject and exactly a SHA-256 digest."""
    fields = Fields.of(strict_json.loads(payload, code=CODE, what=name), name, CODE)
    fields.exactly({"_type", "subject", "predicateType", "predicate"})
    if fields.value["_type"] != STATEMENT_TYPE:
        raise fields.fail("_type", STATEMENT_TYPE)

    def subject(value: Any, path: str) -> tuple[str, bytes]:
        entry = Fields.of(value, path, CODE)
        entry.exactly({"name", "digest"})
        digests = entry.object("digest")
        digests.exactly({"sha256"})
        return entry.text("name"), digests.digest("sha256")

    subjects = fields.list("subject", subject, limit=1)
    if len(subjects) != 1:
        raise MalformedError(CODE, f"{name}.subject: expected exactly one subject")
    return Statement(subjects[0][0], subjects[0][1], fields.text("predicateType"), fields.object("predicate").value)
