# SPDX-License-Identifier: AGPL-3.0-or-later
"""One measurement of an IMA list, and the list.

============  ==================================  ==================================================
template      fields                              second field, if any
============  ==================================  ==================================================
`ima`         digest (20 bytes), name             MD5 or SHA-1 of the file
`ima-ng`      algorithm and digest, name
`ima-ngv2`    kind, algorithm and digest, name    kind `ima` or `verity`
`ima-sig`     as `ima-ng`, signature
`ima-sigv2`   as `ima-ngv2`, signature
`ima-buf`     as `ima-ng`, buffer                 the digest is the buffer's
============  ==================================  ==================================================

Source: Linux, security/integrity/ima/ima_template.c and ima_template_lib.c (field encodings), ima_crypto.c
(`ima_calc_field_array_hash_tfm`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

TEMPLATES = {"ima": 2, "ima-ng": 2, "ima-ngv2": 2, "ima-sig": 3, "ima-sigv2": 3, "ima-buf": 3}
"""Template names, and how many fields each has."""

HASH_SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
SHA1_SIZE = 20
OLD_NAME_SIZE = 256
"""Bytes to which the name is filled up when an entry of the template `ima` is hashed."""
BOOT_AGGREGATE = "boot_aggregate"


@dataclass(frozen=True, slots=True)
class Entry:
    """A measurement. `listed` is the template hash in the list (SHA-1); `fields` as they are hashed, without lengths.

    The digest field of all templates but `ima` is `[kind ":"] algorithm ":" NUL digest`; a name ends with NUL, except
    in the template `ima`.
    """

    register: int
    listed: bytes
    template: str
    fields: tuple[bytes, ...]

    @property
    def violation(self) -> bool:
        """True for an entry that says that what it measured could change while it was measured."""
        return not any(self.listed)

    def template_data(self) -> bytes:
        """What is hashed and extended."""
        if self.template == "ima":
            digest, name = self.fields
            return digest + name.ljust(OLD_NAME_SIZE, b"\0")
        return b"".join(len(part).to_bytes(4, "little") + part for part in self.fields)

    def extends(self, algorithm: str) -> bytes:
        """What the register of that bank was extended with; `algorithm` is `sha1`, `sha256`, `sha384` or `sha512`."""
        if self.violation:
            return b"\xff" * HASH_SIZES[algorithm]
        return hashlib.new(algorithm, self.template_data(), usedforsecurity=algorithm != "sha1").digest()

    @property
    def algorithm(self) -> str:
        """The algorithm of the measured digest; for the template `ima`, which does not say, `sha1`."""
        return "sha1" if self.template == "ima" else self._labels()[-1]

    @property
    def digest(self) -> bytes:
        """The measured digest: of a file, of a fs-verity descriptor, or of a buffer."""
        return self.fields[0] if self.template == "ima" else self.fields[0].partition(b"\0")[2]

    @property
    def kind(self) -> str:
        """`verity` where the digest is fs-verity's, else `ima`."""
        labels = () if self.template == "ima" else self._labels()
        return labels[0] if len(labels) == 2 else "ima"

    @property
    def name(self) -> str:
        """The path, or what the kernel calls the buffer; bytes that are no UTF-8 escaped."""
        return self.fields[1].rstrip(b"\0").decode("utf-8", "backslashreplace")

    def binds_buffer(self) -> bool:
        """For `ima-buf`, whether the digest is the buffer's; True for every other template."""
        if self.template != "ima-buf":
            return True
        digest = hashlib.new(self.algorithm, self.fields[2], usedforsecurity=False).digest()
        return digest == self.digest

    def _labels(self) -> tuple[str, ...]:
        head = self.fields[0].partition(b"\0")[0].decode("ascii", "replace")
        return tuple(head.rstrip(":").split(":"))


@dataclass(frozen=True, slots=True)
class ImaList:
    """Entries in order. `inconsistent` is the index of the first that does not hash to its listed template hash."""

    entries: tuple[Entry, ...]
    form: str
    inconsistent: int | None = field(default=None)
