# SPDX-License-Identifier: AGPL-3.0-or-later
"""What README.md says is what happens: its commands, its output, its Python, its make targets."""

from __future__ import annotations

import re
import shlex
import subprocess
from contextlib import ExitStack

import pytest

from tests.conftest import ROOT
from tests.docs.walkthrough import Step, background, environment, pattern, run, steps

README = (ROOT / "README.md").read_text()
pytestmark = pytest.mark.docs


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like the checkout and takes what the commands write."""
    for name in ("affidavit", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.swtpm
@pytest.mark.timeout(300)
def test_the_commands_of_the_readme(checkout):
    with ExitStack() as servers:
        for step in steps(README):
            if step.kind == "background":
                servers.enter_context(background(shlex.split(step.text), checkout, environment()))
            else:
                run(step, checkout)


@pytest.mark.swtpm
def test_the_demo_prints_what_the_readme_shows(checkout):
    shown = README.split("## What you see")[1].split("```\n")[1]
    done = subprocess.run(
        ["affidavit", "demo", "--digit", "7"],
        cwd=checkout,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    position = 0
    for line in shown.splitlines():
        if line == "...":
            continue
        found = re.compile(".*".join(re.escape(piece) for piece in line.split("..."))).search(done.stdout, position)
        assert found, f"not printed, or not in this order: {line}"
        position = found.end()


def test_the_make_targets_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"`?make ([a-z-]+)", README)
    assert {"demo", "test"} <= set(named) <= set(targets)
    first = README.split("```sh\n")[1].split("```")[0].splitlines()
    assert [line.split()[1] for line in first] == ["demo", "demo-private", "test"]


def test_the_walkthrough_can_fail(checkout):
    with pytest.raises(AssertionError):
        run(Step("command", "affidavit --version", ("something else",)), checkout)
    with pytest.raises(AssertionError):
        run(Step("command", "affidavit verify nowhere.affidavit"), checkout)
    assert pattern(("a", "...", "b...d")).match("a\nx\ny\nb c d\n")
    assert not pattern(("a", "b")).match("a\nx\nb\n")
