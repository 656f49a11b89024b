# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who imports whom, read from source without running it: the arrows of ARCHITECTURE.md as functions.

`sources` everywhere maps a dotted module name ("circuits.gates.conv"; a package by its own name) to its
source. An import counts wherever it stands: lazily inside a function, or as a string given to
`import_module`. Imports under `if TYPE_CHECKING:` count as arrows between rooms, but not in the verifying
core's closure, since they never run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ARROWS: Mapping[str, frozenset[str]] = {
    "circuits": frozenset(),
    "attestation": frozenset(),
    "fhe": frozenset({"circuits"}),
    "verifier": frozenset({"circuits", "attestation", "fhe"}),
    "prover": frozenset({"circuits", "verifier"}),
    "node": frozenset({"prover", "attestation", "fhe", "circuits", "verifier"}),
    "coordinator": frozenset({"verifier", "circuits"}),
    "affidavit": frozenset({"circuits", "attestation", "fhe", "verifier", "prover", "node", "coordinator"}),
}
"""Room -> the rooms that it may import."""

CORE_LIBRARIES = frozenset({"cbor2", "cryptography", "numpy"})
"""The third-party packages in the verifying core's closure."""

CORE_OPTIONAL = {
    "attestation.intel.second_opinion": "dcap_qvl",
    "attestation.nvidia.xmldsig": "signxml",
    "verifier.proof.compiled": "numba",
}
"""Module -> what it alone may import, and without which the core does the same more slowly, or says what it cannot."""

# fmt: off
CORE_FORBIDDEN = frozenset({
    "asyncio", "ctypes", "dbm", "fcntl", "ftplib", "glob", "http", "imaplib", "importlib",
    "logging", "mmap", "multiprocessing", "os", "pickle", "poplib", "random", "runpy", "sched",
    "secrets", "select", "selectors", "shelve", "shutil", "signal", "smtplib", "socket",
    "socketserver", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "timeit",
    "urllib.request", "webbrowser", "xmlrpc",
})
# fmt: on
"""Standard modules by which clock, network, environment, chance or a database could enter the core."""

CORE_FORBIDDEN_CALLS = frozenset(
    {"datetime.now", "datetime.today", "datetime.utcnow", "date.today", "eval", "exec", "open", "__import__"}
)


@dataclass(frozen=True)
class Import:
    """One import statement: `target` is the imported module, or the name in it, as written."""

    importer: str
    target: str
    line: int
    runs: bool  # False under `if TYPE_CHECKING:`

    def __str__(self) -> str:
        """Return "importer:line imports target"."""
        return f"{self.importer}:{self.line} imports {self.target}"


def read_sources(root: Path) -> dict[str, str]:
    """Return the source of every module in every room under the repository root."""
    sources = {}
    for room in ARROWS:
        for path in sorted((root / room).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            sources[name] = path.read_text(encoding="utf-8")
    return sources


def room_of(module: str) -> str:
    """Return the first part of a dotted name."""
    return module.partition(".")[0]


def imports_of(module: str, sources: Mapping[str, str]) -> list[Import]:
    """Return the imports of one module, relative ones resolved, `from p import m` as p.m."""
    tree = ast.parse(sources[module], module)
    is_package = any(name.startswith(module + ".") for name in sources)
    quiet = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }

    def targets(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, base] if base else parts)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = ast.unparse(node.func)
            if name.endswith(("import_module", "__import__")) and isinstance(node.args[0].value, str):
                yield node.args[0].value

    return [
        Import(module, target, getattr(node, "lineno", 0), id(node) not in quiet)
        for node in ast.walk(tree)
        for target in targets(node)
    ]


def forbidden_arrows(sources: Mapping[str, str]) -> list[str]:
    """Return every import of a room by a room that ARROWS does not name."""
    return [
        str(found)
        for module in sources
        for found in imports_of(module, sources)
        if room_of(found.target) in ARROWS
        and room_of(found.target) != room_of(module)
        and room_of(found.target) not in ARROWS[room_of(module)]
    ]


def circles(edges: Mapping[str, frozenset[str]]) -> list[str]:
    """Return one room of each circle, i.e. the rooms that reach themselves."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(edges.get(start, ()))
        while waiting:
            room = waiting.pop()
            if room not in seen:
                seen.add(room)
                waiting.extend(edges.get(room, ()))
        return seen

    return [room for room in edges if room in reachable(room)]


def room_edges(sources: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return room -> the other rooms that it imports, as the source has it."""
    edges: dict[str, set[str]] = {room_of(module): set() for module in sources}
    for module in sources:
        for found in imports_of(module, sources):
            target = room_of(found.target)
            if target in edges and target != room_of(module):
                edges[room_of(module)].add(target)
    return {room: frozenset(targets) for room, targets in edges.items()}


def core_modules(sources: Mapping[str, str]) -> list[str]:
    """Return the verifying core: `verifier` and what is below it, `verifier.service` excepted."""
    return [
        module
        for module in sources
        if room_of(module) == "verifier" and (module + ".").startswith("verifier.service.") is False
    ]


def core_closure(sources: Mapping[str, str]) -> list[str]:
    """Return every module of ours that importing the core can run, parents' `__init__` included."""
    seen: set[str] = set()
    waiting = core_modules(sources)
    while waiting:
        module = waiting.pop()
        if module in seen or module not in sources:
            continue
        seen.add(module)
        for found in imports_of(module, sources):
            if found.runs:
                parts = found.target.split(".")
                waiting.extend(".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return sorted(seen)


def core_violations(sources: Mapping[str, str]) -> list[str]:
    """Return every import or call in the core's closure that lets the outside world in."""
    found: list[str] = []
    for module in core_closure(sources):
        entries = imports_of(module, sources)
        found.extend(
            str(entry)
            for entry in entries
            if entry.runs and not allowed_in_core(entry.target) and CORE_OPTIONAL.get(module) != room_of(entry.target)
        )
        for node in ast.walk(ast.parse(sources[module], module)):
            if isinstance(node, ast.Call):
                name = ".".join(ast.unparse(node.func).split(".")[-2:])
                if name in CORE_FORBIDDEN_CALLS:
                    found.append(f"{module}:{node.lineno} calls {name}")
    return found


def allowed_in_core(target: str) -> bool:
    """Whether the core may import this: pure modules of ours, a few libraries, pure standard modules."""
    top = room_of(target)
    if top in ARROWS:
        return top in ARROWS["verifier"] | {"verifier"} and not (target + ".").startswith("verifier.service.")
    if top in CORE_LIBRARIES:
        return True
    prefixes = {target, target.rpartition(".")[0], top}
    return top in sys.stdlib_module_names and not prefixes & CORE_FORBIDDEN
