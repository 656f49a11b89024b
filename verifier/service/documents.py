# SPDX-License-Identifier: AGPL-3.0-or-later
"""The shapes of requests and answers, for validation and for the OpenAPI document."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

HEX32 = r"^[0-9a-f]{64}$"
MAX_ID = (1 << 63) - 1
MAX_BASE64 = 65_536

Hex32 = Annotated[str, Field(pattern=HEX32, examples=["00" * 32])]
VerdictName = Literal["ACCEPT", "REJECT", "UNVERIFIABLE", "MALFORMED"]


def canonical_base64(text: str) -> str:
    """The text as it is; raises `ValueError` where it is not the one base64 of its bytes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64 (RFC 4648, section 4, with padding)") from None
    if base64.b64encode(raw).decode() != text:
        raise ValueError("expected canonical base64")
    return text


# The pattern says to readers of the OpenAPI document what `canonical_base64` enforces.
Base64 = Annotated[
    str,
    Field(
        max_length=MAX_BASE64,
        pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
        examples=["AAAA"],
    ),
    AfterValidator(canonical_base64),
]


class Document(BaseModel):
    """Exact keys, no coercion."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(Document):
    """Why a request was not carried out."""

    code: str
    message: str
    remedy: str


class Check(Document):
    """One line of a verdict; SKIP never counts as PASS."""

    id: str
    result: Literal["PASS", "FAIL", "SKIP"]
    observed: str
    required: str
    code: str
    method: str
    bits: int | None
    remedy: str


class Layer(Document):
    name: str
    reached: bool
    rests_on: list[str]
    bits: int | None


class GateAssurance(Document):
    name: str
    kind: str
    assurance: str


class Ledger(Document):
    layers: list[Layer]
    gates: list[GateAssurance]


class Component(Document):
    name: str
    weight: int
    passed: int
    total: int
    points: int


class Score(Document):
    value: str
    permille: int
    components: list[Component]


class Claims(Document):
    """What the file says of itself."""

    receipt: dict[str, Any] | None
    evidence: list[dict[str, Any]]


class Tensor(Document):
    """`values` as nested lists, or `sha256` of the elements in C order, little-endian."""

    dtype: str
    shape: list[int]
    values: list[Any] | None = None
    sha256: str | None = None


class Record(Document):
    """One verification as it is stored and logged. `node` counts as a fact only where `signed` is true."""

    id: int
    recorded_at: str
    asked_at: str
    affidavit: Hex32
    report: Hex32
    receipt: Hex32 | None
    node: Hex32 | None
    signed: bool
    circuit: Hex32 | None
    nonce: Hex32 | None
    verdict: VerdictName
    code: str
    score_permille: int
    policy: Hex32
    version: str
    reuse_of: int | None


class Finding(Document):
    """Something that only the service's memory shows."""

    code: str
    message: str
    remedy: str
    verification: int


class Head(Document):
    """The end of the audit log; remember it to notice later changes."""

    seq: int
    digest: Hex32


class Report(Document):
    """The core's report (the shape of `affidavit verify --json`) with what the service adds."""

    format: Literal["verdict@v1"]
    at: str
    verdict: VerdictName
    exit_code: int
    code: str
    message: str
    remedy: str
    checks: list[Check]
    ledger: Ledger
    score: Score
    claims: Claims
    answer: dict[str, Tensor] | None
    record: Record
    findings: list[Finding]


class Verified(Report):
    """A verdict just recorded."""

    audit: Head


class Records(Document):
    """Newest first. `next` goes into `cursor` for the following page; null at the end."""

    verifications: list[Record]
    next: int | None


class Node(Document):
    """Facts about a node's key; counts of distinct receipts. Not a reputation."""

    key_id: Hex32
    first_seen: str
    last_seen: str
    verifications: int
    receipts: int
    receipts_by_verdict: dict[str, int]
    nonces_reused: int
    mean_score_permille: int


class Model(Document):
    """A circuit that the service holds."""

    circuit: Hex32
    weights: Hex32
    file: Hex32
    size: int
    gates: int
    profile: str
    added_at: str


class Models(Document):
    models: list[Model]
    next: Hex32 | None


class Policy(Document):
    """A policy that the service was started with."""

    id: Hex32
    name: str
    profile: str
    assurance: list[str]


class Policies(Document):
    """The first one is the default."""

    policies: list[Policy]


class Nonce(Document):
    """A nonce to send with a request; good for one verification."""

    nonce: Hex32
    expires: str


class Entry(Document):
    """`entry` is canonical JSON as text; docs/service.md says how `digest` follows from it."""

    seq: int
    kind: str
    entry: str
    previous: Hex32
    digest: Hex32


class Log(Document):
    entries: list[Entry]
    head: Head


class EnrolmentRequest(Document):
    """DER and TPM structures in base64: EK certificate, its chain (concatenated), the AK's TPMT_PUBLIC."""

    ek_certificate: Base64
    ak_public: Base64
    ek_chain: Base64 = ""


class EnrolmentChallenge(Document):
    """For TPM2_ActivateCredential: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET in base64."""

    id: Hex32
    credential_blob: str
    encrypted_secret: str
    expires: str


class EnrolmentAnswer(Document):
    """The activated secret in base64."""

    secret: Base64


class Certificate(Document):
    """X.509 as DER in base64 and as PEM."""

    der: str
    pem: str


class Health(Document):
    status: Literal["ok"]
    version: str
    schema_version: int
    enrolment: bool
