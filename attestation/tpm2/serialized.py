# SPDX-License-Identifier: AGPL-3.0-or-later
"""PCR values in the form `serialized` of tpm2-tools, which is what `tpm2_quote -o` writes unless told otherwise.

::

    n:u32  16 * (hash:u16 size:u8 select[4] 0)      TPML_PCR_SELECTION as it lies in memory
    m:u32  m * (k:u32  8 * (size:u16 digest[64]))   TPML_DIGEST, each with up to 8 values

Little-endian; what is not used is zero. The values stand in the order of the selections, each by ascending index.
Source: tpm2-tools, `lib/tpm2_util.c`, `tools/tpm2_quote.c` (pcrs_format_serialized); keylime, `tpm/tpm_util.py`.
"""

from __future__ import annotations

from attestation.tpm2 import algorithms as alg
from attestation.wire import Reader

PREFIX = "evidence.tpm2.pcrs"
MAX_SELECTIONS, MAX_DIGESTS, MAX_LISTS = 16, 8, 48
SELECTIONS_SIZE = 4 + 8 * MAX_SELECTIONS
LIST_SIZE = 4 + 66 * MAX_DIGESTS


def is_serialized(data: bytes) -> bool:
    """Whether `data` has the size of this form, and the hash of a bank where the form has one."""
    rest = len(data) - SELECTIONS_SIZE - 4
    return rest > 0 and rest % LIST_SIZE == 0 and int.from_bytes(data[4:6], "little") in alg.HASH_NAMES


def parse_serialized(data: bytes) -> dict[tuple[str, int], bytes]:
    """Values by bank and index. Raises `MalformedError` (`evidence.tpm2.pcrs-malformed`, `-truncated`, `-trailing`)."""
    reader = Reader(data, PREFIX, "little")
    selected = _selected(reader)
    values: list[bytes] = []
    lists = reader.integer(4, "number of lists")
    if not 1 <= lists <= MAX_LISTS:
        reader.fail(f"{lists} lists of digests; 1 to {MAX_LISTS}")
    for _ in range(lists):
        count = reader.integer(4, "number of digests")
        if count > MAX_DIGESTS:
            reader.fail(f"{count} digests; at most {MAX_DIGESTS}")
        for position in range(MAX_DIGESTS):
            size, buffer = reader.integer(2, "size of a digest"), reader.take(64, "digest")
            if size > len(buffer) or any(buffer[size:]) or (size and position >= count):
                reader.fail("a digest of another size, or something behind it")
            if position < count:
                values.append(buffer[:size])
    reader.done()
    if [len(value) for value in values] != [alg.HASH_SIZES[bank] for bank, _ in selected]:
        reader.fail(f"{len(values)} values for {len(selected)} selected PCRs, or of other sizes")
    return dict(zip(selected, values, strict=True))


def _selected(reader: Reader) -> list[tuple[str, int]]:
    count = reader.integer(4, "number of selections")
    if not 1 <= count <= MAX_SELECTIONS:
        reader.fail(f"{count} selections; 1 to {MAX_SELECTIONS}")
    selected: list[tuple[str, int]] = []
    for position in range(MAX_SELECTIONS):
        record = reader.take(8, "selection")
        if position >= count:
            if any(record):
                reader.fail("a selection behind the last")
            continue
        bank, size = alg.HASH_NAMES.get(int.from_bytes(record[:2], "little"), ""), record[2]
        if not bank or size > 4 or any(record[3 + size :]) or any(bank == other for other, _ in selected):
            reader.fail("a selection of an unknown bank, one twice, or not as specified")
        bits = int.from_bytes(record[3 : 3 + size], "little")
        selected += [(bank, index) for index in range(8 * size) if bits >> index & 1]
    return selected
