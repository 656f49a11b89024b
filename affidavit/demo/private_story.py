# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens in ``affidavit demo --private``, in order. Everything printed is computed on the spot.

Client and auditor are this process; the node is another one, spoken to over HTTP alone. The auditor has ciphertexts,
evaluation keys and circuit, and no secret key.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

import fhe
from affidavit.cli.files import write_bytes
from affidavit.cli.render import print_check, print_verdict
from affidavit.client import Client
from affidavit.demo import private_lies as lies
from affidavit.demo.lies import cheaper_model
from affidavit.demo.picture import draw
from affidavit.demo.story import DATA, Ending, choose, invoked_as, load_arrays, say, step
from affidavit.errors import NotAccepted
from affidavit.policy_file import write_policy
from affidavit.private import PrivateAnswer, PrivateQuestion, PrivateSession
from circuits import Circuit, load_circuit
from fhe.pool import EvaluationPool
from node.encrypted_recheck import recheck_encrypted
from node.keys import NodeKeys
from verifier import OperationalError, Policy, RejectedError, Verdict, parse_policy, read_affidavit
from verifier.affidavit import add_envelope
from verifier.dsse import sign_envelope
from verifier.verify import Result

START_SECONDS = 120.0
FIRST_SECONDS = 600.0
"""Patience with the first answer: a machine's first evaluation compiles the kernels."""

LIES = (
    ("other-weights", "the node ran a pruned model and signed that it was the real one"),
    ("half-the-work", "the node computed half of the first layer"),
    ("no-work", "the node sent the ciphertexts of an older answer"),
    ("other-keys", "the node computed under another session's keys"),
    ("other-preset", "the node named other encryption parameters"),
)


@dataclass(frozen=True)
class _Auditor:
    """Executes again and signs what it finds."""

    keys: NodeKeys
    circuit: Circuit
    pool: EvaluationPool

    def look_at(self, affidavit: bytes, request: bytes, keys: bytes) -> bytes:
        """The affidavit with the signed finding in it; as it was, where it speaks of something else."""
        parsed = read_affidavit(affidavit)
        try:
            finding = recheck_encrypted(parsed, self.circuit, self.pool, request=request, keys=keys)
        except (RejectedError, fhe.UnsupportedError):
            return affidavit
        statement = finding.statement(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")).statement()
        envelope = sign_envelope(statement.encode(), public_key=self.keys.public.signing, sign=self.keys.sign)
        return add_envelope(parsed, "recheck-auditor", envelope)


def tell_private(console: Console, out: Path, digit: int | None = None) -> Ending:
    """Run the demo and leave its files in ``out``.

    Args:
        console: where it prints.
        out: folder for the circuit and the affidavits; made if missing.
        digit: which of the test images, 0 to 99; a random one if ``None``.

    Raises:
        MalformedError: ``option.malformed`` for a digit out of range.
        UnsupportedError: ``client.private.unavailable``: the fhe extra is not installed.
        OperationalError: a file cannot be written, the node did not start.
    """
    digits = load_arrays("digits.npz")
    chosen = choose(digits, digit)
    out.mkdir(parents=True, exist_ok=True)

    step(console, 1, "The model: 784-64-10 with a square in the middle, on integers; it runs on ciphertexts whole")
    circuit = load_circuit((DATA / "square-mlp.circuit").read_bytes())
    path = out / "square-mlp.circuit"
    write_bytes(path, (DATA / "square-mlp.circuit").read_bytes())
    session = PrivateSession(circuit)
    _describe(console, session)

    step(console, 2, f"The question: test image {chosen} of MNIST (a {digits['label'][chosen]}, says its label)")
    draw(console, digits["image"][chosen, 0])
    images = (digits["image"].reshape(len(digits["image"]), -1) / np.float32(255)).astype(np.float32)
    inputs = {circuit.inputs[0].name: images[chosen : chosen + 1]}

    with tempfile.TemporaryDirectory() as folder, EvaluationPool() as pool:
        node_keys, auditor_keys = (NodeKeys.open(Path(folder) / name) for name in ("node", "auditor"))

        def demand(question: PrivateQuestion | None = None) -> bytes:
            """The client's policy; with what was asked in it, for whoever verifies without the session."""
            return write_policy(
                name="private demo",
                assurance=("signed", "rechecked", "private"),
                circuits=(circuit.digest,),
                nodes=(node_keys.public.signing,),
                recheckers=(auditor_keys.public.signing,),
                nonce=None if question is None else question.request.nonce,
                input_commitment=None if question is None else question.sent.commitment,
            )

        policy = parse_policy(demand())
        step(console, 3, "The node, a process of its own: it gets ciphertexts and evaluation keys, and nothing else")
        with _node(Path(folder) / "node", path) as url, Client(url, policy=policy, patience=FIRST_SECONDS) as client:
            client.upload(session.evaluation_keys)
            older = _answer(client, session, {circuit.inputs[0].name: images[(chosen + 1) % len(images)][None]})[1]
            started = time.perf_counter()
            question, genuine = _answer(client, session, inputs)
            say(console, f"answer in ciphertext after {time.perf_counter() - started:.2f} s, over HTTP")
        say(
            console, "the auditor executes it again from ciphertexts, evaluation keys and circuit; it has no secret key"
        )
        auditor = _Auditor(auditor_keys, circuit, pool)
        files = {"private": genuine} | _lies(genuine, older, node_keys, question, session)
        files = {
            name: auditor.look_at(data, question.ciphertexts, session.evaluation_keys) for name, data in files.items()
        }
        for name, data in files.items():
            write_bytes(out / f"{name}.affidavit", data)
        write_bytes(out / "policy.toml", demand(question))

        step(console, 4, "The verdict, offline, and only then the decryption")
        answer, result = _believed(session, question, files["private"], policy)
        for check in result.checks:
            print_check(console, check)
        print_verdict(console, result)
        if answer is not None:
            (scores,) = answer.outputs.values()
            say(console, f"decrypted by the client: this is a {int(np.argmax(scores[0]))}")

        step(console, 5, "Five lies, each signed by the node, under the same policy; none is ever decrypted")
        refused = {}
        for name, story in LIES:
            lie, found = _believed(session, question, files[name], policy)
            refused[name] = (Verdict.ACCEPT if lie is not None else found.verdict, found.code)
            say(console, f"{story}:")
            print_verdict(console, found)
    session.close()
    step(console, 6, "Repeat it yourself: verify, and execute again, without any secret")
    model = ["--model", str(path), str(out / "private.affidavit")]
    say(console, shlex.join([*invoked_as(), "verify", "--policy", str(out / "policy.toml"), *model]))
    say(console, shlex.join([*invoked_as(), "recheck", *model]))
    return Ending(result.verdict, refused)


def _describe(console: Console, session: PrivateSession) -> None:
    plan, estimate = session.plan, fhe.estimate(session.plan)
    say(
        console,
        f"circuit {plan.circuit_digest.hex()[:16]}..., preset {plan.preset.name} ({plan.preset.scheme}, 128 bits)",
    )
    say(
        console,
        f"sent {estimate.bytes_sent:,} bytes per question and {estimate.key_bytes:,} bytes of keys per session, "
        f"returned {estimate.bytes_returned:,}; the secret key stays here",
    )


def _answer(
    client: Client, session: PrivateSession, inputs: dict[str, npt.NDArray[np.float32]]
) -> tuple[PrivateQuestion, bytes]:
    question = session.ask(inputs, policy=client.policy, embed_input=True)
    client.upload(question.ciphertexts)
    return question, client.exchange_unverified(question.request)


def _believed(
    session: PrivateSession, question: PrivateQuestion, affidavit: bytes, policy: Policy
) -> tuple[PrivateAnswer | None, Result]:
    try:
        answer = session.believe(question, affidavit, policy=policy, at=datetime.now(UTC))
    except NotAccepted as refusal:
        return None, refusal.result
    return answer, answer.result


def _lies(
    genuine: bytes, older: bytes, keys: NodeKeys, question: PrivateQuestion, session: PrivateSession
) -> dict[str, bytes]:
    made = {}
    for name, change in (("other-weights", cheaper_model), ("half-the-work", lies.half_the_work)):
        made[name] = lies.other_weights(
            genuine,
            change(session.circuit),
            keys,
            request=question.ciphertexts,
            evaluation_keys=session.evaluation_keys,
        )
    return made | {
        "no-work": lies.another_answer(genuine, older, keys),
        "other-keys": lies.other_keys(genuine, keys),
        "other-preset": lies.other_preset(genuine, keys),
    }


@contextlib.contextmanager
def _node(data: Path, circuit: Path) -> Iterator[str]:
    """A node's service on loopback, in a process of its own; its URL."""
    arguments = ["node", "serve", "--data", str(data), "--circuit", str(circuit), "--port", "0", "--evidence", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "affidavit", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield _url(process)
    finally:
        process.terminate()
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _url(process: subprocess.Popen[str]) -> str:
    for line in process.stderr or ():
        if line.startswith("node on "):
            return line.removeprefix("node on ").strip()
    raise OperationalError("demo.node.failed", "the demo's node did not start", remedy="see `affidavit node serve`")
