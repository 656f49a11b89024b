# SPDX-License-Identifier: AGPL-3.0-or-later
"""Kernels before 5.8, which extended every bank with SHA-1 digests and zeros behind: open, and no excuse."""

from __future__ import annotations

import hashlib

from tests.attestation.ima.making import ID, MEASURED, ascii_list, ask, extended, listing
from tests.attestation.paper import PaperTpm, booted_pcrs, codes


def test_kernel_that_extended_sha1_digests_alone():
    pcrs = booted_pcrs()
    value = bytes(32)
    for entry in listing(MEASURED):
        value = hashlib.sha256(value + entry.extends("sha1").ljust(32, b"\0")).digest()
    members = PaperTpm(pcrs={**pcrs, ("sha256", 10): value}).members(ima_log=ascii_list(MEASURED))
    assert codes(ask(members, require_ima=True)) == {ID: f"{ID}-sha1-only"}
    assert ask(members).passed and "ima_entries" not in ask(members).claims


def test_an_old_kernel_explains_every_bank_or_none():
    """One bank as an old kernel leaves it does not excuse another that nothing explains, nor one that replays."""
    old = {}
    for bank in ("sha256", "sha384"):
        value = bytes(hashlib.new(bank).digest_size)
        for entry in listing(MEASURED):
            value = hashlib.new(bank, value + entry.extends("sha1").ljust(len(value), b"\0")).digest()
        old[bank, 10] = value
    pcrs = {**booted_pcrs(), **booted_pcrs("sha384")}
    log = ascii_list(MEASURED)
    assert codes(ask(PaperTpm(pcrs={**pcrs, **old}).members(ima_log=log), require_ima=True)) == {ID: f"{ID}-sha1-only"}
    new = extended(listing(MEASURED), "sha256")
    for mixed in ({("sha384", 10): b"\1" * 48}, {("sha256", 10): b"\1" * 32}, {("sha256", 10): new}):
        members = PaperTpm(pcrs={**pcrs, **old, **mixed}).members(ima_log=log)
        assert codes(ask(members)) == {ID: f"{ID}-mismatch"}
    honest = {("sha256", 10): new, ("sha384", 10): extended(listing(MEASURED)[:2], "sha384")}  # of two moments
    assert codes(ask(PaperTpm(pcrs={**pcrs, **honest}).members(ima_log=log))) == {ID: f"{ID}-mismatch"}
