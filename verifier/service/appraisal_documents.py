# SPDX-License-Identifier: AGPL-3.0-or-later
"""The shapes of questions about evidence and of what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from verifier.service.documents import Document, Head, Hex32, VerdictName, canonical_base64

MAX_EVIDENCE_BASE64 = 6 << 20
EvidenceBase64 = Annotated[
    str, Field(min_length=1, max_length=MAX_EVIDENCE_BASE64, examples=["AAAA"]), AfterValidator(canonical_base64)
]


class AppraisalRequest(Document):
    """Evidence as its source gives it, what others say about it, and what it must be bound to.

    `type` is a format's short name or type id; `policy` the id of one of the service's. With `channel_binding` the
    evidence must be bound to the nonce and to the TLS connection over which it is sent (channel@v1).
    """

    type: Annotated[str, Field(min_length=1, max_length=80, examples=["snp"])]
    evidence: EvidenceBase64
    collateral: Annotated[list[EvidenceBase64], Field(max_length=256)] = Field(default_factory=list)
    nonce: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){1,64}$", max_length=128)] | None = None
    policy: Hex32 | None = None
    channel_binding: Literal["tls-exporter"] | None = None


class AppraisalCheck(Document):
    """One line of an appraisal."""

    id: str
    result: Literal["PASS", "FAIL", "SKIP"]
    observed: str
    required: str
    code: str
    bits: int | None
    demanded: bool
    category: str
    warning: bool


class AppraisalComponent(Document):
    name: str
    weight: float
    points: float
    reason: str


class AppraisalRecord(Document):
    """One appraisal as it is stored and logged. `body`: SHA-256 of what the evidence signs, where that was fresh."""

    id: int
    recorded_at: str
    type: str
    evidence: Hex32
    body: Hex32 | None
    nonce: str | None
    verdict: VerdictName
    code: str
    status: str
    score_permille: int
    policy: Hex32
    version: str


class Appraised(Document):
    """The judgement (the shape of `affidavit appraise --json`), the signed result, and the record."""

    format: Literal["appraisal@v1"]
    type: str
    at: str
    policy: str
    verdict: VerdictName
    exit_code: int
    code: str
    message: str
    remedy: str
    status: Literal["affirming", "warning", "contraindicated", "none"]
    trustworthiness: dict[str, str]
    checks: list[AppraisalCheck]
    claims: dict[str, Any]
    score: float
    score_components: list[AppraisalComponent]
    score_reason: str
    simulated: bool
    expires: str | None
    ear: dict[str, Any] | None
    ear_token: Annotated[str | None, Field(description="a JWT, or a CWT in base64")]
    channel_binding: Annotated[
        Literal["tls-exporter"] | None, Field(description="what the challenge was bound to besides the nonce")
    ]
    record: AppraisalRecord
    audit: Head


class Jwk(Document):
    """A public key (RFC 7517)."""

    kty: str
    crv: str
    x: str
    y: str | None = None
    alg: str
    use: str
