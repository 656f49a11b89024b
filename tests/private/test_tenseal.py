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
from tests.private.making import claim_of, expected, inputs, network, server

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


def ask(url: str, folder: Path, wish: str, arrays: dict[str, Any]) -> str:
    """Run the script of the docs in a process that has nothing of this project; what it prints."""
    folder.mkdir(exist_ok=True)
    np.save(folder / "inputs.npy", arrays["x"])
    (folder / "client.py").write_text(ALONE + SCRIPT.split("```")[0])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-P", "client.py", url, network().digest.hex(), wish, "inputs.npy"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        (Wish(1, "bfv"), "bfv_tensor"),
        (Wish(3, "bfv"), "bfv_tensor"),
        (Wish(2, "ckks"), "ckks_tensor"),
        (Wish(1, "ckks", "mlp1"), "ckks_vector"),
    ],
)
def test_the_script_of_the_docs_asks_verifies_and_decrypts(
    live,
    tmp_path: Path,
    circuit_file: Path,
    affidavit,  # noqa: F811 - a fixture
    wish: Wish,
    kind: str,
) -> None:
    url, data = live
    arrays, query = inputs(wish.samples), f"scheme={wish.scheme}&preset={wish.preset}"
    printed = ask(url, tmp_path / "client", query, arrays)
    plan = describe(choose(network(), wish))
    assert plan["object"] == kind
    options = ["--scheme", wish.scheme, *(("--preset", wish.preset) if wish.preset else ())]
    shown = affidavit("fhe", "tenseal", circuit_file, "--samples", wish.samples, *options)
    told = httpx.get(f"{url}/v1/models/{network().digest.hex()}/tenseal?samples={wish.samples}&{query}").json()
    assert json.loads(shown.out) == told
    off = plan["error"] * 2.0**-20
    np.testing.assert_allclose(np.load(tmp_path / "client/answer.npy"), expected(arrays), rtol=0, atol=off)

    file = tmp_path / "client/answer.affidavit"
    claim = claim_of(file.read_bytes())
    assert claim.scheme == wish.scheme and claim.layers == ("hidden", "square", "logits")
    policy = tmp_path / "policy.toml"
    key = NodeKeys.open(data).public.signing.hex()
    policy.write_text(
        'format = "policy@v1"\nname = "tenseal"\nprofile = "development"\n'
        '[require]\nassurance = ["signed", "private"]\n'
        f'[request]\n{printed}[keys]\nnodes = ["{key}"]\n'
    )
    ran = affidavit("verify", file, "--policy", policy, "--model", circuit_file)
    assert ran.code == 0, ran.out + ran.err
    assert claim.inputs.commitment.hex() in policy.read_text()
    ran = affidavit("recheck", file, "--model", circuit_file, "--json")
    assert ran.code == 0 and ran.json["agrees"] and ran.json["gates"] == 3, ran.out + ran.err


def test_a_secret_key_is_refused_and_nothing_is_kept(live) -> None:
    import tenseal as ts

    url, data = live
    context = ts.context(ts.SCHEME_TYPE.BFV, 8192, 35184371613697, [43, 43, 44, 44, 44])
    before = {path for path in data.rglob("*") if path.is_file()}
    for body, code in (
        (context.serialize(save_secret_key=True), "fhe.tenseal.secret-key"),
        (context.serialize(save_secret_key=True, save_public_key=False), "fhe.tenseal.secret-key"),
        (ts.context(ts.SCHEME_TYPE.CKKS, 4096, coeff_mod_bit_sizes=[40, 20, 40]).serialize(), "fhe.tenseal.parameters"),
        (b"neither", "fhe.tenseal.malformed"),
    ):
        answer = httpx.post(f"{url}/v1/uploads", content=body, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert {path for path in data.rglob("*") if path.is_file()} == before
    assert httpx.post(f"{url}/v1/uploads", content=context.serialize(), timeout=60).status_code == 201


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("protcted=true", 400, "request.parameter.malformed"),
        ("preset=lin8", 404, "fhe.plan.none"),
        ("preset=lin8&last=1", 404, "fhe.plan.none"),
        ("scheme=ckks&preset=batch-lin", 404, "fhe.plan.none"),
        ("preset=none", 404, "fhe.preset.unknown"),
        ("first=9", 404, "fhe.network.ports"),
        ("protected=true&scheme=ckks", 404, "fhe.plan.none"),
        ("samples=0", 400, "request.parameter.malformed"),
        ("scheme=bgv", 400, "request.parameter.malformed"),
    ],
)
def test_plans_that_tenseal_has_no_object_for(live, query: str, status: int, code: str) -> None:
    url, _ = live
    answer = httpx.get(f"{url}/v1/models/{network().digest.hex()}/tenseal?{query}", timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_protected_plan_says_what_its_replies_add_up_to(live) -> None:
    url, _ = live
    query = "protected=true&last=1&samples=4"
    plan = httpx.get(f"{url}/v1/models/{network().digest.hex()}/tenseal?{query}", timeout=60).json()
    assert plan["layout"]["protected"] and plan["keys"]["public"] and plan["output"] is None
    distance = plan["statistical_distance_bits"]
    assert distance >= 30 and plan["replies_until"] == int(2 ** (distance - 20))
