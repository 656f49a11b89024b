# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the repository holds: sizes, licence lines, no machine's paths, no registry's hosts, live links."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
MAXIMUM_BYTES = 2 * 1024 * 1024
MAXIMUM_LINES = 600
LICENCE_LINE = "# SPDX-License-Identifier: AGPL-3.0-or-later"

# Written so that this file does not match itself.
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:home|root|Users|work|workspace|build)/[\w.-]")
REGISTRY_HOSTS = re.compile(
    r"\b(?:[\w-]+\.)*(?:"
    r"pypi\.(?:org|python)|python(?:hosted)\.org|npmjs\.(?:org|com)|registry\.yarnpkg|"
    r"deb\.debian\.org|security\.debian\.org|archive\.ubuntu\.com|crates\.io|proxy\.golang\.org"
    r")"
)


def tracked() -> list[Path]:
    """Return the files that git tracks or would add; all but the ignored ones."""
    result = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    names = result.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """Return relative name -> content of every tracked text file."""
    found = {}
    for path in tracked():
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
    return found


def test_no_file_is_large() -> None:
    assert {str(path): path.stat().st_size for path in tracked() if path.stat().st_size > MAXIMUM_BYTES} == {}


def test_every_python_file_names_its_licence() -> None:
    python = {name: text for name, text in texts().items() if name.endswith(".py")}
    assert python
    bare = [name for name, text in python.items() if LICENCE_LINE not in text.split("\n", 2)[:2] and text.strip()]
    assert bare == []


def test_files_are_short() -> None:
    long = {
        name: text.count("\n")
        for name, text in texts().items()
        if name.endswith(".py") and text.count("\n") > MAXIMUM_LINES
    }
    assert long == {}


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRY_HOSTS], ids=["paths", "hosts"])
def test_no_trace_of_a_machine(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}:{number}: {match.group()}"
        for name, text in texts().items()
        if name not in {"tests/test_tree.py"}
        for number, line in enumerate(text.splitlines(), 1)
        for match in pattern.finditer(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE_PATHS, "open('/home/someone/x')"),
        (MACHINE_PATHS, "see /" + "work/shared"),
        (MACHINE_PATHS, "file:///root/x"),
        (REGISTRY_HOSTS, "--index-url https://" + "pypi" + ".org/simple"),
        (REGISTRY_HOSTS, "https://files." + "pythonhosted" + ".org/packages/x"),
        (REGISTRY_HOSTS, "registry." + "npmjs.org"),
    ],
)
def test_a_trace_would_be_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


@pytest.mark.docs
def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for name, text in texts().items():
        if name.endswith(".md"):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
                if "://" not in target and not ((ROOT / name).parent / target).exists():
                    broken.append(f"{name} -> {target}")
    assert broken == []


def test_the_lock_fits_the_declared_dependencies() -> None:
    """Every dependency in pyproject.toml is pinned in requirements/base.txt within its bounds."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lock = (ROOT / "requirements" / "base.txt").read_text()
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    for requirement in map(Requirement, declared):
        assert requirement.specifier.contains(pinned[requirement.name]), f"{requirement}: run `make lock`"


def test_licence_is_the_exact_text() -> None:
    """Version 3 of 19 November 2007 as the Free Software Foundation publishes it (34,523 bytes)."""
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0"


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.invalid"])
def test_tests_cannot_leave_the_machine(host: str) -> None:
    with pytest.raises(PermissionError, match="tests stay on this machine"):
        socket.create_connection((host, 443))


def test_no_test_imports_another() -> None:
    """What tests share lies in modules that hold no tests: else a test runs or is skipped with a stranger's."""
    importing = re.compile(r"^\s*(?:from|import)\s+(?:tests[\w.]*)?\.test_\w+", re.MULTILINE)
    assert importing.search("from tests.node.test_api import prepare") and importing.search("from .test_api import x")
    assert [name for name, text in texts().items() if name.startswith("tests/") and importing.search(text)] == []
