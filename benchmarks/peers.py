# SPDX-License-Identifier: AGPL-3.0-or-later
"""This prover and EZKL on the same ONNX file and the same input, in turn, on the same machine, in one run.

``make bench-peers``: a quarter of an hour on two quiet cores, nearly all of it EZKL's LeNet-5 (reference string two
minutes, keys four, each of two proofs three), with 12 GiB of memory, 6 GB of disk and an index to install EZKL from.
``--only mlp-784-128-64-10`` takes three minutes.

Two figures of each kind, like with like:

=====================  ===============================================  ===============================================
figure                 EZKL                                             this project
=====================  ===============================================  ===============================================
prove, verify          what it logs for the work without files          warm: circuit loaded and planned
prove, verify, files   the whole call; reads its keys, writes a file    fresh process: reads circuit and input, plans,
                                                                        commits to weights; kernels are loaded
=====================  ===============================================  ===============================================

Neither counts the execution (EZKL: ``gen_witness``), but ours from files does.  The statements are close, not equal:
both have public input and output and fix the weights (EZKL in its verification key, mode `committed` here in a root).
EZKL's proof hides the activations and is a few kB, under a reference string whose maker can forge; ours is neither
hiding nor that small, and needs no such string.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.ezkl_process import PeerError, Process, install
from benchmarks.from_files import prove_from_files, verify_from_files
from benchmarks.goals import Goal, judge, line
from benchmarks.models import float_session
from benchmarks.process import available_mb, fresh
from benchmarks.proving import Mode, build, measure_case
from benchmarks.timing import spread
from benchmarks.works import WORKS
from circuits import decode_outputs, load_circuit

ROUNDS = {"mlp-784-128-64-10": 5, "lenet5": 2}
"""EZKL proves once a round."""
OURS = 10
"""Proofs of ours in a round."""
VERIFICATIONS = 5
NEEDS_MB = {"mlp-784-128-64-10": 1_000, "lenet5": 11_700}
NEEDS_DISK_MB = {"mlp-784-128-64-10": 500, "lenet5": 6_000}
CALIBRATED_ON = 2
"""Inputs that EZKL is given to choose its scales; each costs it some seconds."""
TOLERANCE = 0.1
"""By how much outputs may differ from the float model's, of their range: beyond that, something else was computed."""

VERIFYING = (Goal("verify_ratio", 1, above=True), Goal("verify_files_ratio", 1, above=True))
GOALS = {
    "mlp-784-128-64-10": (Goal("prove_ratio", 200, above=True), *VERIFYING),
    "lenet5": (Goal("prove_ratio", 1000, above=True), *VERIFYING),
}


def measure(rounds: int, only: Collection[str] = ()) -> dict[str, Any]:
    """Both works.  A peer that is missing or fails is recorded with the reason, and its goals as not measured."""
    results: dict[str, Any] = {"peer": {"name": "EZKL"}, "works": {}, "goals": []}
    python: Path | None = None
    try:
        python = install()
    except PeerError as error:
        results["peer"]["missing"] = str(error)
        print(f"EZKL is missing: {error}", flush=True)
    for name, most in ROUNDS.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            results["works"][name] = _compare(name, Path(folder), python, min(rounds, most), results["peer"])
        for mode, found in results["works"][name]["ratios"].items():
            outcomes = judge(GOALS[name], f"{name}, {mode}, against EZKL", found)
            results["goals"] += outcomes
            for outcome in outcomes:
                print(line(outcome), flush=True)
    return results


def _compare(name: str, folder: Path, python: Path | None, rounds: int, peer: dict[str, Any]) -> dict[str, Any]:
    ours: dict[str, list[dict[str, Any]]] = {mode: [] for mode in get_args(Mode)}
    theirs: list[dict[str, Any]] = []
    result: dict[str, Any] = {"work": fresh(build, name, folder)}
    try:
        if python is None:
            raise PeerError("not installed")
        _require_room(name, folder)
        _write_requests(name, folder)
        with Process(python, folder, name) as process:
            peer["version"] = process.version
            result["ezkl"] = _set_up(process, "N")
            for _ in range(rounds):
                theirs.append(_their_round(process))
                _our_round(name, folder, ours)
            result["ezkl"] |= _joined(theirs)
    except PeerError as error:
        result["ezkl"] = {**result.get("ezkl", {}), "failed": str(error)}
        print(f"EZKL, {name}: {error}", flush=True)
    while len(ours["held"]) < rounds:
        _our_round(name, folder, ours)
    result |= {mode: _joined(found) for mode, found in ours.items()}
    result["agreement"] = agreement(folder, result["ezkl"].pop("outputs", None))
    result["ratios"] = {mode: ratios(result["ezkl"], result[mode]) for mode in ours}
    return result


def _require_room(name: str, folder: Path) -> None:
    memory, disk = available_mb(), shutil.disk_usage(folder).free >> 20
    if memory is not None and memory < NEEDS_MB[name]:
        raise PeerError(f"not run: needs {NEEDS_MB[name]} MiB of memory, {memory} are available")
    if disk < NEEDS_DISK_MB[name]:
        raise PeerError(f"not run: needs {NEEDS_DISK_MB[name]} MiB of disk, {disk} are available")


def _write_requests(name: str, folder: Path) -> None:
    """The same arrays as our prover's, as EZKL reads them."""
    work = WORKS[name]
    for file, arrays, count in (("input", work.inputs(), 1), ("calibration", work.calibration(), CALIBRATED_ON)):
        data = [array[:count].reshape(-1).tolist() for array in arrays.values()]
        (folder / f"{file}.json").write_text(json.dumps({"input_data": data}))


def _set_up(process: Process, symbol: str) -> dict[str, Any]:
    settings = process.step("settings", batch_symbol=symbol)
    compiled, srs, keys = (process.step(step) for step in ("compile", "srs", "keys"))
    witness = process.step("witness")
    return {
        "settings": settings["value"],
        "compile_s": settings["seconds"] + compiled["seconds"],
        "srs_s": srs["seconds"],
        "keys_s": keys["seconds"],
        "set_up_s": sum(step["seconds"] for step in (settings, compiled, srs, keys)),
        "set_up_peak_mb": keys["peak_mb"],
        "bytes": {"srs": srs["value"]["bytes"], **keys["value"]},
        "witness_s": witness["seconds"],
        "outputs": witness["value"],
    }


def _their_round(process: Process) -> dict[str, Any]:
    proved = process.step("prove")
    verified = [process.step("verify") for _ in range(VERIFICATIONS)]
    if not all(step["value"] for step in verified):
        raise PeerError("EZKL does not verify its own proof")
    own = [step["own_s"] for step in verified]
    return {
        "prove_s": proved["own_s"],
        "prove_files_s": proved["seconds"],
        "verify_s": None if None in own else float(np.median(own)),
        "verify_files_s": float(np.median([step["seconds"] for step in verified])),
        "proof_bytes": proved["value"]["bytes"],
        "peak_mb": verified[-1]["peak_mb"],
    }


def _our_round(name: str, folder: Path, ours: dict[str, list[dict[str, Any]]]) -> None:
    for mode in get_args(Mode):
        case = fresh(measure_case, name, folder, mode, OURS)
        ours[mode].append(
            {
                "prove_s": case["prove_s"]["median_s"],
                "verify_s": case["verify_s"]["median_s"],
                "prove_files_s": fresh(prove_from_files, folder, mode),
                "verify_files_s": fresh(verify_from_files, folder, mode),
                "set_up_s": case["set_up_s"],
                "proof_bytes": case["proof_bytes"],
                "peak_mb": case["peak_mb"],
                "soundness_bits": case["soundness_bits"],
            }
        )
        print(f"  ours, {name}, {mode}: prove {ours[mode][-1]['prove_s']:.4f} s", flush=True)


TIMES = ("prove_s", "verify_s", "prove_files_s", "verify_files_s")


def _joined(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The rounds as one: spreads of times, the largest peak, and what does not vary."""
    times = {key: spread([f[key] for f in found]) for key in TIMES if all(f[key] is not None for f in found)}
    return {**found[0], **dict.fromkeys(TIMES), **times, "peak_mb": max(f["peak_mb"] for f in found)}


def agreement(folder: Path, theirs: list[float] | None) -> dict[str, Any]:
    """The outputs of all, beside the float model's.  Raises RuntimeError where they compute something else."""
    with np.load(folder / "input.npz") as inputs, np.load(folder / "outputs.npz") as outputs:
        wanted = float_session((folder / "model.onnx").read_bytes(), 1).run(None, dict(inputs))[0].reshape(-1)
        circuit = load_circuit((folder / "model.circuit").read_bytes())
        found = {"affidavit": next(iter(decode_outputs(circuit, dict(outputs)).values())).reshape(-1)}
    if theirs is not None:
        found["ezkl"] = np.asarray(theirs)
    largest = {name: float(np.abs(values - wanted).max()) for name, values in found.items()}
    for name, values in found.items():
        if largest[name] > TOLERANCE * np.ptp(wanted) or values.argmax() != wanted.argmax():
            raise RuntimeError(f"{name} computes something else than the float model: {values} against {wanted}")
    return {
        "float": wanted.tolist(),
        **{name: values.tolist() for name, values in found.items()},
        "largest_difference": largest,
        "tolerance": TOLERANCE * float(np.ptp(wanted)),
    }


def ratios(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, float | None]:
    """How many times longer EZKL takes, median by median; None where it has no figure."""
    found: dict[str, float | None] = {}
    for key in TIMES:
        spent = theirs.get(key)
        ratio = None if spent is None else spent["median_s"] / ours[key]["median_s"]
        found[key.removesuffix("_s") + "_ratio"] = ratio
    return found
