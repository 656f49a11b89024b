# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys are made once, kept private, and refused when they are damaged or others could read them."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from node.errors import MalformedError, NodeError, OperationalError, RejectedError
from node.keys import FILE_BYTES, NodeKeys
from verifier.keys import KeySet, signature_valid

FILE = Path("keys") / "node.key"


def test_made_once_and_the_same_ever_after(tmp_path: Path) -> None:
    first = NodeKeys.open(tmp_path)
    again = NodeKeys.open(tmp_path)
    assert first.public == again.public
    assert signature_valid(first.public.signing, again.sign(b"message"), b"message")
    assert NodeKeys.open(tmp_path / "other").public != first.public


def test_private_on_disk_and_in_print(tmp_path: Path) -> None:
    keys = NodeKeys.open(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / FILE).parent.stat().st_mode) == 0o700
    assert [entry.name for entry in (tmp_path / "keys").iterdir()] == ["node.key"]
    secret = (tmp_path / FILE).read_bytes()
    assert len(secret) == FILE_BYTES
    assert secret[8:40].hex() not in repr(keys) and repr(secret[8:40]) not in repr(keys)


def test_several_at_once_agree(tmp_path: Path) -> None:
    found: list[KeySet] = []
    barrier = threading.Barrier(8)

    def open_keys() -> None:
        barrier.wait()
        found.append(NodeKeys.open(tmp_path).public)

    threads = [threading.Thread(target=open_keys) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len({keys.signing for keys in found}) == 1


def refusal(folder: Path) -> NodeError:
    with pytest.raises(NodeError) as caught:
        NodeKeys.open(folder)
    assert str(folder) not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: b"X" + data[1:],
        lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, damage) -> None:
    NodeKeys.open(tmp_path)
    damaged = damage((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_bytes(damaged)
    error = refusal(tmp_path)
    assert isinstance(error, MalformedError) and error.code == "node.keys.damaged" and error.remedy
    assert (tmp_path / FILE).read_bytes() == damaged


@pytest.mark.parametrize(("path", "mode"), [(FILE, 0o640), (FILE, 0o604), (Path("keys"), 0o750)])
def test_lax_permissions_are_refused_not_repaired(tmp_path: Path, path: Path, mode: int) -> None:
    NodeKeys.open(tmp_path)
    (tmp_path / path).chmod(mode)
    error = refusal(tmp_path)
    assert isinstance(error, RejectedError) and error.code == "node.keys.lax-permissions"
    assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    NodeKeys.open(tmp_path)
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    assert refusal(tmp_path).code == "node.keys.lax-permissions"


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"")
    error = refusal(tmp_path)
    assert isinstance(error, OperationalError) and error.code == "node.keys.unreadable"
