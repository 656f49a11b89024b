# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that only have TenSEAL against a real server: the script of docs/private.md, and what such a node refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from circuits import dump_circuit
from node.keys import NodeKeys
from node.models import ModelStore
from node.tenseal import Wish, choose, describe
from tests.cli.conftest import affidavit  # noqa: F401 - the fixture
from tests.conftest import ROOT
from tests.fhe.making import needs_tenseal
from tests.private.making import claim_of, expected, inputs, network
from tests.private.test_node import server

pytestmark = needs_tenseal
SCRIPT = (ROOT / "docs/private.md").read_text().split("## Clients that have only TenSEAL")[1].split("```python\n")[1]
ALONE = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("affidavit", "circuits", "fhe", "node", "prover", "verifier", "attestation"):
            raise ImportError("a client that only has TenSEAL")
sys.meta_path.insert(0, Nothing())
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    data = tmp_path_factory.mktemp("live") / "node"
    data.mkdir(mode=0o700)
    ModelStore(data / "models").put(dump_circuit(network()), name="network")
    NodeKeys.open(data)
    with server(data) as (_, url):
        yield url, data


def ask(url: str, folder: Path, scheme: str, arrays: dict[str, Any]) -> str:
    """Run the script of the docs in a process that has nothing of this project; what it prints."""
    folder.mkdir(exist_ok=True)
    np.save(folder / "inputs.npy", arrays["x"])
    (folder / "client.py").write_text(ALONE + SCRIPT.split("```")[0])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-P", "client.py", url, network().digest.hex(), scheme, "inputs.npy"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    ("scheme", "samples", "kind"),
    [("bfv", 1, "bfv_tensor"), ("bfv", 3, "bfv_tensor"), ("ckks", 1, "ckks_vector")],
)
def test_the_script_of_the_docs_asks_verifies_and_decrypts(
    live,  # noqa: ANN001 - a fixture
    tmp_path: Path,
    circuit_file: Path,
    affidavit,  # noqa: ANN001, F811 - a fixture
    scheme: str,
    samples: int,
    kind: str,
) -> None:
    url, data = live
    arrays = inputs(samples)
    printed = ask(url, tmp_path / "client", scheme, arrays)
    plan = describe(choose(network(), Wish(samples, scheme)))
    assert plan["object"] == kind
    shown = affidavit("fhe", "tenseal", circuit_file, "--samples", samples, "--scheme", scheme)
    assert json.loads(shown.out) == json.loads(
        httpx.get(f"{url}/v1/models/{network().digest.hex()}/tenseal?samples={samples}&scheme={scheme}").text
    )
    answer, off = np.load(tmp_path / "client/answer.npy"), plan["error"] * 2.0**-20
    np.testing.assert_allclose(answer, expected(arrays), rtol=0, atol=off)

    file = tmp_path / "client/answer.affidavit"
    claim = claim_of(file.read_bytes())
    assert claim.scheme == scheme and claim.layers == ("hidden", "square", "logits")
    assert printed.split() == ["input", claim.inputs.commitment.hex()]
    key = NodeKeys.open(data).public.signing.hex()
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'name = "tenseal"\nrequire = ["signed", "private"]\n'
        f'[trust]\nnodes = ["{key}"]\n[request]\ninput = "{printed.split()[1]}"\n'
    )
    ran = affidavit("verify", file, "--policy", policy, "--model", circuit_file)
    assert ran.code == 0, ran.out + ran.err
    ran = affidavit("recheck", file, "--model", circuit_file, "--json")
    assert ran.code == 0 and ran.json["agrees"] and ran.json["gates"] == 3, ran.out + ran.err
