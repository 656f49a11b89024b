# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same prover and verifier with challenges from a tiny set and few queries, and provers that live off their luck.

A polynomial of degree d that is not zero has at most d roots in any set S, so every term of the accounting that is
stated as d / |F| holds as d / |S| for challenges drawn from S; `reduced` puts log2 |S| and the number of queries where
the accounting has its constants.  Both exist in this module alone: it exchanges names of modules while a block lasts.

A strategy proves one false statement.  Where it must lie it plants roots of its error in S, and it is honest again from
the moment on that a challenge hits one.  So its rate of success is known, and can be measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import log2

import numpy as np
import pytest

from circuits import Circuit, CircuitBuilder, evaluate
from circuits.circuit import IntArray
from prover import proving
from tests.proof import liars, opening_liar
from tests.proof.tiny import linear
from tests.proof.wrong_witness import Cheat
from verifier.errors import RejectedError
from verifier.proof import commitment, soundness, statement, verify_proof
from verifier.proof.field import Element
from verifier.proof.statement import prepare
from verifier.proof.transcript import Transcript


class Coarse(Transcript):
    """Challenges from a set of `size` elements: 2, 3, ... ; alpha from X + 2, X + 3, ..., which is no fingerprint."""

    size = 1

    def challenges(self, label: str, count: int) -> list[Element]:
        """`count` elements of the set, uniform since `size` is a power of two."""
        words = self._words(label)
        return [(2 + next(words) % self.size, int(label == "alpha")) for _ in range(count)]


@contextmanager
def reduced(size: int, queries: int) -> Iterator[None]:
    """Inside, both sides draw challenges from a set of that size, and the verifier asks for so many columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statement, "Transcript", type("Tiny", (Coarse,), {"size": size}))
        patch.setattr(soundness, "EXTENSION_BITS", log2(size))
        patch.setattr(soundness, "REQUIRED_BITS", -100)
        for module in (commitment, soundness):  # what the shape of the code is chosen for, and what is asked
            patch.setattr(module, "QUERIES", queries)
        statement._prepare.cache_clear()
        try:
            yield
        finally:
            statement._prepare.cache_clear()


def _squares(rows: int) -> Circuit:
    b = CircuitBuilder()
    t = b.input("x", (4,), 0, rows - 1)
    b.output("y", b.gate("table", "square", [t], [b.constant("t", np.arange(rows) ** 2)]))
    return b.build()


def looking_up() -> Circuit:
    """y = x^2 by a table of 8 rows, 4 times."""
    return _squares(8)


def looking_up_little() -> Circuit:
    """The same with 4 rows: fewer chances for whoever cheats, and so a smaller set that says something."""
    return _squares(4)


Tensors = list[IntArray]


@dataclass(frozen=True)
class Strategy:
    """One way to cheat.

    Attributes:
        circuit: about what.
        size, queries: the reduced parameters.
        falsify: makes a false execution of a true one, in place.
        patches: what replaces what in `prover.proving`.
        rate: how often it succeeds.
        term: beginning of the accounting's terms that it feeds on.
        codes: with which it is rejected when it has no luck.
    """

    circuit: Callable[[], Circuit]
    size: int
    queries: int
    falsify: Callable[[Tensors], None]
    patches: Mapping[str, object]
    rate: float
    term: str
    codes: frozenset[str]


def _vanishing(tensors: Tensors) -> None:
    """Outputs wrong by (5 - u)(9 - v) at index (u, v): the extension is zero where tau is 5 or 9 there."""
    error = np.array([(5 - u) * (9 - v) for u in (0, 1) for v in (0, 1)])
    tensors[-1] = tensors[-1] + error.reshape(tensors[-1].shape)


def _one_off(tensors: Tensors) -> None:
    tensors[-1] = tensors[-1].copy()
    tensors[-1].reshape(-1)[0] -= 1


def _collision(tensors: Tensors) -> None:
    """x[0] = 3 with y[0] = 0: looks like the row (1, 1) where 3 = 1 + gamma, that is for gamma = 2."""
    tensors[-1] = tensors[-1].copy()
    tensors[-1][0, 0] = 0


def _counted_as_one(witness: Cheat, counted: bool) -> None:
    if counted:
        witness.columns[witness.plan.multiplicities[0]][0, 1] += 1


def _witness(alter: Callable[[Cheat, bool], None] = lambda witness, counted: None) -> type[Cheat]:
    return type("Altered", (Cheat,), {"alter": staticmethod(alter)})


def _wide() -> Circuit:
    """dense without a requantisation behind it: four outputs with room for errors in their bounds, none looked up."""
    b = CircuitBuilder()
    x = b.input("x", (2,), -100, 100)
    w, bias = b.constant("w", np.array([[3, -2, 1, 2], [1, 1, -4, 2]])), b.constant("b", np.zeros(4, np.int64))
    b.output("y", b.gate("dense", "fc", [x], [w, bias]))
    return b.build()


def multiplying() -> Circuit:
    """y = x z, 8 times, and nothing else."""
    b = CircuitBuilder()
    x, z = b.input("x", (2, 4), -4, 3), b.input("z", (2, 4), -4, 3)
    b.output("y", b.gate("mul", "product", [x, z], []))
    return b.build()


def _at_least_once(chances: int, size: int) -> float:
    return 1 - (1 - 1 / size) ** chances


_LEVELS, _ROUNDS = 4, 6  # of `looking_up`: 16 leaves
_HIDDEN = 1 / 8  # of `linear` with few queries: a code of 2 in 8 positions, one of them without the difference
_LOOKUP = frozenset(
    {"proof.lookup.round-mismatch", "proof.lookup.children", "proof.lookup.sum", "proof.claims.mismatch"}
)
_CLAIMS = frozenset({"proof.claims.mismatch"})


def _lookups(
    size: int, chances: int, term: str, circuit: Callable[[], Circuit] = looking_up, **choices: bool
) -> Strategy:
    patches = {"Witness": _witness(), "prove_fractions": liars.fractions(**choices)}
    rate = _at_least_once(chances, size)
    return Strategy(circuit, size, 20, _one_off, patches, rate, term, _LOOKUP)


STRATEGIES: dict[str, Strategy] = {
    "wrong outputs that vanish at tau": Strategy(
        _wide, 64, 20, _vanishing, {}, _at_least_once(2, 64), "constraints", _CLAIMS
    ),
    "lies in the inner product": Strategy(
        linear,
        128,
        20,
        _one_off,
        {"prove_inner_product": liars.inner_product(128)},
        _at_least_once(6, 128),
        "inner product",
        _CLAIMS,
    ),
    "lies in the product rounds": Strategy(
        multiplying,
        128,
        20,
        _one_off,
        {"prove_products": liars.products()},
        _at_least_once(6, 128),
        "product",
        _CLAIMS,
    ),
    "lies in the lookup rounds": _lookups(256, 2 * _ROUNDS, "lookup rounds", rounds=True),
    "lies about lookup children": _lookups(256, _LEVELS, "lookup levels", children=True),
    "lies about lookup levels' mix": _lookups(256, _LEVELS - 1, "lookup levels", mixes=True),
    "leaf claims that cancel": _lookups(128, 1, "combining claims", looking_up_little, merge=True),
    "all lookup lies at once": _lookups(256, 2 * _ROUNDS + _LEVELS, "lookup", rounds=True, children=True, merge=True),
    "fingerprints that collide": Strategy(
        looking_up_little,
        128,
        20,
        _collision,
        {"Witness": _witness(_counted_as_one)},
        1 / 128,
        "lookup identity",
        _LOOKUP,
    ),
    **{
        f"an opening wrong in few columns, {queries} queries": Strategy(
            linear,
            1 << 20,
            queries,
            _one_off,
            opening_liar.opening(),
            _HIDDEN**queries,
            "queries",
            frozenset({"proof.opening.evaluation"}),
        )
        for queries in (1, 2)
    },
}


@dataclass(frozen=True)
class Measured:
    """What came of a number of attempts.

    Attributes:
        tries, accepted: how many, and how many passed.
        bound: what the accounting adds up to at the reduced parameters; `term` the share that the strategy feeds on.
        codes: with which the others were rejected.
    """

    tries: int
    accepted: int
    bound: float
    term: float
    codes: frozenset[str]


def measure(strategy: Strategy, tries: int, seed: int = 0, *, full: bool = False) -> Measured:
    """Try that often, each time with another context, which makes all challenges anew; `full`: nothing is reduced."""
    circuit = strategy.circuit()
    inputs = {p.name: np.full((1, *circuit.tensors[p.tensor].shape), 3, np.int64) for p in circuit.inputs}
    tensors = evaluate(circuit, inputs)
    strategy.falsify(tensors)
    outputs = {p.name: tensors[p.tensor] for p in circuit.outputs}
    accepted, codes = 0, set[str]()
    smaller = nullcontext() if full else reduced(strategy.size, strategy.queries)
    with smaller, pytest.MonkeyPatch.context() as patch:
        prepared = prepare(circuit, 1)
        terms = soundness.account(prepared.plan, prepared.code, None, prepared.queries)
        for name, replacement in strategy.patches.items():
            patch.setattr(proving, name, replacement)
        for attempt in range(tries):
            context = hashlib.sha256(f"{seed}/{attempt}".encode()).digest()
            proof = proving.prove(circuit, inputs, context=context, tensors=tensors)
            try:
                verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=outputs, context=context)
                accepted += 1
            except RejectedError as error:
                codes.add(error.code)
    bound = sum(term.error for term in terms)
    share = sum(term.error for term in terms if term.name.startswith(strategy.term))
    return Measured(tries, accepted, bound, share, frozenset(codes))


def honest(circuit: Circuit, size: int, queries: int, tries: int) -> None:
    """Raises where a true statement is rejected at reduced parameters."""
    inputs = {p.name: np.full((1, *circuit.tensors[p.tensor].shape), 3, np.int64) for p in circuit.inputs}
    with reduced(size, queries):
        for attempt in range(tries):
            context = hashlib.sha256(f"honest/{attempt}".encode()).digest()
            proof = proving.prove(circuit, inputs, context=context)
            verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=proof.outputs, context=context)
