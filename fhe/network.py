# SPDX-License-Identifier: AGPL-3.0-or-later
"""A circuit, or a part of it, as what an encrypted network is: affine layers with squares between them.

::

    h_0 = x;   h_i = (A_i h_(i-1) + b_i) / 2^(s_i);   between layers  h -> h^2, or (h, h^2) side by side

Every run of linear gates (dense, conv, affine, reduce_sum, reshape, transpose, concat, pad) is folded into one integer
matrix by evaluating the gates, through their own rules, on the unit vectors and on zero. That is exact: int64
arithmetic wraps modulo 2^64, and the true values, differences of values that the circuit bounds by 2^53, fit. A requant
whose clamp cannot bind is the factor 2^-s, exact up to its floor, and so allowed in CKKS alone. `mul` of a tensor with
itself is a square. Whatever else occurs is refused with the gate's name and the reason, never approximated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from circuits import Circuit, Gate
from circuits.circuit import IntArray
from circuits.derivation import site_of
from circuits.gates import Site, rule_of
from fhe.errors import UnsupportedError
from fhe.limits import MAX_FEATURES, MAX_MATRIX, MAX_SEGMENTS
from fhe.presets import Preset
from fhe.support import refusal_of

__all__ = ["Layer", "Network", "Windows", "read_network"]

MARGIN = 4
"""How much larger than in calibration values may be."""


@dataclass(frozen=True, eq=False, slots=True)
class Windows:
    """The geometry of a convolution that is the whole of a first layer: which inputs each position sees.

    Attributes:
        taps: int64 [positions, taps], indices into the flattened input, -1 for padding.
        filters: int64 [channels, taps].
        bias: int64 [channels].
    """

    taps: IntArray
    filters: IntArray
    bias: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """One affine layer: y = (matrix @ h + bias) / 2^shift.

    Attributes:
        matrix: int64 [outputs, inputs], or [outputs, 2 * inputs] on (h, h^2).
        bias: int64 [outputs].
        shift: 0 in an exact network.
        magnitude: of the layer's output: |y| is at most this, by the circuit's bounds.
        after: None for the first layer; "square" on h^2; "both" on (h, h^2).
        gates: names of what was folded.
        windows: set where the layer is one convolution.
    """

    matrix: IntArray
    bias: IntArray
    shift: int
    magnitude: int
    after: str | None
    gates: tuple[str, ...]
    windows: Windows | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Network:
    """Layers with squares between them; input integers in [lo, hi], row-major.

    `start` and `stop` are the tensors of the circuit that it reads and produces.
    """

    layers: tuple[Layer, ...]
    lo: int
    hi: int
    start: int
    stop: int

    @property
    def exact(self) -> bool:
        """No requantisation: BFV computes the circuit's own integers."""
        return all(layer.shift == 0 for layer in self.layers)

    def limited(self, magnitudes: Sequence[int]) -> Network:
        """The same with smaller magnitudes: what the values are expected to stay within, rather than what they must."""
        pairs = zip(self.layers, magnitudes, strict=True)
        return replace(self, layers=tuple(replace(x, magnitude=max(1, min(x.magnitude, m))) for x, m in pairs))

    def measured(self, inputs: IntArray) -> list[int]:
        """MARGIN times the largest value of each layer over integer inputs [samples, ...]."""
        values: npt.NDArray[np.float64] = inputs.reshape(len(inputs), -1).astype(np.float64)
        found = []
        for layer in self.layers:
            if layer.after is not None:
                squared = values * values
                values = np.concatenate([values, squared], axis=1) if layer.after == "both" else squared
            values = (values @ layer.matrix.T + layer.bias) / 2.0**layer.shift
            found.append(int(MARGIN * np.abs(values).max()) + 1)
        return found

    @property
    def squares(self) -> int:
        """Squares on the way."""
        return len(self.layers) - 1


def read_network(circuit: Circuit, *, start: int | None = None, stop: int | None = None) -> Network:
    """The part of a circuit between two of its tensors, by default all of it, as an encrypted network.

    Args:
        circuit: any circuit.
        start: the tensor that is encrypted; by default the input, which must be the only one.
        stop: the tensor that is returned; by default the output, which must be the only one.

    Raises:
        UnsupportedError: ``fhe.network.ports`` (several inputs or outputs), ``.gate`` (a gate that does not run
            encrypted), ``.shape`` (values that skip a square), ``.too-large``.
    """
    if (start is None and len(circuit.inputs) != 1) or (stop is None and len(circuit.outputs) != 1):
        raise UnsupportedError(
            "fhe.network.ports", f"{len(circuit.inputs)} inputs, {len(circuit.outputs)} outputs; required one of each"
        )
    first = 0 if start is None else start
    last = circuit.outputs[0].tensor if stop is None else stop
    if not 0 <= first < last < len(circuit.tensors):
        raise UnsupportedError("fhe.network.ports", f"tensors {first} to {last}; required an earlier and a later one")
    source = circuit.tensors[first]
    if source.lo == source.hi:
        raise UnsupportedError("fhe.network.ports", f"tensor {source.name!r} is constant; nothing to encrypt")
    fold = _Fold(circuit, first)
    for gate in _between(circuit, first, last):
        fold.apply(gate)
    layers = fold.finish(last)
    return Network(layers, source.lo, source.hi, first, last)


def _between(circuit: Circuit, first: int, last: int) -> list[Gate]:
    """The gates that `last` needs, in order, without those that `first` is made from."""
    needed = {last}
    chosen = []
    for gate in reversed(circuit.gates):
        if gate.output in needed and gate.output > first:
            chosen.append(gate)
            needed.update(gate.inputs)
    return chosen[::-1]


class _Fold:
    """Tensors as affine functions of the current layer's input: int64 [inputs + 1, *shape], the last row constant."""

    def __init__(self, circuit: Circuit, first: int) -> None:
        self.circuit = circuit
        self.layers: list[Layer] = []
        self.after: str | None = None
        self.first = first
        self._begin({first: 0}, circuit.tensors[first].elements)

    def _begin(self, offsets: Mapping[int, int], size: int) -> None:
        if size > MAX_FEATURES:
            raise UnsupportedError(
                "fhe.network.too-large", f"{size} values into a layer; required {MAX_FEATURES} at most"
            )
        self.size = size
        self.known: dict[int, tuple[IntArray, int]] = {}
        self.gates: list[Gate] = []
        for tensor, offset in offsets.items():
            shape = self.circuit.tensors[tensor].shape
            unit = np.zeros((size + 1, self.circuit.tensors[tensor].elements), np.int64)
            unit[offset : offset + unit.shape[1]] = np.eye(unit.shape[1], dtype=np.int64)
            self.known[tensor] = (unit.reshape(size + 1, *shape), 0)

    def apply(self, gate: Gate) -> None:
        """Add one gate."""
        reason = refusal_of(self.circuit, gate)
        if reason is not None:
            raise UnsupportedError(
                "fhe.network.gate", f"gate {gate.name!r} ({gate.kind}) does not run encrypted: {reason}"
            )
        missing = [self.circuit.tensors[i].name for i in gate.inputs if i not in self.known]
        if missing:
            raise UnsupportedError("fhe.network.shape", f"gate {gate.name!r} reads {missing[0]!r} from before a square")
        if gate.kind == "mul":
            self._square(gate)
            return
        site = site_of(gate, self.circuit.tensors, self.circuit.constants)
        if self.circuit.tensors[gate.output].elements * self.size > MAX_MATRIX:
            raise UnsupportedError("fhe.network.too-large", f"gate {gate.name!r} folds to over {MAX_MATRIX} entries")
        self.gates.append(gate)
        self.known[gate.output] = self._shifted(site, gate) if gate.kind == "requant" else self._linear(site, gate)

    def _linear(self, site: Site, gate: Gate) -> tuple[IntArray, int]:
        rule = rule_of(gate.kind)
        shift = max(self.known[i][1] for i in gate.inputs)
        values = [self.known[i][0] << (shift - self.known[i][1]) for i in gate.inputs]
        zero = rule.evaluate(site, [np.zeros((1, *v.shape[1:]), np.int64) for v in values])
        out = rule.evaluate(site, values) - zero
        out[-1] += zero[0] << shift
        return _bounded(out, gate.name), shift

    def _shifted(self, site: Site, gate: Gate) -> tuple[IntArray, int]:
        values, shift = self.known[gate.inputs[0]]
        (shifts,) = site.constants
        most = int(shifts.max())
        factors = np.int64(1) << (most - shifts)
        if shifts.size > 1:
            factors = factors.reshape(-1, *([1] * (values.ndim - 2)))
        return _bounded(values * factors, gate.name), shift + most

    def _square(self, gate: Gate) -> None:
        tensor = gate.inputs[0]
        self._close(tensor)
        size = self.circuit.tensors[tensor].elements
        self.after = "both"
        self._begin({tensor: 0, gate.output: size}, 2 * size)

    def _close(self, tensor: int) -> None:
        """End the current layer at that tensor."""
        if len(self.layers) == MAX_SEGMENTS:
            raise UnsupportedError("fhe.network.too-large", f"over {MAX_SEGMENTS} layers")
        values, shift = self.known[tensor]
        matrix = np.ascontiguousarray(values[:-1].reshape(self.size, -1).T)
        after = self.after
        if after == "both" and not matrix[:, : self.size // 2].any():
            matrix, after = np.ascontiguousarray(matrix[:, self.size // 2 :]), "square"
        names = tuple(g.name for g in self.gates)
        windows = self._windows() if after is None and not shift else None
        magnitude = self.circuit.tensors[tensor].magnitude
        self.layers.append(Layer(matrix, values[-1].reshape(-1).copy(), shift, magnitude, after, names, windows))

    def _windows(self) -> Windows | None:
        """The geometry, where the layer is one convolution without groups and then only reshapes."""
        moved = [g for g in self.gates if g.kind != "reshape"]
        if len(moved) != 1 or moved[0].kind != "conv" or self.gates[0] is not moved[0]:
            return None
        site = site_of(moved[0], self.circuit.tensors, self.circuit.constants)
        weights, bias = site.constants
        if site.integer("groups") != 1 or moved[0].inputs[0] != self.first:
            return None
        from circuits.gates.windows import windows

        shape = self.circuit.tensors[self.first].shape
        index = np.arange(self.circuit.tensors[self.first].elements, dtype=np.int64).reshape(1, *shape)
        view = windows(index, weights.shape[2:], site, fill=-1)[0]
        rank = weights.ndim - 2
        axes = (*range(1, 1 + rank), 0, *range(1 + rank, 1 + 2 * rank))
        filters = weights.reshape(len(bias), -1)
        return Windows(np.ascontiguousarray(view.transpose(axes)).reshape(-1, filters.shape[1]), filters, bias)

    def finish(self, last: int) -> tuple[Layer, ...]:
        """All layers, the last one ending at tensor `last`."""
        self._close(last)
        return tuple(self.layers)


def _bounded(values: IntArray, name: str) -> IntArray:
    if values.size and int(np.abs(values).max()) >= 1 << 53:
        raise UnsupportedError("fhe.network.too-large", f"gate {name!r}: folded weights reach 2^53")
    return values


def check_range(network: Network, preset: Preset) -> None:
    """BFV computes modulo t: raises UnsupportedError (``fhe.plan.range``) where a value could wrap."""
    worst = max([max(abs(network.lo), abs(network.hi)), *(layer.magnitude for layer in network.layers)])
    if 2 * worst >= preset.plain_modulus:
        raise UnsupportedError(
            "fhe.plan.range",
            f"values reach {worst}; required below {preset.plain_modulus // 2} for {preset.name}",
            "use fewer bits for weights or inputs, or another preset",
        )
