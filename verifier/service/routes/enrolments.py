# SPDX-License-Identifier: AGPL-3.0-or-later
"""Enrolling TPMs: a challenge that only the EK's TPM can answer, then a certificate for its AK."""

from __future__ import annotations

import base64
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Path
from fastapi.responses import Response

from attestation.tpm2.registrar import Enrolment
from verifier.service.documents import (
    HEX32,
    Certificate,
    EnrolmentAnswer,
    EnrolmentChallenge,
    EnrolmentRequest,
)
from verifier.service.enrolment import Enrolments
from verifier.service.errors import Refusal
from verifier.service.routes.answers import answers, json_answer, reading, writing
from verifier.service.startup import Parts
from verifier.service.times import to_text, to_ticks


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _certificate(der: bytes) -> dict[str, str]:
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    return {"der": _base64(der), "pem": pem.decode()}


def make_router(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["enrolment"])

    def enabled() -> Enrolments:
        if parts.enrolments is None:
            raise Refusal(
                404,
                "service.enrolment.disabled",
                "this service has no attestation CA",
                remedy="start it with a registrar key and certificate",
            )
        return parts.enrolments

    @router.get(
        "/v1/enrolments/issuer",
        summary="The CA certificate, for policies to list in ak_issuers",
        dependencies=reading(parts),
        responses=answers(Certificate, 401, 404),
    )
    def issuer() -> Response:
        return json_answer(_certificate(enabled().registrar.certificate))

    @router.post(
        "/v1/enrolments",
        status_code=201,
        summary="Ask for a challenge",
        dependencies=writing(parts),
        responses=answers(EnrolmentChallenge, 401, 403, 404, 408, status=201),
    )
    def start(body: EnrolmentRequest) -> Response:
        """The EK certificate must lead to one of the default policy's `ek_roots`."""
        enrolment = Enrolment(
            ak_public=base64.b64decode(body.ak_public),
            ek_certificate=base64.b64decode(body.ek_certificate),
            ek_chain=base64.b64decode(body.ek_chain),
        )
        challenge = enabled().start(enrolment, parts.clock())
        return json_answer(
            {
                "id": challenge.id,
                "credential_blob": _base64(challenge.credential.blob),
                "encrypted_secret": _base64(challenge.credential.encrypted_secret),
                "expires": to_text(to_ticks(challenge.expires)),
            },
            201,
        )

    @router.post(
        "/v1/enrolments/{enrolment}",
        summary="Answer the challenge, get the AK certificate",
        dependencies=writing(parts),
        responses=answers(Certificate, 401, 403, 404, 408, 409, 410),
    )
    def finish(enrolment: Annotated[str, Path(pattern=HEX32)], body: EnrolmentAnswer) -> Response:
        """A challenge takes one answer, right or wrong."""
        return json_answer(_certificate(enabled().finish(enrolment, base64.b64decode(body.secret), parts.clock())))

    return router
