# SPDX-License-Identifier: AGPL-3.0-or-later
"""A service over each database, with a clock that tests turn, and affidavits to show it."""

from __future__ import annotations

import importlib.util
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy
from fastapi import FastAPI

from tests.conftest import missing
from tests.service import cluster
from tests.service.running import running
from tests.verifier.making import AT, NODE, Making, public
from verifier.service import Limits, Settings, create_app

POLICY = """
format = "policy@v1"
name = "service test"
profile = "production"

[require]
assurance = ["signed", "rechecked"]
input = false

[keys]
nodes = ["{node}"]
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL: the one that the environment names, else one of our own."""
    if importlib.util.find_spec("psycopg") is None:
        missing("the driver psycopg", "make setup-dev")
    named = os.environ.get("AFFIDAVIT_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    found = cluster.binaries()
    if found is None:
        missing("PostgreSQL", "apt-get install postgresql, or set AFFIDAVIT_TEST_POSTGRES_URL")
        raise AssertionError("unreachable")
    with cluster.running(found) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind; on PostgreSQL a schema of its own, dropped afterwards."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/service.db"
        return
    url = sqlalchemy.make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
    name = f"test_{secrets.token_hex(8)}"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA {name}"))
    options = url.update_query_dict({"options": f"-csearch_path={name}"})
    yield options.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@dataclass
class Clock:
    """A clock that stands still until it is turned."""

    at: datetime = AT

    def __call__(self) -> datetime:
        return self.at

    def turn(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Service:
    """A running service, over HTTP and from inside."""

    app: FastAPI
    client: httpx.Client
    clock: Clock
    settings: Settings

    @property
    def parts(self) -> Any:
        return self.app.state.parts

    def verify(self, affidavit: bytes, **query: Any) -> Any:
        """POST /v1/verify; the response."""
        headers = {"content-type": "application/octet-stream"}
        return self.client.post("/v1/verify", content=affidavit, params=query, headers=headers)

    def put_model(self, file: bytes) -> Any:
        headers = {"content-type": "application/octet-stream"}
        return self.client.put("/v1/models", content=file, headers=headers)


@dataclass
class Start:
    """Starts services that are stopped when the test ends."""

    folder: Path
    url: str
    stack: ExitStack
    policy: Path = field(init=False)

    def __post_init__(self) -> None:
        self.policy = self.folder / "policy.toml"
        self.policy.write_text(POLICY.format(node=public(NODE).hex()))

    def settings(self, **changes: Any) -> Settings:
        chosen: dict[str, Any] = {
            "database": self.url,
            "blobs": self.folder / "blobs",
            "policies": (self.policy,),
            "limits": Limits(free_bytes=0),
        }
        return Settings(**chosen | changes)

    def __call__(self, clock: Clock | None = None, **changes: Any) -> Service:
        settings, clock = self.settings(**changes), clock or Clock()
        app = create_app(settings, clock=clock)
        url = self.stack.enter_context(running(app, settings))
        # Over TLS these tests bring clients of their own, which believe somebody.
        client = self.stack.enter_context(httpx.Client(base_url=url, timeout=60, trust_env=False))
        return Service(app, client, clock, settings)


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Start]:
    with ExitStack() as stack:
        yield Start(tmp_path, database_url, stack)


@pytest.fixture
def start_sqlite(tmp_path: Path) -> Iterator[Start]:
    """For what has nothing to do with the database."""
    with ExitStack() as stack:
        yield Start(tmp_path, f"sqlite:///{tmp_path}/service.db", stack)


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    return start()


@pytest.fixture(scope="session")
def honest() -> Making:
    return Making()


@pytest.fixture(scope="session")
def affidavit(honest: Making) -> bytes:
    """An honest affidavit that carries its circuit, input, output and trace."""
    return honest.build()
