# SPDX-License-Identifier: AGPL-3.0-or-later
"""A prover that lies in the very last step, the opening; see `cheating`."""

from __future__ import annotations

from typing import Any

from prover.messages import Writer
from prover.opening import Committed
from tests.proof.liars import Elements, inner_rounds, total
from verifier.proof import commitment as code_of
from verifier.proof import merkle, vectors
from verifier.proof.commitment import powers_of
from verifier.proof.field import ONE, ZERO, Element, P, add, eq_bits, inverse, mul, root_of_unity, sub
from verifier.proof.modular import Words
from verifier.proof.transcript import Transcript


def opening() -> dict[str, Any]:
    """In the place of inner product and opening: rounds without a lie, then the value that the last claim needs.

    The row that gives it differs from the true one by a polynomial of degree below C, with C - 1 of its roots among the
    first positions of the code: queries there see nothing.
    """
    needed: dict[str, Element] = {}

    def prove_inner_product(
        writer: Writer,
        transcript: Transcript,
        vector: Words,
        weights: Words,
        log_length: int,
        claim: Element,
        label: str,
    ) -> Elements:
        found = inner_rounds(writer, transcript, vector, weights, log_length, claim, label, lambda error: (ZERO, ZERO))
        point, last, weight = found
        needed["value"] = mul(last, inverse(weight))
        return point

    def open_at(committed: Committed, writer: Writer, transcript: Transcript, point: Elements, queries: int) -> None:
        code = committed.code
        high, low = point[: len(point) - code.log_columns], point[len(point) - code.log_columns :]
        mix = transcript.challenge("proximity mix")
        matrix = committed.matrix.tolist()
        eqs, powers = (vectors.elements(x) for x in (vectors.eq_vector(high, code.rows), powers_of(mix, code.rows)))
        v, u = (
            [total([mul(c[i], (matrix[i][j], 0)) for i in range(code.rows)]) for j in range(code.columns)]
            for c in (eqs, powers)
        )
        vanishing = [ONE]
        for position in range(code.columns - 1):
            vanishing = _times_root(vanishing, _place(position, code.log_columns))
        low_eqs = [eq_bits(low, j) for j in range(code.columns)]
        has = total([mul(x, e) for x, e in zip(v, low_eqs, strict=True)])
        gives = total([mul(x, e) for x, e in zip(vanishing, low_eqs, strict=True)])
        scale = mul(sub(needed["value"], has), inverse(gives))
        v = [add(x, mul(scale, d)) for x, d in zip(v, vanishing, strict=True)]
        data = b"".join(c.to_bytes(8, "little") for row in (v, u) for x in row for c in x)
        writer.raw("opening rows", data)
        transcript.absorb("opening rows", data)
        positions = sorted(set(transcript.indices("queries", queries, code.log_positions)))
        writer.raw("opened columns", committed.columns[positions].tobytes())
        missing = merkle.siblings_needed(positions, code.log_positions)
        writer.raw("Merkle siblings", b"".join(committed.tree[level][i].tobytes() for level, i in missing))

    return {"prove_inner_product": prove_inner_product, "open_at": open_at}


def _place(position: int, log_columns: int) -> int:
    """Where the code's polynomial is evaluated for a position."""
    coset, i = position >> log_columns, position & ((1 << log_columns) - 1)
    reverse = int(format(i, f"0{log_columns}b")[::-1], 2)
    shift = pow(root_of_unity(log_columns + code_of.RATE_BITS), coset, P)
    return shift * pow(root_of_unity(log_columns), reverse, P) % P


def _times_root(polynomial: Elements, root: int) -> Elements:
    """polynomial * (x - root), coefficients from the constant one on."""
    shifted = [ZERO, *polynomial]
    return [sub(a, mul((root, 0), b)) for a, b in zip(shifted, [*polynomial, ZERO], strict=True)]
