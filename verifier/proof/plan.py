# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a circuit and a batch size to what is committed, looked up and constrained.

Both sides compute the plan; nothing of it travels.  A tensor is either *committed* (an input, or the output of a
non-linear gate) or *linear*: a linear map of committed ones, never committed, whose claims are pushed backwards by
`linear`.  Non-linear gates are planned by the files of `gates/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal, TypeAlias

from circuits import Circuit, Gate
from circuits.gates import Site
from verifier.errors import UnsupportedError
from verifier.proof.expression import Expression, Shape, Source, Term
from verifier.proof.layout import Block, place
from verifier.proof.tables import Table
from verifier.proof.weight import Integers

Mode: TypeAlias = Literal["held", "committed"]
"""Whether the verifier holds the weights, or a commitment to them."""

MAX_BATCH = 1 << 16
MAX_LOG_COMMITTED = 28
MAX_LOG_LOOKUPS = 30


@dataclass(frozen=True, eq=False)
class Column:
    """A committed array [batch, *shape] (multiplicities: [1, rows])."""

    name: str
    shape: Shape


NOTHING = Expression()


@dataclass(frozen=True, eq=False)
class Lookup:
    """For every row inside `valid`, (first, second) is a row of the table; `valid` maps axis labels to 0/1 vectors."""

    name: str
    table: int
    shape: Shape
    first: Expression
    second: Expression = NOTHING
    valid: Mapping[int, Integers] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of valid rows."""
        return prod(int(self.valid[a].sum()) if a in self.valid else d for a, d in enumerate(self.shape))


@dataclass(frozen=True, eq=False)
class Constraint:
    """The expression is zero on every row."""

    name: str
    shape: Shape
    expression: Expression


@dataclass(frozen=True, eq=False)
class Product:
    """left * right = result on every row of `common`.

    With `matrix` (I, K, J) these are matrices behind the common axes: left [*common, I, K] @ right [*common, K, J].
    """

    name: str
    common: Shape
    left: Expression
    right: Expression
    result: Expression
    matrix: tuple[int, int, int] | None = None

    @property
    def left_shape(self) -> Shape:
        """Rows of `left`."""
        return (*self.common, *((self.matrix[0], self.matrix[1]) if self.matrix else ()))

    @property
    def right_shape(self) -> Shape:
        """Rows of `right`."""
        return (*self.common, *((self.matrix[1], self.matrix[2]) if self.matrix else ()))

    @property
    def rows(self) -> Shape:
        """Rows of `result`."""
        return (*self.common, *((self.matrix[0], self.matrix[2]) if self.matrix else ()))

    @property
    def inner(self) -> int:
        """Length of the summed axis; 1 without one."""
        return self.matrix[1] if self.matrix else 1


@dataclass(eq=False)
class Plan:
    """What `make_plan` returns.

    `recipes` tell the prover how to fill columns, by gate; `idle` counts, by table, the leaves of lookups that are
    padding or not valid, and hold the table's first row.
    """

    circuit: Circuit
    batch: int
    width: int
    mode: Mode
    sites: Sequence[Site]
    columns: list[Column] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    recipes: list[object] = field(default_factory=list)
    column_of: dict[int, int] = field(default_factory=dict)
    gate_of: dict[int, int] = field(default_factory=dict)
    table_keys: dict[object, int] = field(default_factory=dict)
    multiplicities: list[int] = field(default_factory=list)
    column_blocks: tuple[Block, ...] = ()
    committed: int = 0
    lookup_blocks: tuple[Block, ...] = ()
    table_blocks: tuple[Block, ...] = ()
    leaves: int = 0
    idle: tuple[int, ...] = ()

    @property
    def log_committed(self) -> int:
        """Variables of the committed vector."""
        return max(1, (self.committed - 1).bit_length())

    @property
    def log_leaves(self) -> int:
        """Variables of the lookup argument."""
        return max(1, (self.leaves - 1).bit_length())

    def shape_of(self, tensor: int) -> Shape:
        """[batch, *shape] of a tensor."""
        return (self.batch, *self.circuit.tensors[tensor].shape)

    def source_shape(self, source: Source) -> Shape:
        """Shape of what a term reads."""
        return self.shape_of(source.index) if source.kind == "tensor" else self.columns[source.index].shape

    def add_column(self, name: str, shape: Shape) -> int:
        """A committed column."""
        self.columns.append(Column(name, shape))
        return len(self.columns) - 1

    def commit(self, tensor: int) -> None:
        """Commit to a tensor."""
        self.column_of[tensor] = self.add_column(self.circuit.tensors[tensor].name, self.shape_of(tensor))

    def add_table(self, key: object, make: Callable[[], Table]) -> int:
        """The table of that key, made on first use."""
        if key not in self.table_keys:
            self.table_keys[key] = len(self.tables)
            self.tables.append(make())
        return self.table_keys[key]


def tensor(index: int, coefficient: int = 1) -> Expression:
    """A tensor as an expression."""
    return Expression((Term(Source("tensor", index), coefficient),))


def column(index: int, coefficient: int = 1) -> Expression:
    """A committed column as an expression."""
    return Expression((Term(Source("column", index), coefficient),))


def refuse(gate: Gate | Site, reason: str) -> UnsupportedError:
    """The refusal of a gate that this protocol version does not prove; to be raised by the caller."""
    return UnsupportedError(
        "proof.gate.unsupported",
        f"gate {gate.name!r} ({gate.kind}) cannot be proved: {reason}",
        remedy="verify this circuit by recomputation instead",
    )


def make_plan(circuit: Circuit, batch: int, width: int, sites: Sequence[Site], mode: Mode = "held") -> Plan:
    """The plan with range limbs of at most `width` bits.

    Raises UnsupportedError (proof.gate.unsupported, proof.size.unsupported).
    """
    from verifier.proof.gates import LINEAR, PLANNERS

    plan = Plan(circuit, batch, width, mode, sites)
    for port in circuit.inputs:
        plan.commit(port.tensor)
    for number, gate in enumerate(circuit.gates):
        site = sites[number]
        plan.gate_of[gate.output] = number
        if gate.kind in PLANNERS:
            PLANNERS[gate.kind](plan, gate, site)
        elif mode == "committed" and gate.kind in ("conv", "dense"):
            plan.commit(gate.output)  # see `layers`
        elif gate.kind not in LINEAR:
            raise refuse(gate, f"kind {gate.kind} has no argument in this version")
    for number, table in enumerate(plan.tables):
        plan.multiplicities.append(plan.add_column(f"multiplicities {number}", (1, len(table.rows()[0]))))
    plan.column_blocks, plan.committed = place([c.shape for c in plan.columns])
    shapes = [x.shape for x in plan.lookups] + [plan.columns[m].shape for m in plan.multiplicities]
    blocks, plan.leaves = place(shapes)
    plan.lookup_blocks, plan.table_blocks = blocks[: len(plan.lookups)], blocks[len(plan.lookups) :]
    idle = [0] * len(plan.tables)
    for lookup, block in zip(plan.lookups, plan.lookup_blocks, strict=True):
        idle[lookup.table] += block.length - lookup.rows
    plan.idle = tuple(idle)
    if plan.log_committed > MAX_LOG_COMMITTED or plan.log_leaves > MAX_LOG_LOOKUPS:
        raise UnsupportedError(
            "proof.size.unsupported",
            f"{plan.committed} committed values and {plan.leaves} lookups; at most 2^{MAX_LOG_COMMITTED} and "
            f"2^{MAX_LOG_LOOKUPS} are supported",
            remedy="prove a smaller batch",
        )
    return plan
