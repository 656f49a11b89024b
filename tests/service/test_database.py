# SPDX-License-Identifier: AGPL-3.0-or-later
"""Schema and its version, what a database may be, and that what was answered survives a killed process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert, text

from tests.service.conftest import Start
from tests.verifier.making import AT
from verifier.errors import OperationalError
from verifier.service import Database, FolderBlobs, verify_chain
from verifier.service.schema import SCHEMA_VERSION, schema_version

ROOT = Path(__file__).resolve().parents[2]


def test_a_schema_is_made_once_and_recognised(database_url: str) -> None:
    database = Database(database_url)
    database.migrate(AT)
    database.migrate(AT)
    with database.read() as connection:
        versions = connection.execute(text("SELECT version FROM schema_version")).scalars().all()
    assert versions == [SCHEMA_VERSION]
    database.close()


def test_services_that_start_together_make_one_schema(database_url: str) -> None:
    faults: list[Exception] = []

    def migrate() -> None:
        database = Database(database_url)
        try:
            database.migrate(AT)
        except OperationalError as error:
            faults.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_newer_schema_is_refused(database_url: str) -> None:
    database = Database(database_url)
    database.migrate(AT)
    with database.write() as connection:
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION + 1, applied_at=0))
    with pytest.raises(OperationalError) as refusal:
        database.migrate(AT)
    assert refusal.value.code == "service.schema.newer" and refusal.value.remedy
    database.close()


def test_somebody_elses_tables_are_refused(database_url: str) -> None:
    database = Database(database_url)
    with database._engine.begin() as connection:
        connection.execute(text("CREATE TABLE models (name TEXT)"))
    with pytest.raises(OperationalError) as refusal:
        database.migrate(AT)
    assert refusal.value.code == "service.schema.unknown"
    database.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x", "nonsense", "", "http://x", "oracle://x"]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(OperationalError) as refusal:
        Database(url)
    assert refusal.value.code == "service.database.unsupported"


def test_a_database_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    urls = (f"sqlite:///{tmp_path}/absent/x.db", f"postgresql://nobody:secret@/x?host={tmp_path}")
    for url in urls:
        database = Database(url)
        with pytest.raises(OperationalError) as refusal:
            database.migrate(AT)
        assert refusal.value.code == "service.database.unavailable" and "secret" not in str(refusal.value)
        database.close()


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(OperationalError) as refusal:
        database.migrate(AT)
    assert refusal.value.code == "service.database.unavailable"
    database.close()


def test_sqlite_is_set_up_to_keep_what_it_has(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    database.close()
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 10_000}


SERVER = """
import socket, sys
from pathlib import Path
import uvicorn
from verifier.service import Limits, Settings, create_app
from verifier.service.server import OPTIONS
url, blobs = sys.argv[1:]
settings = Settings(database=url, blobs=Path(blobs), limits=Limits(free_bytes=0))
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(create_app(settings), **OPTIONS)).run(sockets=[listening])
"""


def test_nothing_that_was_answered_is_lost_by_a_killed_process(tmp_path: Path, database_url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, database_url, str(tmp_path / "blobs")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    answered: dict[int, str] = {}
    try:
        port = int(process.stdout.readline())
        headers = {"content-type": "application/octet-stream"}
        stop = threading.Event()

        def ask(name: str) -> None:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
                for count in range(100_000):
                    try:
                        answer = client.post("/v1/verify", content=f"{name} {count}", headers=headers)
                    except httpx.HTTPError:
                        if stop.is_set():
                            return
                        continue
                    if answer.status_code == 200:
                        record = answer.json()["record"]
                        answered[record["id"]] = record["affidavit"]

        threads = [threading.Thread(target=ask, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60
        while len(answered) < 30 and time.monotonic() < end:
            time.sleep(0.01)
        stop.set()
        process.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join(60)
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()
    assert len(answered) >= 30
    database = Database(database_url)
    head = verify_chain(database, FolderBlobs(tmp_path / "blobs"))
    with database.read() as connection:
        rows = connection.execute(text("SELECT id, affidavit FROM verifications"))
        kept = {row.id: row.affidavit for row in rows}
    database.close()
    assert head.seq == len(kept)
    assert {number: kept.get(number) for number in answered} == answered


def test_a_service_goes_on_where_it_was_stopped(start: Start, affidavit: bytes) -> None:
    first = start()
    given = first.verify(affidavit).json()
    second = start()
    assert second.client.get("/v1/verifications/1").json()["record"] == given["record"]
    assert second.verify(affidavit).json()["record"]["id"] == 2
    assert first.verify(affidavit).json()["audit"]["seq"] == 3  # two services may share one database
    assert verify_chain(second.parts.database, second.parts.blobs).seq == 3
