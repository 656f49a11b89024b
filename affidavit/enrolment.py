# SPDX-License-Identifier: AGPL-3.0-or-later
"""Enrolling a TPM with a verifying service: two requests, and the AK has a certificate."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

import httpx

from affidavit.errors import MalformedError as ClientMalformed
from affidavit.transport import checked_url
from attestation.errors import EvidenceError
from attestation.tpm2.certificates import load_certificate
from attestation.tpm2.credential import Credential
from attestation.tpm2.producer import Tpm2Producer
from attestation.tpm2.public import parse_public
from verifier.errors import MalformedError, OperationalError, RejectedError

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 1 << 16


def enrol(
    producer: Tpm2Producer,
    url: str,
    *,
    token: str | None = None,
    transport: httpx.BaseTransport | None = None,
) -> bytes:
    """The AK certificate (DER) that the service at ``url`` issues after credential activation.

    Raises:
        OperationalError: ``enrolment.unreachable``.
        RejectedError: ``enrolment.refused``, with the service's own code and message.
        MalformedError: ``enrolment.answer.malformed``, also for a certificate of another key; ``client.url.malformed``,
            ``client.token.malformed``.
    """
    if token is not None and not (token.isascii() and token.isprintable()):
        raise ClientMalformed("client.token.malformed", "a bearer token of printable ASCII characters required")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    enrolment = producer.enrolment()
    with httpx.Client(
        base_url=checked_url(url, "a service"),
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        transport=transport,
        trust_env=False,
    ) as http:
        challenge = _post(
            http,
            "/v1/enrolments",
            {
                "ek_certificate": _encode(enrolment.ek_certificate),
                "ek_chain": _encode(enrolment.ek_chain),
                "ak_public": _encode(enrolment.ak_public),
            },
        )
        credential = Credential(
            blob=_decode(challenge, "credential_blob"),
            encrypted_secret=_decode(challenge, "encrypted_secret"),
        )
        secret = producer.activate(credential)
        answer = _post(http, f"/v1/enrolments/{_identifier(challenge)}", {"secret": _encode(secret)})
    certificate = _decode(answer, "der")
    if not certifies(certificate, enrolment.ak_public):
        raise MalformedError("enrolment.answer.malformed", "the service certified something else than this TPM's key")
    return certificate


def certifies(certificate: bytes, ak_public: bytes) -> bool:
    """Whether a certificate (DER) is of the key of this public area; nothing is said of its issuer."""
    try:
        return load_certificate(certificate).public_key() == parse_public(ak_public).key()
    except (EvidenceError, ValueError):
        return False


def _identifier(challenge: dict[str, Any]) -> str:
    found = challenge.get("id")
    if not isinstance(found, str) or not re.fullmatch(r"[0-9a-f]{1,64}", found):
        raise MalformedError("enrolment.answer.malformed", "the service's answer has no enrolment id")
    return found


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decode(answer: dict[str, Any], key: str) -> bytes:
    try:
        return base64.b64decode(answer[key], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError):
        raise MalformedError("enrolment.answer.malformed", f"the service's answer has no base64 {key!r}") from None


def _post(http: httpx.Client, path: str, body: dict[str, str]) -> dict[str, Any]:
    content = b""
    try:
        with http.stream("POST", path, json=body) as response:
            for part in response.iter_bytes():
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    raise MalformedError("enrolment.answer.malformed", f"more than {MAX_ANSWER_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OperationalError(
            "enrolment.unreachable", f"{http.base_url}: {error}", remedy="check the verifier's URL"
        ) from None
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise MalformedError("enrolment.answer.malformed", f"status {response.status_code} without a JSON object")
    if response.is_error:
        raise RejectedError(
            "enrolment.refused",
            f"{answer.get('code', response.status_code)}: {answer.get('message', 'no reason given')}",
            remedy=str(answer.get("remedy", "")),
        )
    return answer
