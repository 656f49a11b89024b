# SPDX-License-Identifier: AGPL-3.0-or-later
"""A result as a plain JSON object: the one shape that command line, service and SDK print.

Nothing in here decides. What stands under ``claims`` is what the file says of itself: the receipt's claims
are believed as far as the checks above them go, and times, runtime, device and ``meta`` never are.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from verifier.keys import key_id
from verifier.ledger import Ledger
from verifier.plain import plain
from verifier.receipt import Receipt
from verifier.score import Score
from verifier.verdict import Verdict
from verifier.verify import Result

FORMAT = "verdict@v1"
MAX_LISTED_ELEMENTS = 4096
"""A tensor of the answer with more elements is named by dtype, shape and SHA-256."""


def result_json(result: Result, at: datetime) -> dict[str, Any]:
    """Render ``result`` for the time ``at`` (aware) that the question was asked for.

    Returns:
        ``format``, ``at``, ``verdict``, ``exit_code``, ``code``, ``message``, ``remedy``, ``checks`` (see
        :meth:`verifier.verdict.Check.as_json`), ``ledger`` (``layers``, ``gates``), ``score`` (``value`` as
        decimal text, ``permille``, ``components``), ``claims`` (``receipt`` or null, ``evidence``) and
        ``answer``: null, or on ACCEPT each output by name, as :func:`tensor_json` gives it. Strings,
        integers, booleans, null, and finite floats in ``answer`` only.
    """
    return {
        "format": FORMAT,
        "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "verdict": result.verdict.value,
        "exit_code": result.verdict.exit_code,
        "code": result.code,
        "message": result.message,
        "remedy": result.remedy,
        "checks": [check.as_json() for check in result.checks],
        "ledger": _ledger(result.ledger),
        "score": _score(result.score),
        "claims": {
            "receipt": None if result.receipt is None else _receipt(result.receipt),
            "evidence": [plain(claims) for claims in result.claims],
        },
        "answer": None
        if result.answer is None or result.verdict is not Verdict.ACCEPT
        else {name: tensor_json(array) for name, array in result.answer.items()},
    }


def tensor_json(array: npt.NDArray[Any]) -> dict[str, Any]:
    """``dtype``, ``shape``, and ``values`` (nested lists) or, when large or not finite, ``sha256``.

    The digest is over the elements in C order, little-endian.
    """
    described: dict[str, Any] = {"dtype": str(array.dtype), "shape": list(array.shape)}
    if array.size <= MAX_LISTED_ELEMENTS and bool(np.isfinite(array).all()):
        return described | {"values": array.tolist()}
    raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return described | {"sha256": hashlib.sha256(raw).hexdigest()}


def _ledger(ledger: Ledger) -> dict[str, Any]:
    return {
        "layers": [
            {
                "name": layer.name,
                "reached": layer.reached,
                "rests_on": list(layer.rests_on),
                "bits": layer.bits,
            }
            for layer in ledger.layers
        ],
        "gates": [{"name": gate.name, "kind": gate.kind, "assurance": gate.assurance} for gate in ledger.gates],
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "value": f"{score.permille // 1000}.{score.permille % 1000:03d}",
        "permille": score.permille,
        "components": [
            {
                "name": component.name,
                "weight": component.weight,
                "passed": component.passed,
                "total": component.total,
                "points": component.points,
            }
            for component in score.components
        ],
    }


def _receipt(receipt: Receipt) -> dict[str, Any]:
    # Sections that this version cannot check are named, never shown: nobody read them.
    shown = receipt.statement().predicate.items()
    claims = {key: plain(value) for key, value in shown if value is not None}
    return claims | {"keyId": key_id(receipt.keys.signing), "unsupported": list(receipt.extensions)}
