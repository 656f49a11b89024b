# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy says of one format: its table ``[evidence.<name>]``, reference values over it, its profile under it.

From strongest to weakest: a key of the reference values, a key of the policy's table, a setting of the profile, the
format's own default. A profile sets those of the following fields that a format's trust class has:

================  ==========================================
field             from
================  ==========================================
``require_crl``   ``revocation``
``tcb_statuses``  ``tcb_statuses``
``allow_debug``   ``debug``
================  ==========================================
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from attestation.contract import Format
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.policy import Policy
from verifier.profiles import Demands
from verifier.trust import READERS

CODE = "policy.reference.malformed"
MAX_REFERENCE = 4 << 20


def trust_for(format_: Format, policy: Policy, reference: Mapping[str, Any] | None = None) -> Any:
    """The format's trust object.

    Raises:
        MalformedError: ``policy.reference.malformed``, or a reader's own code.
        attestation.errors.OperationalError: trust that could never mean anything.
    """
    table = policy.tables.get(format_.name, {})
    stated = {**table, **(reference or {})}
    if reference:
        reader = READERS.get(format_.name)
        if reader is None:
            raise MalformedError(CODE, f"{format_.name}: this format takes no reference values")
        trust = reader(Fields.of(stated, f"evidence.{format_.name}", CODE))
    else:
        trust = policy.trust.get(format_.name) or format_.trust_class()
    return _with_profile(trust, stated, policy.demands)


def _with_profile(trust: Any, stated: Mapping[str, Any], demands: Demands) -> Any:
    if not dataclasses.is_dataclass(trust) or isinstance(trust, type):
        return trust
    settings = {
        "require_crl": demands.revocation,
        "tcb_statuses": demands.tcb_statuses,
        "allow_debug": demands.debug,
    }
    fields = {field.name for field in dataclasses.fields(trust)}
    changes = {name: value for name, value in settings.items() if name in fields and name not in stated}
    return dataclasses.replace(trust, **changes) if changes else trust


def read_reference(data: bytes) -> dict[str, Any]:
    """Reference values from a file: the content of a policy's table ``[evidence.<name>]``, as TOML or JSON.

    Raises:
        MalformedError: ``policy.reference.malformed``.
    """
    if len(data) > MAX_REFERENCE:
        raise MalformedError(CODE, f"reference values of {len(data)} bytes, at most {MAX_REFERENCE}")
    try:
        text = data.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            value = json.loads(text, object_pairs_hook=_unique)
        else:
            value = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(CODE, f"reference values: neither TOML nor JSON ({str(error)[:120]})") from None
    if not isinstance(value, dict) or not value:
        raise MalformedError(CODE, "reference values: a table that is not empty is required")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
