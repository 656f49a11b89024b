# SPDX-License-Identifier: AGPL-3.0-or-later
"""EZKL, driven over standard input and output by another process: one JSON request a line, one JSON answer a line.

Runs under the interpreter of ``.venv-peers``, where ezkl is installed, and imports nothing of this project.  Works in
the current folder, which holds ``model.onnx``, ``calibration.json`` and ``input.json``.

::

    {"step": "prove", "arguments": {}}  ->  {"seconds": 16.1, "own_s": 15.7, "peak_mb": 645, "value": ...}
                                        ->  {"error": "...", "peak_mb": ...}

``seconds`` is the wall-clock time of the whole call, which reads its keys from files and writes its result to one.
``own_s`` is what ezkl itself logs for the work without the files, in its own format: seconds, a dot, and milliseconds
that are not padded ("0.8" is 8 ms).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import logging
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

OWN = {"prove": "proof", "verify": "verify"}


class Log(logging.Handler):
    """What ezkl logs during a call."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.lines.append(record.getMessage())


def own_seconds(lines: list[str], what: str) -> float | None:
    """The time in "proof took 15.704" or "verify took 0.8", in seconds: 15.704 and 0.008."""
    for text in reversed(lines):
        found = re.fullmatch(rf"{what} took (\d+)\.(\d{{1,3}})", text.strip())
        if found:
            return int(found[1]) + int(found[2]) / 1000
    return None


class Ezkl:
    """The steps, in the order of their names here."""

    def __init__(self) -> None:
        self._ezkl: Any = importlib.import_module("ezkl")
        self._rows = 0

    def settings(self, batch_symbol: str) -> dict[str, Any]:
        """The statement closest to ours: public input and output, parameters fixed by the key; calibrated by ezkl
        itself, for the smallest use of resources.
        """
        chosen = self._ezkl.PyRunArgs()
        chosen.variables = [(batch_symbol, 1)]
        chosen.input_visibility = chosen.output_visibility = "public"
        chosen.param_visibility = "fixed"
        self._ezkl.gen_settings(model="model.onnx", output="settings.json", py_run_args=chosen)
        self._ezkl.calibrate_settings(
            data="calibration.json",
            model="model.onnx",
            settings="settings.json",
            target="resources",
            lookup_safety_margin=2,
        )
        found = json.loads(Path("settings.json").read_text())
        self._rows = found["run_args"]["logrows"]
        return {
            "logrows": self._rows,
            "input_scale": found["run_args"]["input_scale"],
            "param_scale": found["run_args"]["param_scale"],
            "rows": found["num_rows"],
        }

    def compile(self) -> None:
        """The circuit."""
        self._ezkl.compile_circuit(model="model.onnx", compiled_circuit="model.ezkl", settings_path="settings.json")

    def srs(self) -> dict[str, int]:
        """A structured reference string made here, which is for tests only: who makes it can forge proofs.  (The public
        one of a ceremony has the same size, and would be downloaded.)
        """
        self._ezkl.gen_srs("kzg.srs", self._rows)
        return {"bytes": Path("kzg.srs").stat().st_size}

    def keys(self) -> dict[str, int]:
        """Proving and verification key."""
        self._ezkl.setup(model="model.ezkl", vk_path="vk.key", pk_path="pk.key", srs_path="kzg.srs")
        return {name: Path(f"{name}.key").stat().st_size for name in ("vk", "pk")}

    def witness(self) -> list[float]:
        """The execution; returns the outputs."""
        self._ezkl.gen_witness(data="input.json", model="model.ezkl", output="witness.json")
        found = json.loads(Path("witness.json").read_text())
        return [float(value) for value in found["pretty_elements"]["rescaled_outputs"][0]]

    def prove(self) -> dict[str, int]:
        """A proof."""
        self._ezkl.prove(
            witness="witness.json",
            model="model.ezkl",
            pk_path="pk.key",
            proof_path="proof.json",
            srs_path="kzg.srs",
        )
        return {"bytes": len(json.loads(Path("proof.json").read_text())["proof"])}

    def verify(self) -> bool:
        """Whether the proof is right."""
        return bool(
            self._ezkl.verify(
                proof_path="proof.json", settings_path="settings.json", vk_path="vk.key", srs_path="kzg.srs"
            )
        )


def peak_mb() -> int:
    """The largest resident set so far, in MiB; see benchmarks/process.py."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) // 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Answer requests until there are no more; the argument caps this process's address space, in MiB (on Linux)."""
    if sys.platform == "linux":
        limit = int(sys.argv[1]) << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever ezkl prints is no answer
    log = Log()
    logging.basicConfig(level=logging.INFO, handlers=[log])
    ezkl = Ezkl()
    print(json.dumps({"version": importlib.metadata.version("ezkl")}), file=answers, flush=True)
    for text in sys.stdin:
        request = json.loads(text)
        log.lines.clear()
        started = time.perf_counter()
        try:
            value = getattr(ezkl, request["step"])(**request["arguments"])
        except Exception as error:  # noqa: BLE001 - whatever a foreign program raises is its answer
            answer: dict[str, Any] = {"error": f"{type(error).__name__}: {error}"}
        else:
            answer = {"seconds": time.perf_counter() - started, "value": value}
            if request["step"] in OWN:
                answer["own_s"] = own_seconds(log.lines, OWN[request["step"]])
        print(json.dumps({**answer, "peak_mb": peak_mb()}), file=answers, flush=True)


if __name__ == "__main__":
    main()
