# SPDX-License-Identifier: AGPL-3.0-or-later
"""Armour: what encoders write is read, and no change of one bit gives the same bytes again."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.armour import decode_base64, decode_hex, decode_pem
from attestation.collateral.recognition import unarmoured


def armour(data: bytes, line: int, newline: bytes = b"\n", label: bytes = b"CERTIFICATE") -> bytes:
    text = base64.b64encode(data)
    lines = newline.join(text[start : start + line] for start in range(0, len(text), line))
    return b"-----BEGIN " + label + b"-----" + newline + lines + newline + b"-----END " + label + b"-----"


def flips(data: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def unchanged(decode: Callable[[bytes], object], text: bytes) -> list[bytes]:
    """Changed texts with the same reading as `text`."""
    found = []
    for other in flips(text):
        with suppress(ValueError):
            if decode(other) == decode(text):
                found.append(other)
    return found


@given(st.binary(max_size=40))
def test_encoders(data):
    for text in (data.hex(), data.hex().upper(), data.hex().encode()):
        assert decode_hex(text) == data
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(data)
        assert decode_base64(text) == data == decode_base64(text.decode()) == decode_base64(text.rstrip(b"="))
    if data:
        for line in (4, 64, 76, 1000):
            for newline in (b"\n", b"\r\n"):
                text = armour(data, line, newline)
                assert decode_pem(text) == [(b"CERTIFICATE", data)] == decode_pem(newline + text + newline)
                assert decode_pem(text + newline + text) == [(b"CERTIFICATE", data)] * 2


@pytest.mark.parametrize("size", [1, 2, 3, 17, 48, 100])
def test_one_bit(size):
    data = bytes(range(100, 100 + size))
    assert unchanged(decode_hex, data.hex().encode()) == []
    assert unchanged(decode_base64, base64.b64encode(data)) == []
    assert unchanged(decode_base64, base64.urlsafe_b64encode(data).rstrip(b"=")) == []
    for line in (16, 64):
        for newline in (b"\n", b"\r\n"):
            text = armour(data, line, newline)
            # A label that stands in both lines cannot be changed by one bit.
            assert unchanged(decode_pem, text + newline + text) == []


@pytest.mark.parametrize("text", ["a", "aB", "Ab0f", "0g", "0x00", " 00", "00\n", "\xe9"])
def test_no_hex(text):
    with pytest.raises(ValueError, match=r"hex|ascii"):
        decode_hex(text)


@pytest.mark.parametrize("text", ["A", "AAAAA", "AB==", "AA=", "AA===", "AAA==", "+-==", "AA==AA==", "AA\nAA", "\xe9"])
def test_no_base64(text):
    with pytest.raises(ValueError, match=r"base64|ascii"):
        decode_base64(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"comment\n" + armour(b"abc", 64),
        armour(b"abc", 64) + b" ",
        armour(b"abc" * 30, 64).replace(b"\n", b"\r\n", 1),
        armour(b"abc" * 30, 64)[:40] + b"\n" + armour(b"abc" * 30, 64)[40:],
        armour(b"abc", 64).replace(b"YWJj", b"\n"),
        armour(b"abc", 64).replace(b"END CERT", b"END CRET"),
        armour(b"abc", 64)[:-1],
    ],
)
def test_no_pem(text):
    with pytest.raises(ValueError, match=r"PEM|base64"):
        decode_pem(text)


def test_many_items_take_no_time_to_speak_of():
    text = armour(b"abc", 64) + b"\n"
    assert len(decode_pem(text * 20_000)) == 20_000
    with pytest.raises(ValueError, match="no PEM"):
        decode_pem(text * 20_000 + b"-----BEGIN X-----\n" + b"A\n" * 500_000)


def test_files():
    data = bytes(range(64))
    for text in (data.hex(), "0x" + data.hex(), data.hex().upper(), base64.encodebytes(data).decode()):
        assert unarmoured(text.encode() + b"\n") == data
    for wrapped in (base64.encodebytes(data), b"\n".join(data.hex().encode()[n : n + 32] for n in range(0, 128, 32))):
        for lines in (wrapped, wrapped.replace(b"\n", b"\r\n")):
            assert unarmoured(lines) == data and unchanged(unarmoured, lines) == []
    mixed = b"aB" + data.hex().encode()
    assert unarmoured(mixed) != bytes.fromhex(mixed.decode())
