# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rego policies, for whoever shares them with Trustee, Veraison or NVIDIA: they can only worsen a judgement.

Run outside the core, by rego-cpp (``pip install 'affidavit[rego]'``). Input is the appraisal's JSON
(:func:`verifier.appraisal.report.judgement_json`, less ``ear``) with its claims also under the format's short name, as
``input.snp``. Of the package that the source names these rules count:

===========================================  ============================================================
rule                                         line
===========================================  ============================================================
``allow`` or ``nv_match``                    ``true``: PASS; anything else: FAIL ``policy.rego.denied``
``executables``, ``hardware``, ...           an AR4SI claim: affirming PASS, warning PASS as tolerated,
(``_`` for ``-`` in the category's name)     none an open line, contraindicated FAIL ``policy.rego.denied``
none of these is defined                     an open line that is demanded, ``policy.rego.undefined``
===========================================  ============================================================

It runs in a process of its own with bounds on time and memory (:mod:`verifier.service.rego_process`): where it hits
one, an open line that is demanded, ``policy.rego.exhausted``.

Builtins that look at anything but their arguments (network, clock, chance, environment) are refused when the source is
loaded, wherever their names stand outside of text and comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attestation.contract import Category, Check
from attestation.ear.tiers import CATEGORIES, Tier, tier_of
from attestation.formats import FORMATS
from verifier.appraisal.judgement import Judgement, worsen
from verifier.appraisal.report import judgement_json
from verifier.errors import MalformedError, OperationalError, UnsupportedError
from verifier.service.rego_process import evaluate

MAX_SOURCE = 1 << 20
_REMEDY = "give one Rego file of one package that `opa check` takes (docs/appraisal.md, Rego)"

_IMPURE: Mapping[str, frozenset[str]] = {
    "http": frozenset(),
    "io": frozenset(),
    "internal": frozenset(),
    # Schemas may name others to be fetched.
    "json": frozenset({"filter", "is_valid", "marshal", "marshal_with_options", "patch", "remove", "unmarshal"}),
    "net": frozenset({"cidr_contains", "cidr_contains_matches", "cidr_expand", "cidr_intersects", "cidr_is_valid"}),
    "opa": frozenset(),
    "print": frozenset(),
    "providers": frozenset(),
    "rand": frozenset(),
    "rego": frozenset({"v1"}),
    "time": frozenset({"add_date", "parse_rfc3339_ns"}),
    "trace": frozenset(),
    "uuid": frozenset({"parse"}),
    "crypto": frozenset({"hmac", "md5", "sha1", "sha256"}),
}
"""Builtin names, or what they begin with, that are refused, and the members of each that are pure all the same."""

_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\\n]++|\\.)*+"|`[^`]*+`|#[^\n]*+')
_WORD = re.compile(r"(?<![\w.])(\w+)(?:\s*\.\s*(\w+))?")
_PACKAGE = re.compile(r"^\s*package\s+([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class RegoPolicy:
    """A source that has been looked through; `package` is what it decides in, `name` what people call it."""

    name: str
    source: str
    package: str


def load_rego(source: bytes, name: str) -> RegoPolicy:
    """Look through a source.

    Raises:
        MalformedError: ``policy.rego.malformed``: not UTF-8, too large, or no single package.
        UnsupportedError: ``policy.rego.builtin``: it names a builtin that is not deterministic.
    """
    if len(source) > MAX_SOURCE:
        raise MalformedError(
            "policy.rego.malformed", f"{name}: {len(source)} bytes, at most {MAX_SOURCE}", remedy=_REMEDY
        )
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("policy.rego.malformed", f"{name}: not UTF-8", remedy=_REMEDY) from None
    bare = _TEXT_OR_COMMENT.sub(lambda found: " " if found[0].startswith("#") else '""', text)
    if "$" in bare:  # text that is evaluated
        raise UnsupportedError("policy.rego.builtin", f"{name}: interpolated text, which is not looked into")
    packages = _PACKAGE.findall(bare)
    if len(packages) != 1:
        raise MalformedError(
            "policy.rego.malformed", f"{name}: one package required, found {len(packages)}", remedy=_REMEDY
        )
    for word, member in _WORD.findall(bare):
        if word in _IMPURE and member not in _IMPURE[word]:
            raise UnsupportedError(
                "policy.rego.builtin",
                f"{name}: names {word}{f'.{member}' if member else ''}, which is not deterministic",
                remedy="decide by the input alone; rename a variable of that name",
            )
    return RegoPolicy(name, text, packages[0])


def apply_rego(found: Judgement, policy: RegoPolicy, policy_name: str) -> Judgement:
    """The judgement with the policy's lines behind its own; never better than it was.

    An evaluation that hits its bound on time or memory (:mod:`verifier.service.rego_process`) is an open line that is
    demanded, ``policy.rego.exhausted``.

    Raises:
        UnsupportedError: ``policy.rego.engine-absent``.
        MalformedError: ``policy.rego.malformed``: the engine does not take the source.
        OperationalError: ``policy.rego.failed``: it failed on it.
    """
    done = evaluate(policy.name, policy.source, f"data.{policy.package}", _input(found, policy_name))
    match done.outcome:
        case "malformed":
            raise MalformedError("policy.rego.malformed", f"{policy.name}: {done.message}", remedy=_REMEDY)
        case "failed":
            raise OperationalError("policy.rego.failed", f"{policy.name}: {done.message}")
        case "exhausted":
            observed = f"{policy.name}: {done.message}"
            line = Check("policy.rego", "SKIP", observed, "a decision within bounds", "policy.rego.exhausted")
            return worsen(found, (line,))
    return worsen(found, _lines(_rules(done.value), policy.name))


def _input(found: Judgement, policy_name: str) -> dict[str, Any]:
    document = judgement_json(found, policy=policy_name, ear=None)
    document.pop("ear")
    short = next((scheme.name for scheme in FORMATS.values() if scheme.type == found.type), found.type)
    return {**document, short: document["claims"]}


def _rules(value: Any) -> Mapping[str, Any]:
    """What the package defines; empty where nothing is."""
    values = value.get("expressions", []) if isinstance(value, dict) else []
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else {}


def _lines(rules: Mapping[str, Any], name: str) -> tuple[Check, ...]:
    lines = [_decision(rule, rules[rule], name) for rule in ("allow", "nv_match") if rule in rules]
    for category in CATEGORIES:
        rule = category.replace("-", "_")
        if rule in rules:
            lines.append(_claim(category, rule, rules[rule], name))
    if not lines:
        lines.append(
            Check(
                "policy.rego", "SKIP", f"{name} defines no decision", "allow, nv_match or AR4SI claims",
                "policy.rego.undefined",
            )
        )  # fmt: skip
    return tuple(lines)


def _decision(rule: str, value: object, name: str) -> Check:
    good = value is True
    code = "" if good else "policy.rego.denied"
    return Check(f"policy.rego.{rule}", "PASS" if good else "FAIL", f"{name}: {str(value)[:80]}", "true", code)


def _claim(category: str, rule: str, value: object, name: str) -> Check:
    tier = tier_of(value) if type(value) is int else None
    check_id, observed = f"policy.rego.{rule}", f"{name}: {str(value)[:80]}"
    about: Category = category  # type: ignore[assignment]
    if tier is None or tier is Tier.CONTRAINDICATED:
        return Check(check_id, "FAIL", observed, "an affirming claim", "policy.rego.denied", category=about)
    if tier is Tier.NONE:
        return Check(check_id, "SKIP", observed, "an affirming claim", "policy.rego.undefined", category=about)
    return Check(check_id, "PASS", observed, "an affirming claim", category=about, warning=tier is Tier.WARNING)
