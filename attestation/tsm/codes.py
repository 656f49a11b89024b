# SPDX-License-Identifier: AGPL-3.0-or-later
"""Codes of this interface, each with a one-line meaning."""

CODES = {
    "evidence.tsm.unavailable": "the kernel's report interface is absent, or not for this user",
    "evidence.tsm.provider-differs": "the kernel makes reports of another technology",
    "evidence.tsm.busy": "the platform was busy at every attempt to get a report",
    "evidence.tsm.race": "another process wrote to the report's entry at every attempt",
    "evidence.tsm.failed": "the kernel or the platform refuses to make a report",
    "evidence.tsm.too-large": "the kernel hands out more than any report has",
}
