# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings from the environment, the files they name, blobs in a folder, times as integers."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.conftest import Start
from verifier.errors import OperationalError
from verifier.service import FolderBlobs, Limits, Settings
from verifier.service.times import to_text, to_ticks


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({"PATH": "/bin", "AFFIDAVIT_OTHER": "1"}) == Settings()


def test_every_setting_can_come_from_the_environment() -> None:
    settings = Settings.from_environment(
        {
            "AFFIDAVIT_VERIFIER_DATABASE": "postgresql://x/y",
            "AFFIDAVIT_VERIFIER_BLOBS": "b",
            "AFFIDAVIT_VERIFIER_POLICIES": f"one.toml{os.pathsep}two.toml",
            "AFFIDAVIT_VERIFIER_HOST": "0.0.0.0",  # noqa: S104  nothing listens here
            "AFFIDAVIT_VERIFIER_PORT": "99",
            "AFFIDAVIT_VERIFIER_TOKEN_FILE": "t",
            "AFFIDAVIT_VERIFIER_PUBLIC_READS": "no",
            "AFFIDAVIT_VERIFIER_REGISTRAR_KEY": "k",
            "AFFIDAVIT_VERIFIER_REGISTRAR_CERTIFICATE": "c",
            "AFFIDAVIT_VERIFIER_TLS_CERTIFICATE": "tc",
            "AFFIDAVIT_VERIFIER_TLS_KEY": "tk",
            "AFFIDAVIT_VERIFIER_LIMIT_CONCURRENCY": "9",
        }
    )
    assert settings == Settings(
        database="postgresql://x/y",
        blobs=Path("b"),
        policies=(Path("one.toml"), Path("two.toml")),
        host="0.0.0.0",  # noqa: S104
        port=99,
        token_file=Path("t"),
        public_reads=False,
        registrar_key=Path("k"),
        registrar_certificate=Path("c"),
        tls_certificate=Path("tc"),
        tls_key=Path("tk"),
        limits=Limits(concurrency=9),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("PORT", "-1"),
        ("LIMIT_CONCURRENCY", "0"),
        ("LIMIT_CONCURRENCY", ""),
        ("LIMIT_NOTHING", "1"),
        ("LIMITS", "1"),
        ("PUBLIC_READS", "true"),
        ("POLICY", "x.toml"),
    ],
)
def test_what_is_wrong_is_refused(name: str, value: str) -> None:
    with pytest.raises(OperationalError) as refusal:
        Settings.from_environment({f"AFFIDAVIT_VERIFIER_{name}": value})
    assert refusal.value.code == "service.settings.malformed"


def test_files_that_are_not_there_are_said_so(start_sqlite: Start, tmp_path: Path) -> None:
    for changes in ({"policies": (tmp_path / "absent.toml",)}, {"token_file": tmp_path / "absent"}):
        with pytest.raises(OperationalError) as refusal:
            start_sqlite(**changes)
        assert refusal.value.code == "service.settings.unreadable"


def test_a_bad_policy_keeps_its_code(start_sqlite: Start) -> None:
    start_sqlite.policy.write_text("format = 'policy@v9'")
    with pytest.raises(OperationalError) as refusal:
        start_sqlite()
    assert refusal.value.code == "policy.version.unknown"


def test_without_a_policy_the_built_in_one_trusts_nobody(start_sqlite: Start, affidavit: bytes) -> None:
    service = start_sqlite(policies=())
    listed = service.client.get("/v1/policies").json()["policies"]
    assert [(policy["id"], policy["name"]) for policy in listed] == [("00" * 32, "default")]
    assert service.verify(affidavit).json()["verdict"] == "UNVERIFIABLE"


def test_the_first_policy_is_the_default_one(start_sqlite: Start, tmp_path: Path) -> None:
    second = tmp_path / "second.toml"
    second.write_text("format = 'policy@v1'\nname = 'second'\nprofile = 'production'\nrequire.assurance = ['signed']")
    service = start_sqlite(policies=(start_sqlite.policy, second))
    ids = [policy["id"] for policy in service.client.get("/v1/policies").json()["policies"]]
    assert ids[1] == hashlib.sha256(second.read_bytes()).hexdigest()
    assert service.verify(b"x").json()["record"]["policy"] == ids[0]
    assert service.verify(b"x", policy=ids[1]).json()["record"]["policy"] == ids[1]


@given(st.binary(max_size=200))
def test_a_blob_comes_back(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        blobs = FolderBlobs(Path(folder) / "blobs")
        digest = blobs.put(content)
        assert digest == hashlib.sha256(content).hexdigest() == blobs.put(content)
        assert blobs.get(digest) == content
        assert blobs.get("00" * 32) is None


def test_many_may_store_the_same_blob(tmp_path: Path) -> None:
    blobs, content = FolderBlobs(tmp_path), bytes(100_000)
    threads = [threading.Thread(target=blobs.put, args=(content,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files] == [hashlib.sha256(content).hexdigest()]


@pytest.mark.parametrize("name", ["", "..", "../../x", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_digests_are_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="64"):
        FolderBlobs(tmp_path).get(name)


def test_a_folder_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OperationalError) as refusal:
        FolderBlobs(tmp_path / "file")
    assert refusal.value.code == "service.storage.unavailable"


@given(st.datetimes(timezones=st.just(UTC)))
def test_ticks_keep_a_time(at: datetime) -> None:
    text = to_text(to_ticks(at))
    assert len(text) == 27 and datetime.fromisoformat(text) == at
