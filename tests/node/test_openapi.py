# SPDX-License-Identifier: AGPL-3.0-or-later
"""What OpenAPI says is what is sent: schemathesis over the application, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from circuits import dump_circuit
from node import Node
from node.serve import running
from node.settings import Settings
from tests.node.making import small_circuit

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    Node(folder).models.put(dump_circuit(small_circuit()), name="small")
    with running(Settings(folder, threads=1, queue=10_000), None) as application:
        yield application


@pytest.fixture(scope="module")
def api_schema(application: Any) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", application)


OPERATIONS = [
    ("POST", "/v1/inferences"),
    ("POST", "/v1/uploads"),
    *(("GET", path) for path in ("/v1/inferences/{id}", "/v1/inferences/{id}/affidavit")),
    *(("GET", path) for path in ("/v1/inferences/{id}/sealed-answer", "/v1/keys", "/v1/models")),
    *(("GET", path) for path in ("/v1/models/{digest}", "/v1/models/{digest}/outline", "/metrics", "/health")),
    ("GET", "/v1/models/{digest}/tenseal"),
]


POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
WITHOUT_PARAMETERS = {"/v1/models", "/v1/uploads", "/metrics", "/health"}  # nothing about these can be wrong
CASES = [(method, path, POSITIVE) for method, path in OPERATIONS]
CASES += [(method, path, NEGATIVE) for method, path in OPERATIONS if path not in WITHOUT_PARAMETERS]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_every_operation_keeps_its_word(api_schema: Any, method: str, path: str, mode: GenerationMode) -> None:
    cases = api_schema[path][method].as_strategy(generation_mode=mode)

    @hypothesis.settings(
        max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @hypothesis.given(case=cases)
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    check()


def test_the_document_names_every_route_and_nothing_that_is_not_sent(api_schema: Any) -> None:
    document = api_schema.raw_schema
    stated = [(method.upper(), path) for path, operations in document["paths"].items() for method in operations]
    assert sorted(stated) == sorted(OPERATIONS)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "422" not in operation["responses"]
            for status, response in operation["responses"].items():
                (content,) = response["content"].values()
                if not status.startswith("2"):
                    assert content["schema"]["$ref"].endswith("/ErrorBody"), (path, status)
