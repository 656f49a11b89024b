# SPDX-License-Identifier: AGPL-3.0-or-later
"""Encryption parameters by name. Parameters never come off the wire: a blob names a preset, and this table decides.

Security is 128 bits, classical, by the table of the Homomorphic Encryption Standard (Albrecht et al., "Homomorphic
Encryption Standard", 2018, table 1: ternary secret, sigma = 3.19): the product of *all* moduli, the special one
included, has at most so many bits for a ring degree n. Moduli are the largest primes of their bit sizes with
q = 1 mod 2n, as SEAL's ``CoeffModulus::Create`` picks them; the last is the special prime of key switching where there
are several. The table is checked when this module is imported, and again by SEAL itself where a worker starts.

A preset has *room to flood* where the noise that hides the model fits under the message; what is left depends on the
circuit and is computed by :mod:`fhe.privacy`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Literal

from fhe.errors import MalformedError, UnsupportedError

__all__ = ["MAX_MODULUS_BITS", "PRESETS", "Preset", "check_parameters", "preset_of"]

Scheme = Literal["bfv", "ckks"]

MAX_MODULUS_BITS: Mapping[int, int] = MappingProxyType({1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438})
"""Ring degree -> most bits of the product of all moduli at 128-bit classical security, ternary secret."""

SECURITY_BITS = 128


@dataclass(frozen=True, slots=True)
class Preset:
    """One row of the table.

    Attributes:
        name: of at most 16 ASCII characters.
        scheme: ``bfv`` (exact integers) or ``ckks`` (approximate reals).
        n: ring degree.
        moduli: all primes, the special one last where there are several.
        plain_modulus: BFV's t; 0 for CKKS.
        scale_bits: CKKS: log2 of the scale of a fresh ciphertext; 0 for BFV.
        ntt: whether ciphertexts travel in NTT form.
        depth: multiplications in sequence, of any kind, that the moduli carry in the uses it is made for.
        packings: what it is made for.
        floods: whether any circuit leaves room to flood replies.
    """

    name: str
    scheme: Scheme
    n: int
    moduli: tuple[int, ...]
    plain_modulus: int
    scale_bits: int
    ntt: bool
    depth: int
    packings: tuple[str, ...]
    floods: bool
    purpose: str

    @property
    def levels(self) -> int:
        """Moduli of a fresh ciphertext: all but the special one."""
        return max(1, len(self.moduli) - 1)

    @property
    def special(self) -> int | None:
        """The prime of key switching, or None."""
        return self.moduli[-1] if len(self.moduli) > 1 else None

    @property
    def total_bits(self) -> int:
        """Bits of the product of all moduli."""
        return prod(self.moduli).bit_length()

    @property
    def slots(self) -> int:
        """Values that one ciphertext holds side by side."""
        return self.n if self.scheme == "bfv" else self.n // 2

    def modulus(self, level: int) -> int:
        """The product of the first `level` moduli."""
        return prod(self.moduli[:level])

    def residue_bytes(self, moduli: Sequence[int] | None = None) -> int:
        """Bytes of one residue each modulo `moduli` on the wire; by default those of a fresh ciphertext."""
        chosen = self.moduli[: self.levels] if moduli is None else moduli
        return sum((q.bit_length() + 7) // 8 for q in chosen)

    def ciphertext_bytes(self, level: int | None = None) -> int:
        """Bytes of one ciphertext on the wire, without the header of its bundle."""
        return 2 * self.n * self.residue_bytes(self.moduli[: self.levels if level is None else level])

    @property
    def public_key_bytes(self) -> int:
        """Bytes of the public key on the wire."""
        return 2 * self.n * self.residue_bytes(self.moduli)

    @property
    def switching_key_bytes(self) -> int:
        """Bytes of one relinearisation or Galois key at full level; 0 where the preset has no special prime."""
        return 0 if self.special is None else self.levels * self.public_key_bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of label, scheme, n, t and all moduli (64-bit little-endian): 32 bytes; the name is not in it."""
        head = self.scheme.encode().ljust(8, b"\0") + struct.pack("<QQ", self.n, self.plain_modulus)
        return hashlib.sha256(
            b"affidavit/fhe-parameters@v1\0" + head + struct.pack(f"<{len(self.moduli)}Q", *self.moduli)
        ).digest()


def check_parameters(n: int, moduli: Sequence[int], *, scheme: Scheme, plain_modulus: int = 0) -> None:
    """Are these parameters valid, and 128-bit secure?

    Raises:
        MalformedError: ``fhe.parameters.invalid`` (degree, primes, congruence, plaintext modulus);
            ``fhe.parameters.insecure`` where the moduli have more bits than the standard's table allows for n.
    """
    if n not in MAX_MODULUS_BITS:
        raise MalformedError("fhe.parameters.invalid", f"ring degree {n}; required one of {sorted(MAX_MODULUS_BITS)}")
    bits = sum(q.bit_length() for q in moduli)
    if bits > MAX_MODULUS_BITS[n]:
        raise MalformedError(
            "fhe.parameters.insecure",
            f"{bits} bits of moduli for n = {n}; required at most {MAX_MODULUS_BITS[n]} for {SECURITY_BITS} bits",
            "use fewer or shorter moduli, or a larger ring",
        )
    if not moduli or len(set(moduli)) != len(moduli):
        raise MalformedError("fhe.parameters.invalid", f"{len(moduli)} moduli; required some, all distinct")
    for q in moduli:
        if q % (2 * n) != 1 or not 2 < q < 1 << 61 or not _is_prime(q):
            raise MalformedError("fhe.parameters.invalid", f"modulus {q}; required a prime = 1 mod {2 * n}, below 2^61")
    if scheme == "ckks" and plain_modulus:
        raise MalformedError("fhe.parameters.invalid", "CKKS has no plaintext modulus")
    data = moduli[:-1] or moduli
    if scheme == "bfv" and (not 1 < plain_modulus < prod(data) or any(plain_modulus % q == 0 for q in moduli)):
        raise MalformedError("fhe.parameters.invalid", f"plaintext modulus {plain_modulus}")


def _is_prime(q: int) -> bool:
    """Miller and Rabin with the first twelve primes: exact below 3.3e24 (Sorenson and Webster, 2015)."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if q in bases:
        return True
    if q < 2 or any(q % p == 0 for p in bases):
        return False
    twos = ((q - 1) & -(q - 1)).bit_length() - 1
    odd = (q - 1) >> twos
    for base in bases:
        x = pow(base, odd, q)
        if x in (1, q - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % q
            if x == q - 1:
                break
        else:
            return False
    return True


def largest_primes(n: int, bits: Sequence[int]) -> tuple[int, ...]:
    """The largest distinct primes of those sizes that are 1 mod 2n; those of one size increase, as in SEAL."""
    found: dict[int, list[int]] = {}
    for size in sorted(set(bits)):
        candidate = ((1 << size) - 1) // (2 * n) * (2 * n) + 1
        while len(found.setdefault(size, [])) < bits.count(size):
            if candidate < 1 << size and _is_prime(candidate):
                found[size].insert(0, candidate)
            candidate -= 2 * n
    return tuple(found[size].pop(0) for size in bits)


_P46 = (70368743587841, 70368743669761, 114689)

_TABLE = (
    Preset("lin8", "bfv", 4096, _P46, 1 << 26, 0, True, 1, ("coefficient",), True,
           "one linear layer, one sample, 8-bit weights and inputs; private models"),
    Preset("lin6-public", "bfv", 2048, (18014398509404161,), 1 << 20, 0, True, 1, ("coefficient",), False,
           "one linear layer, one sample, 6 bits; public models only"),
    Preset("batch-lin", "bfv", 4096, (18014398509309953, 36028797018652673), 67084289, 0, False, 1, ("columns",),
           False, "one linear layer, 4096 samples side by side; public models only"),
    Preset("batch-mlp-exact", "bfv", 8192,
           (8796092792833, 8796092858369, 17592184717313, 17592185438209, 17592186028033), 35184371613697, 0, False,
           3, ("columns",), True, "linear, square, linear on 8192 samples side by side, exact"),
    Preset("batch-mlp-ckks", "ckks", 4096, _P46, 0, 22, True, 3, ("columns",), False,
           "linear, square, linear on 2048 samples side by side, approximate"),
    Preset("mlp1", "ckks", 8192, (1125899906826241, 1099510824961, 1099510890497, 1099511480321, 281474976694273),
           0, 40, True, 3, ("diagonals",), False, "linear, square, linear on one sample"),
    Preset("cnn1", "ckks", 8192,
           (17179672577, 1073299457, 1073430529, 1073479681, 1073643521, 1073692673, 17179754497), 0, 30, True, 5,
           ("diagonals",), False, "convolution, square, linear, square, linear on one sample"),
    Preset("card-8192", "bfv", 8192,
           (1152921504606748673, 1099510890497, 1099511480321, 1152921504606830593), 1032193, 0, False, 2, ("columns",),
           True, "linear, square, linear of small integers; the published parameters of a card-fraud model"),
)  # fmt: skip


def _checked(table: Sequence[Preset]) -> Mapping[str, Preset]:
    for preset in table:
        check_parameters(preset.n, preset.moduli, scheme=preset.scheme, plain_modulus=preset.plain_modulus)
    return MappingProxyType({preset.name: preset for preset in table})


PRESETS: Mapping[str, Preset] = _checked(_TABLE)
"""Every preset by name."""


def preset_of(name: str) -> Preset:
    """The preset of that name. Raises UnsupportedError (``fhe.preset.unknown``)."""
    try:
        return PRESETS[name]
    except KeyError:
        known = ", ".join(PRESETS)
        raise UnsupportedError("fhe.preset.unknown", f"preset {name[:32]!r}; known: {known}") from None
