# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy says of one format: its table ``[evidence.<name>]``, reference values over it, its profile under it.

From strongest to weakest: a key of the reference values, a key of the policy's table, a setting of the profile, the
format's own default. A profile sets those of the following fields that a format's trust class has, or one inside it (a
composite format's), unless the table has a key of that name:

=====================  =====================
field                  from
=====================  =====================
``require_crl``        ``revocation``
``require_ocsp``       ``revocation``
``tcb_statuses``       ``tcb_statuses``
``bulletin_statuses``  ``bulletin_statuses``
``allow_debug``        ``debug``
=====================  =====================
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from attestation.clock import Counters, merge
from attestation.cmw import TYPE as CMW
from attestation.cmw import CmwTrust
from attestation.contract import Format
from attestation.formats import FORMATS
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.policy import Policy
from verifier.profiles import Demands
from verifier.trust import READERS

CODE = "policy.reference.malformed"
MAX_REFERENCE = 4 << 20
_REMEDY = "give what the policy's table [evidence.<type>] may hold, as TOML or JSON (policy@v1)"
_NOTHING_SEEN: Mapping[bytes, Counters] = MappingProxyType({})


def trust_for(
    format_: Format,
    policy: Policy,
    reference: Mapping[str, Any] | None = None,
    seen: Mapping[bytes, Counters] = _NOTHING_SEEN,
) -> Any:
    """The format's trust object; ``seen``: what is remembered of TPMs' clocks, beside the policy's ``last_seen``.

    Raises:
        MalformedError: ``policy.reference.malformed``, or a reader's own code.
        attestation.errors.OperationalError: trust that could never mean anything.
    """
    table = policy.tables.get(format_.name, {})
    stated = {**table, **(reference or {})}
    if reference:
        reader = READERS.get(format_.name)
        if reader is None:
            raise MalformedError(
                CODE, f"{format_.name}: this format takes no reference values", remedy="leave them out"
            )
        trust = _read_stated(reader, stated, format_)
        trust = _with_profile(trust, stated, policy.demands)
    elif format_.name in policy.trust:
        trust = _with_profile(policy.trust[format_.name], stated, policy.demands)
    else:
        trust = _unstated(format_.trust_class, policy.demands)
    if isinstance(trust, CmwTrust):
        return _with_pieces(trust, policy, seen)
    return _with_memory(trust, seen) if seen else trust


def _read_stated(reader: Callable[[Fields], Any], stated: Mapping[str, Any], format_: Format) -> Any:
    try:
        return reader(Fields.of(dict(stated), f"evidence.{format_.name}", CODE))
    except MalformedError as error:
        raise MalformedError(error.code, error.message, remedy=error.remedy or _REMEDY) from None


def _with_memory(trust: Any, seen: Mapping[bytes, Counters]) -> Any:
    """The trust, and any inside it, with what was seen of the TPMs' clocks."""
    if not dataclasses.is_dataclass(trust) or isinstance(trust, type):
        return trust
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(trust):
        value = getattr(trust, field.name)
        if field.name == "last_seen":
            changes[field.name] = merge(value, seen)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            inner = _with_memory(value, seen)
            if inner is not value:
                changes[field.name] = inner
    return dataclasses.replace(trust, **changes) if changes else trust


@lru_cache(maxsize=64)
def _unstated(trust_class: Callable[..., Any], demands: Demands) -> Any:
    """A format's default under a profile; the same object each time, since making one may read certificates."""
    return _with_profile(trust_class(), {}, demands)


def _with_pieces(trust: CmwTrust, policy: Policy, seen: Mapping[bytes, Counters]) -> CmwTrust:
    """A collection's pieces are judged as if each stood alone: by the same types and tables."""
    accepted = {type_ for type_ in policy.evidence if type_ in FORMATS and type_ != CMW}
    if policy.unsafe_accept_simulated:
        accepted |= {scheme.type for scheme in FORMATS.values() if scheme.simulated}
    trusts = {FORMATS[type_].name: trust_for(FORMATS[type_], policy, seen=seen) for type_ in accepted}
    return dataclasses.replace(trust, trusts=trusts, accept=frozenset(accepted))


def _with_profile(trust: Any, stated: Mapping[str, Any], demands: Demands) -> Any:
    if not dataclasses.is_dataclass(trust) or isinstance(trust, type):
        return trust
    settings = {
        "require_crl": demands.revocation,
        "require_ocsp": demands.revocation,
        "tcb_statuses": demands.tcb_statuses,
        "bulletin_statuses": demands.bulletin_statuses,
        "allow_debug": demands.debug,
    }
    fields = {field.name: getattr(trust, field.name) for field in dataclasses.fields(trust)}
    wanted = {name: value for name, value in settings.items() if name in fields and name not in stated}
    for name, value in fields.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            wanted[name] = _with_profile(value, stated, demands)
    changes = {name: value for name, value in wanted.items() if value is not fields[name] and value != fields[name]}
    return dataclasses.replace(trust, **changes) if changes else trust


def has_own_table(format_: Format, policy: Policy, reference: Mapping[str, Any] | None) -> bool:
    """Whether the policy, or the reference values, say themselves what of this format is tolerated."""
    if format_.type == CMW:
        return bool(policy.tables.keys() - {format_.name})
    return bool(reference) or format_.name in policy.tables


def read_reference(data: bytes) -> dict[str, Any]:
    """Reference values from a file: the content of a policy's table ``[evidence.<name>]``, as TOML or JSON.

    Raises:
        MalformedError: ``policy.reference.malformed``.
    """
    if len(data) > MAX_REFERENCE:
        raise MalformedError(CODE, f"reference values of {len(data)} bytes, at most {MAX_REFERENCE}", remedy=_REMEDY)
    try:
        text = data.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            value = json.loads(text, object_pairs_hook=_unique)
        else:
            value = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            CODE, f"reference values: neither TOML nor JSON ({str(error)[:120]})", remedy=_REMEDY
        ) from None
    if not isinstance(value, dict) or not value:
        raise MalformedError(CODE, "reference values: a table that is not empty is required", remedy=_REMEDY)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
