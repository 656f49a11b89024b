# SPDX-License-Identifier: AGPL-3.0-or-later
"""The float model in onnxruntime: one thread, no graph optimisation, so that two runs on one machine agree bit for bit.

Across processors the last bits of float sums may differ; what is derived from them here is rounded (calibration.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime as ort

from circuits.compiler.model import Model
from circuits.errors import MalformedError
from circuits.ops.operator import Array

LOG_FATAL = 4


class FloatModel:
    """Runs the model as given; `expose` names intermediate tensors to be returned as well."""

    def __init__(self, model: Model, expose: Sequence[str] = ()) -> None:
        self.model = model
        proto = onnx.load_model_from_string(model.serialised)
        present = {o.name for o in proto.graph.output}
        proto.graph.output.extend(onnx.ValueInfoProto(name=n) for n in dict.fromkeys(expose) if n not in present)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = LOG_FATAL
        try:
            self.session = ort.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
        except Exception as exc:
            raise _refusal(exc) from exc

    def chunks(self, inputs: Mapping[str, Array], names: Sequence[str], size: int) -> Iterator[dict[str, Array]]:
        """Values of the named tensors, `size` samples at a time (the model's own batch size, if it fixes one)."""
        fixed = self.model.fixed_batch
        total = len(next(iter(inputs.values())))
        step = fixed or size
        for start in range(0, total, step):
            part = {k: v[start : start + step] for k, v in inputs.items()}
            count = len(next(iter(part.values())))
            if fixed and count < fixed:  # repeat the last sample up to the fixed batch
                part = {k: np.concatenate([v, np.repeat(v[-1:], fixed - count, axis=0)]) for k, v in part.items()}
            try:
                values = self.session.run(list(names), part)
            except Exception as exc:
                raise _refusal(exc) from exc
            yield {n: np.asarray(v)[:count] for n, v in zip(names, values, strict=True)}

    def run(self, inputs: Mapping[str, Array], names: Sequence[str], size: int = 64) -> dict[str, Array]:
        """The same, all samples at once."""
        parts = list(self.chunks(inputs, names, size))
        return {n: np.concatenate([p[n] for p in parts]) for n in names}


def _refusal(exc: Exception) -> MalformedError:
    reason = next((line for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
    return MalformedError(
        "compile.onnx.runtime",
        f"onnxruntime does not run the model: {reason[:300]}",
        "Run the model in onnxruntime with the same inputs first.",
    )
