# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of the command line and the demo with its meaning, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "ear.contraindicated": "a genuine attestation result that speaks against the machine",
        "ear.says-nothing": "a genuine attestation result that says nothing of the machine",
        "demo.node.failed": "the demo's node did not start",
        "enrolment.answer.malformed": "the attestation CA's answer is not what its API says",
        "enrolment.refused": "the attestation CA refused; its own code and message follow",
        "enrolment.unreachable": "the attestation CA does not answer",
        "file.empty": "a file without content",
        "file.exists": "a file that would be overwritten",
        "file.incomplete": "an affidavit does not carry what is needed of it",
        "file.too-large": "a file over the limit of its kind",
        "file.unreadable": "a file cannot be read",
        "file.unwritable": "a file cannot be written",
        "input.npz.malformed": "not an .npz file of plain arrays",
        "input.npz.too-large": "an .npz file with too many or too large arrays",
        "option.malformed": "an option's value is not of its form",
        "system.refused": "the operating system has no room, no memory or no access where a command counts on it",
    }
)
