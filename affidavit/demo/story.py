# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens in the demo, in order. Everything printed is computed on the spot."""

from __future__ import annotations

import secrets
import shlex
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.markup import escape

from affidavit.cli.files import write_bytes
from affidavit.cli.render import print_result, quality_lines
from affidavit.demo import lies
from affidavit.demo.machine import Machine, open_machine
from affidavit.demo.picture import draw
from affidavit.policy_file import write_policy
from circuits import Circuit, dump_circuit, encode_inputs
from circuits.compiler import compile_model
from node.keys import NodeKeys
from node.node import Node
from node.request import RealInput, Request
from prover.warm import warm
from verifier import Policy, Verdict, parse_policy, verify
from verifier.errors import MalformedError
from verifier.tensors import commit

DATA = resources.files("affidavit.demo") / "data"
LIES = (
    ("model-swapped", "the node ran a pruned model and signed that it was the real one"),
    ("answer-edited", "somebody on the way exchanged the two best scores"),
    ("replayed", "an old answer of the same node to the same picture, under an older nonce"),
    ("evidence-stripped", "somebody took the machine's evidence out"),
)


@dataclass(frozen=True)
class Ending:
    """What the demo came to: the genuine verdict, and the verdict on each lie by name."""

    genuine: Verdict
    refused: dict[str, tuple[Verdict, str]]

    @property
    def as_it_should_be(self) -> bool:
        """The truth was accepted and no lie was."""
        return self.genuine is Verdict.ACCEPT and all(v is not Verdict.ACCEPT for v, _ in self.refused.values())


def load_arrays(name: str) -> dict[str, npt.NDArray[Any]]:
    """An .npz of the demo's data."""
    with resources.as_file(DATA / name) as path, np.load(path, allow_pickle=False) as loaded:
        return {key: loaded[key] for key in loaded.files}


def choose(digits: dict[str, npt.NDArray[Any]], digit: int | None) -> int:
    """Which of the test images: the one that is asked for, or a random one.

    Raises:
        MalformedError: ``option.malformed`` for one that is not among them.
    """
    count = len(digits["label"])
    chosen = secrets.randbelow(count) if digit is None else digit
    if not 0 <= chosen < count:
        raise MalformedError("option.malformed", f"--digit: 0 to {count - 1}, found {chosen}")
    return chosen


def step(console: Console, number: int, title: str) -> None:
    """A numbered heading."""
    console.print(f"\n[bold]{number}. {title}[/]", highlight=False)


def say(console: Console, text: str) -> None:
    """A line below it, as it stands."""
    console.print(f"   {escape(text)}", highlight=False, soft_wrap=True)


def tell(console: Console, out: Path, digit: int | None = None) -> Ending:
    """Run the demo and leave its files in ``out``.

    Args:
        console: where it prints.
        out: folder for the circuit, the policy and the affidavits; made if missing.
        digit: which of the test images, 0 to 99; a random one if ``None``.

    Raises:
        MalformedError: ``option.malformed`` for a digit out of range.
        OperationalError: a file cannot be written, the software TPM failed.
    """
    digits = load_arrays("digits.npz")
    chosen = choose(digits, digit)
    out.mkdir(parents=True, exist_ok=True)

    step(console, 1, "The model: LeNet-5, compiled into exact integer operations")
    circuit = _compile(console)
    write_bytes(out / "lenet5.circuit", dump_circuit(circuit))

    step(
        console,
        2,
        f"The question: test image {chosen} of MNIST (a {digits['label'][chosen]}, says its label)",
    )
    draw(console, digits["image"][chosen, 0])
    image = (digits["image"][chosen : chosen + 1] / np.float32(255)).astype(np.float32)
    inputs = {circuit.inputs[0].name: image}
    nonce, older_nonce = secrets.token_bytes(32), secrets.token_bytes(32)
    say(console, f"nonce {nonce.hex()[:16]}..., drawn for this request alone")

    with open_machine() as machine, tempfile.TemporaryDirectory() as folder:
        step(console, 3, "The machine")
        for line in machine.story:
            say(console, line)
        policy = _demand(out, circuit, inputs, nonce, machine)
        with Node(Path(folder) / "node", machine.producer) as node:
            node.models.put(dump_circuit(circuit), name="lenet5")
            older = _ask(node, circuit, inputs, older_nonce, policy)
            step(console, 4, "The answer")
            warm()  # load the prover's kernels, so that the time below is the work itself
            started = time.perf_counter()
            genuine = _ask(node, circuit, inputs, nonce, policy)
            took = time.perf_counter() - started
            _report(console, genuine, took, out)
            files = {"answer": genuine.affidavit, "replayed": older.affidavit}
            files["model-swapped"] = lies.swap_model(genuine.affidavit, NodeKeys.open(node.data_dir))
            files["answer-edited"] = lies.edit_answer(genuine.affidavit)
            files["evidence-stripped"] = lies.strip_evidence(genuine.affidavit)
    for name, data in files.items():
        write_bytes(out / f"{name}.affidavit", data)

    step(console, 5, "The verdict, offline, from the file and the client's policy alone")
    now = datetime.now(UTC)
    result = verify(files["answer"], at=now, policy=policy)
    print_result(console, result)
    if result.answer is not None:
        scores = result.answer[circuit.outputs[0].name][0]
        say(console, f"so this is a {int(np.argmax(scores))}")

    step(console, 6, "Four lies, each a well-formed file, under the same policy")
    refused = {}
    for name, what in LIES:
        found = verify(files[name], at=now, policy=policy)
        refused[name] = (found.verdict, found.code)
        colour = "red" if found.verdict is Verdict.REJECT else "yellow"
        console.print(f"   [{colour}]{found.verdict.value}[/] [bold]{found.code}[/]", highlight=False)
        say(console, f"  {name}.affidavit: {what}")
        say(console, f"  {found.message}")

    step(console, 7, "Repeat it yourself")
    command = [*invoked_as(), "verify", "--policy", str(out / "policy.toml"), str(out / "answer.affidavit")]
    say(console, shlex.join(command))
    return Ending(result.verdict, refused)


def invoked_as() -> list[str]:
    """What to type for this command: its name where PATH leads to it, else as it was started."""
    started = Path(sys.argv[0])
    if shutil.which("affidavit") or not started.is_file():
        return ["affidavit"]
    return [sys.executable, "-m", "affidavit"] if started.name == "__main__.py" else [str(started)]


def _compile(console: Console) -> Circuit:
    model = (DATA / "lenet5.onnx").read_bytes()
    started = time.perf_counter()
    circuit = compile_model(model, load_arrays("calibration.npz"))
    took = time.perf_counter() - started
    say(console, f"circuit {circuit.digest.hex()[:16]}..., {len(circuit.gates)} gates, {took:.1f} s")
    for line in quality_lines(circuit.quality):
        say(console, line)
    return circuit


def _demand(out: Path, circuit: Circuit, inputs: dict[str, npt.NDArray[Any]], nonce: bytes, machine: Machine) -> Policy:
    text = write_policy(
        name="demo",
        assurance=("signed", "attested", "rechecked", "proved"),
        accept=() if machine.simulated else (machine.producer.type,),
        simulated=machine.simulated,
        nonce=nonce,
        input_commitment=commit(encode_inputs(circuit, inputs)),
        circuits=(circuit.digest,),
        ek_roots=machine.ek_roots,
        ak_issuers=machine.ak_issuers,
        pcrs=machine.pcrs,
    )
    write_bytes(out / "policy.toml", text)
    return parse_policy(text)


def _ask(node: Node, circuit: Circuit, inputs: dict[str, npt.NDArray[Any]], nonce: bytes, policy: Policy) -> Any:
    return node.run(
        Request(circuit.digest, nonce, RealInput(inputs), policy.id, embed_circuit=True, embed_input=True, prove=True)
    )


def _report(console: Console, answered: Any, took: float, out: Path) -> None:
    receipt = answered.receipt
    (scores,) = answered.output.tensors.values()
    ranking = np.argsort(scores[0])[::-1]
    say(
        console,
        f"the node says: {ranking[0]} (then {ranking[1]}), after {took * 1000:.0f} ms with everything",
    )
    for item in receipt.evidence:
        sizes = {digest.hex(): name for name, digest in item.members.items()}
        say(console, f"evidence {item.type}: {', '.join(sorted(sizes.values()))}")
    say(
        console,
        f"commitment to the execution: {receipt.trace.count} tensors under root {receipt.trace.root.hex()[:16]}..., "
        "so that anybody can recheck every operation",
    )
    if receipt.proof is not None:
        took_ms = int(receipt.meta.get("us_prove", 0)) / 1000
        size = receipt.proof.size / 1024
        say(console, f"proof that every operation was done right: {size:.0f} KiB, {took_ms:.0f} ms, no trusted set-up")
    say(console, f"the file: {out / 'answer.affidavit'} ({len(answered.affidavit) / 1024:.0f} KiB)")
