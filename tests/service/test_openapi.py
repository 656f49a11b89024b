# SPDX-License-Identifier: AGPL-3.0-or-later
"""The OpenAPI document is what the service does: schemathesis asks everything that it allows, and more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error, positive_data_acceptance
from schemathesis.core.failures import ServerError

from circuits import dump_circuit
from tests.attestation import paper
from tests.service.appraising import key_file
from tests.service.conftest import Clock, Service, Start
from tests.service.registrar import with_registrar
from tests.verifier.making import Making
from verifier.service import Limits


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with something in it, whose limits a few hundred questions do not reach."""
    folder = tmp_path_factory.mktemp("openapi")
    with ExitStack() as stack:
        start = Start(folder, f"sqlite:///{folder}/service.db", stack)
        limits = Limits(free_bytes=0, outstanding=1_000_000)
        extra = {"appraisal_key": key_file(folder)}
        extra |= with_registrar(start, paper.maker(), paper.attestation_ca())
        service = start(Clock(paper.AT), limits=limits, **extra)
        service.put_model(dump_circuit(Making().circuit))
        service.verify(Making().build())
        yield service


@pytest.fixture(scope="module")
def api(filled: Service) -> Any:
    return schemathesis.openapi.from_url(f"{filled.client.base_url}/openapi.json")


OPERATIONS = [
    "GET /health",
    "GET /metrics",
    "GET /v1/affidavits/{sha256}",
    "POST /v1/appraisals",
    "GET /v1/appraisals/key",
    "GET /v1/audit",
    "GET /v1/audit/head",
    "POST /v1/enrolments",
    "GET /v1/enrolments/issuer",
    "POST /v1/enrolments/{enrolment}",
    "GET /v1/models",
    "PUT /v1/models",
    "GET /v1/nodes/{key_id}",
    "POST /v1/nonces",
    "GET /v1/policies",
    "GET /v1/verifications",
    "GET /v1/verifications/{number}",
    "POST /v1/verify",
]


DEEPER = {
    "POST /v1/appraisals",  # a type must be known, and channel binding needs TLS
    "PUT /v1/models",  # must be a circuit
    "POST /v1/enrolments",  # must be keys and certificates
    "POST /v1/verify",  # a pattern cannot say which days a month has
}
"""Operations that refuse what their schema allows, for what the bytes say."""

ANYTHING = {
    "GET /v1/appraisals/key",
    "GET /health",
    "GET /metrics",
    "GET /v1/audit/head",
    "GET /v1/enrolments/issuer",
    "GET /v1/policies",
    "POST /v1/nonces",
    "PUT /v1/models",
}
"""Operations without anything that a schema could forbid."""

ASKED = [(operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
ASKED += [(operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation not in ANYTHING]


@pytest.mark.parametrize(("operation", "mode"), ASKED)
def test_the_service_keeps_to_its_document(api: Any, operation: str, mode: GenerationMode) -> None:
    """What the document allows and what it forbids: no server error, no answer that it does not declare."""
    method, path = operation.split()
    asked = api[path][method]
    excluded = [positive_data_acceptance] if operation in DEEPER else []

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=asked.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(timeout=30, excluded_checks=excluded)

    ask()


def test_the_document_names_every_path(filled: Service) -> None:
    document = filled.client.get("/openapi.json").json()
    found = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert found == set(OPERATIONS)
    for path in document["paths"].values():
        for operation in path.values():
            assert "HTTPValidationError" not in str(operation)
            assert operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("Problem")


def test_a_server_error_would_be_found(filled: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(filled.parts.database, "ping", broken)
    loaded = schemathesis.openapi.from_url(f"{filled.client.base_url}/openapi.json")
    case = loaded["/health"]["GET"].Case()
    with pytest.RaisesGroup(ServerError):
        case.call_and_validate(checks=[not_a_server_error])


def test_the_document_says_where_a_token_is_needed(start_sqlite: Start) -> None:
    token_file = start_sqlite.folder / "token"
    token_file.write_text("correct-horse-battery")
    for public_reads in (True, False):
        service = start_sqlite(token_file=token_file, public_reads=public_reads)
        paths = service.client.get("/openapi.json").json()["paths"]
        guarded = {
            f"{method.upper()} {path}" for path in paths for method in paths[path] if "security" in paths[path][method]
        }
        writes = {operation for operation in OPERATIONS if not operation.startswith("GET")}
        assert guarded == (writes if public_reads else set(OPERATIONS) - {"GET /health"})
