# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutants of JSON by its structure: names doubled and lost, values of other types, depth."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

_LARGE = 10**400
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1 << 31, 1 << 64, _LARGE, 1.5, 1e308, "", "A", "\ud800", "\0", "é", "=" * 9,
    [], {}, [[]], {"": None}, "0" * 5000,
)  # fmt: skip
MAX_DEPTH_MADE = 3000


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that a name may stand twice."""


def edit_document(rng: random.Random, data: bytes) -> bytes | None:
    """`data` with one or two nodes changed; None where it is no JSON, or too deep for this one, too."""
    try:
        return _edited_document(rng, data)
    except (ValueError, RecursionError):
        return None


def _edited_document(rng: random.Random, data: bytes) -> bytes:
    root = json.loads(data, object_pairs_hook=_Pairs)
    nodes = _containers(root)
    for _ in range(rng.choice((1, 1, 2))):
        node = rng.choice(nodes)
        if isinstance(node, _Pairs):
            _edit_pairs(rng, node, nodes)
        else:
            _edit_list(rng, node)
    return _written(rng, root).encode("utf-8", "surrogatepass")


def _containers(root: Any) -> list[Any]:
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            found.append(node)
            waiting += [child[1] for child in node] if isinstance(node, _Pairs) else node
    return found


def _edit_pairs(rng: random.Random, node: _Pairs, nodes: list[Any]) -> None:
    if not node:
        node.append(("", rng.choice(_VALUES)))
        return
    at, how = rng.randrange(len(node)), rng.randrange(7)
    name, value = node[at]
    if how == 0:
        del node[at]
    elif how == 1:
        node.append((name, value))
    elif how == 2:
        node[at] = (rng.choice((name.upper(), name + " ", "", name[:-1], "é" + name)), value)
    elif how == 3:
        node[at] = (name, _edited(rng, value))
    elif how == 4:
        other = rng.choice(nodes)
        found = rng.choice(other)[1] if isinstance(other, _Pairs) and other else rng.choice(_VALUES)
        node[at] = (name, copy.deepcopy(found))  # it may hold this very node
    elif how == 5:
        rng.shuffle(node)
    else:
        node[at] = (name, rng.choice(_VALUES))


def _edit_list(rng: random.Random, node: list[Any]) -> None:
    if not node:
        node.append(rng.choice(_VALUES))
        return
    at, how = rng.randrange(len(node)), rng.randrange(5)
    if how == 0:
        del node[at]
    elif how == 1:
        node += [node[at]] * rng.choice((1, 1, 2, 300))
    elif how == 2:
        node[at] = _edited(rng, node[at])
    elif how == 3:
        rng.shuffle(node)
    else:
        node[at] = rng.choice(_VALUES)


def _edited(rng: random.Random, value: Any) -> Any:
    """A text with a character changed, cut or doubled; a number near by; anything else, wrapped."""
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        how = rng.randrange(5)
        if how == 0:
            return value[:at]
        if how == 1:
            return value + value[at:]
        if how == 2:
            return value[:at] + rng.choice("AZaz09+/=-_ \n\u20ac") + value[at + 1 :]
        return value.swapcase() if how == 3 else value[:at] + value[at + rng.choice((1, 2, 4)) :]
    if isinstance(value, int) and not isinstance(value, bool):
        return rng.choice(
            (value + 1, value - 1, -value, value << 40, str(value), float(value) if value < 1 << 60 else 0)
        )
    return [value]


def _written(rng: random.Random, root: Any) -> str:
    text = _dump(root)
    if rng.randrange(100) == 0:
        depth = rng.choice((40, 500, MAX_DEPTH_MADE))
        return "[" * depth + text + "]" * depth
    return text


def _dump(node: Any) -> str:
    if isinstance(node, _Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{_dump(value)}" for name, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(_dump, node)) + "]"
    return str(node) if isinstance(node, int) and not isinstance(node, bool) else json.dumps(node)
