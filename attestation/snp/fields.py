# SPDX-License-Identifier: AGPL-3.0-or-later
"""A report as JSON with a value per field, as Trustee's agents send it, put back into its 1184 octets.

::

    {"version": 3, "guest_svn": 0, "policy": 196608, "family_id": [0, ...], ..., "signature": {"r": [...], "s": [...]}}

The names are those of the Rust library `sev`, which has had two sets of them: up to version 5 everything stands in the
JSON, reserved octets included; from version 6 on they are left out, and a TCB names its parts. What was left out is
taken for zero. Octets are a list of numbers, or hex (nilcc). Nothing here needs to be believed: the signature covers
the octets.

Source: virtee/sev 2.0 to 7.1, `AttestationReport` and `TcbVersion` in `src/firmware/{guest,host}/types/snp.rs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attestation.armour import decode_hex
from attestation.snp.report import COMPONENT_SIZE, REPORT_SIZE

_Part = tuple[str, int, "Callable[[Any, int], bytes]"]


def is_report(value: Any) -> bool:
    """Whether a JSON value is a report as fields; `assemble` says whether it is a whole one."""
    return isinstance(value, dict) and value.keys() >= {"version", "report_data", "signature"}


def assemble(found: Mapping[str, Any]) -> bytes:
    """The 1184 octets. Raises `ValueError` for fields that are missing, unknown, of another type or too large."""
    return _struct(found, REPORT_SIZE, _UNTIL_5 if "_author_key_en" in found else _FROM_6)


def _struct(found: Any, size: int, parts: tuple[_Part, ...]) -> bytes:
    """The parts one behind the other; places without a name, and optional ones that are not there, are zero."""
    named = {name for name, _, _ in parts if name}
    if not isinstance(found, dict) or not found.keys() <= named:
        raise ValueError(f"an object with the fields {', '.join(sorted(named))[:80]}... expected")
    data = b"".join(read(found.get(name), length) for name, length, read in parts)
    if len(data) != size:
        raise ValueError(f"fields of {len(data)} octets; {size} expected")
    return data


def _number(value: Any, size: int) -> bytes:
    if type(value) is not int or not 0 <= value < 1 << 8 * size:
        raise ValueError(f"a number of {size} octets expected, not {str(value)[:40]}")
    return value.to_bytes(size, "little")


def _optional(value: Any, size: int) -> bytes:
    return bytes(size) if value is None else _number(value, size)


def _octets(value: Any, size: int) -> bytes:
    if isinstance(value, str) and len(value) == 2 * size:
        return decode_hex(value)
    if not isinstance(value, list) or len(value) != size:
        raise ValueError(f"a list of {size} octets expected, or as many in hex")
    return b"".join(_number(octet, 1) for octet in value)


def _zeros(value: Any, size: int) -> bytes:
    return bytes(size)


def _signature(value: Any, size: int) -> bytes:
    parts: tuple[_Part, ...] = (("r", COMPONENT_SIZE, _octets), ("s", COMPONENT_SIZE, _octets))
    rest = size - 2 * COMPONENT_SIZE
    behind = ("_reserved", rest, _octets) if isinstance(value, dict) and "_reserved" in value else ("", rest, _zeros)
    return _struct(value, size, (*parts, behind))


def _version(value: Any, size: int) -> bytes:
    return _struct(value, size, (("build", 1, _number), ("minor", 1, _number), ("major", 1, _number)))


def _tcb(value: Any, size: int) -> bytes:
    """Turin's has an FMC, and another order (`attestation.snp.products`)."""
    if isinstance(value, dict) and value.get("fmc") is not None:
        names, reserved = ("fmc", "bootloader", "tee", "snp"), 3
        return _struct(value, size, (*((name, 1, _number) for name in names), ("", reserved, _zeros), _MICROCODE))
    spare: _Part = ("_reserved", 4, _octets)
    if isinstance(value, dict) and "_reserved" not in value:
        spare = ("", 4, _zeros)
        value = {name: level for name, level in value.items() if name != "fmc"}
    head: tuple[_Part, ...] = (("bootloader", 1, _number), ("tee", 1, _number))
    return _struct(value, size, (*head, spare, ("snp", 1, _number), _MICROCODE))


_MICROCODE: _Part = ("microcode", 1, _number)

_HEAD: tuple[_Part, ...] = (
    ("version", 4, _number),
    ("guest_svn", 4, _number),
    ("policy", 8, _number),
    ("family_id", 16, _octets),
    ("image_id", 16, _octets),
    ("vmpl", 4, _number),
    ("sig_algo", 4, _number),
    ("current_tcb", 8, _tcb),
    ("plat_info", 8, _number),
)
_MIDDLE: tuple[_Part, ...] = (
    ("report_data", 64, _octets),
    ("measurement", 48, _octets),
    ("host_data", 32, _octets),
    ("id_key_digest", 48, _octets),
    ("author_key_digest", 48, _octets),
    ("report_id", 32, _octets),
    ("report_id_ma", 32, _octets),
    ("reported_tcb", 8, _tcb),
)
_UNTIL_5: tuple[_Part, ...] = (
    *_HEAD,
    ("_author_key_en", 4, _number),
    ("_reserved_0", 4, _number),
    *_MIDDLE,
    ("_reserved_1", 24, _octets),
    ("chip_id", 64, _octets),
    ("committed_tcb", 8, _tcb),
    ("current_build", 1, _number),
    ("current_minor", 1, _number),
    ("current_major", 1, _number),
    ("_reserved_2", 1, _number),
    ("committed_build", 1, _number),
    ("committed_minor", 1, _number),
    ("committed_major", 1, _number),
    ("_reserved_3", 1, _number),
    ("launch_tcb", 8, _tcb),
    ("_reserved_4", 168, _octets),
    ("signature", 512, _signature),
)
_FROM_6: tuple[_Part, ...] = (
    *_HEAD,
    ("key_info", 4, _number),
    ("", 4, _zeros),
    *_MIDDLE,
    ("cpuid_fam_id", 1, _optional),
    ("cpuid_mod_id", 1, _optional),
    ("cpuid_step", 1, _optional),
    ("", 21, _zeros),
    ("chip_id", 64, _octets),
    ("committed_tcb", 8, _tcb),
    ("current", 3, _version),
    ("", 1, _zeros),
    ("committed", 3, _version),
    ("", 1, _zeros),
    ("launch_tcb", 8, _tcb),
    ("launch_mit_vector", 8, _optional),
    ("current_mit_vector", 8, _optional),
    ("", 152, _zeros),
    ("signature", 512, _signature),
)
