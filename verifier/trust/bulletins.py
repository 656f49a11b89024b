# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[[evidence.snp.bulletins]]``: security bulletins that are newer than the release, or corrected.

::

    [[evidence.snp.bulletins]]
    id = "AMD-SB-3030"
    date = "2026-05-12"
    title = "..."                                       # optional, likewise cves = ["CVE-..."]
    fixes = [{ product = "Milan", minimum = { snp = 29 } }]

A fix may say ``chips = [[25, 1, 1]]`` (family, model, stepping: for those alone), ``platform`` (bits that are set),
``mitigations`` (bits of both vectors) and ``source``. One of the package's ids replaces that one.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from attestation.snp.bulletins import MAX_BULLETINS, MAX_FIXES, Bulletin, Fix
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.trust.values import texts

_CVES = 64
_CHIPS = 64


def bulletins(fields: Fields, key: str) -> tuple[Bulletin, ...]:
    """The list of bulletins."""
    return fields.list(key, lambda value, path: _bulletin(Fields.of(value, path, fields.code)), limit=MAX_BULLETINS)


def _bulletin(fields: Fields) -> Bulletin:
    fields.exactly(("id", "date", "fixes"), optional=("title", "cves"))
    try:
        return Bulletin(
            id=fields.text("id"),
            date=_date(fields),
            fixes=fields.list("fixes", lambda value, path: _fix(Fields.of(value, path, fields.code)), limit=MAX_FIXES),
            title=fields.text("title") if "title" in fields.value else "",
            cves=fields.list("cves", lambda value, path: _text(fields, value, path), limit=_CVES)
            if "cves" in fields.value
            else (),
        )
    except ValueError as error:
        raise MalformedError(fields.code, f"{fields.path}: {error}") from None


def _fix(fields: Fields) -> Fix:
    fields.exactly(("product",), optional=("minimum", "chips", "platform", "mitigations", "source"))
    minimum = fields.object("minimum") if "minimum" in fields.value else None
    return Fix(
        product=fields.text("product"),
        minimum={part: minimum.integer(part, 0, 255) for part in minimum.value} if minimum else {},
        chips=frozenset(fields.list("chips", lambda value, path: _chip(fields, value, path), limit=_CHIPS))
        if "chips" in fields.value
        else frozenset(),
        platform=texts(fields, "platform"),
        mitigations=fields.integer("mitigations", 0, (1 << 63) - 1) if "mitigations" in fields.value else 0,
        source=fields.text("source") if "source" in fields.value else "",
    )


def _chip(fields: Fields, value: Any, path: str) -> tuple[int, int, int]:
    if not isinstance(value, list) or len(value) != 3 or any(type(n) is not int or not 0 <= n <= 255 for n in value):
        raise MalformedError(fields.code, f"{path}: family, model and stepping expected, each 0 to 255")
    return value[0], value[1], value[2]


def _date(fields: Fields) -> date:
    """A date of TOML, or text of the same form."""
    value = fields.value.get("date")
    if type(value) is date:
        return value
    text = fields.text("date")
    # ISO 8601 has other forms of the same length, which Python reads: weeks, and dates without dashes.
    found = date.fromisoformat(text)
    if found.isoformat() != text:
        raise fields.fail("date", "a date like 2026-05-12")
    return found


def _text(fields: Fields, value: Any, path: str) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise MalformedError(fields.code, f"{path}: text expected")
    return value
