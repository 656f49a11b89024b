# SPDX-License-Identifier: AGPL-3.0-or-later
"""Model privacy: replies that show the client the output and nothing else of the weights.

A bare reply is linear in the request: for plaintext weights, c1 of the answer divided by c1 of the request *is* the
weights. A protected reply adds an encryption of zero under the client's public key (a, b = -(a s + e))

::

    c0 += b u + E,   c1 += a u + e1          u ternary, e1 centred binomial, E uniform on [-2^k, 2^k)
    E uniform modulo q where a coefficient carries no output
    c0 += q/t times a plaintext uniform in the slots of columns that carry no sample

c1 is then an RLWE sample with secret u, and the phase is the message plus noise drowned in E: whoever holds the
secret key sees what can be simulated from the outputs alone, up to RLWE and a statistical distance of at most

    outputs * B / 2^(k + 1),        B the bound of the circuit's noise plus n * 21 * 2 for e u and e1 s

*per reply*. Distances add up: after r replies the sum is r times that, and :func:`replies_until` says how many replies
of a plan stay within a stated total. One client's limit, not one session's: its keys do not matter.

It holds for requests and keys made as :mod:`fhe.client` makes them. A client who forges either learns linear
functions of its own choice, up to the precision of the modulus; and any client learns a linear model from enough
honest answers. Flooding hides what a reply says beyond its output; it does not limit how many outputs are asked for.

Randomness is SHAKE-256 of a 32-byte seed and of what the reply is to. The seed is committed to beforehand and opened to
auditors alone, so they can execute again; whoever knows it can take the noise off. It must be fresh for each request:
it binds the request, so even a reused one never gives two requests the same noise.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fhe.embedding import slot_places
from fhe.errors import MalformedError, RejectedError, UnsupportedError
from fhe.interface import Interface
from fhe.noise import ERROR_BOUND, bfv_noise, budget_bits
from fhe.wire.residues import Limbs

if TYPE_CHECKING:
    from fhe.planning import EncryptedPlan
    from fhe.ring import Prime, Ring

__all__ = ["check_room", "commit_seed", "flood_bits", "open_seed", "replies_until", "statistical_distance_bits"]

SEED_BYTES = 32
TARGET_BITS = 30
"""A reply is called protected if its statistical distance is below 2^-30; `lin8` has room for 512 x 512 in 8 bits."""
TOTAL_BITS = 20
"""The total that replies are counted up to: one chance in a million to tell them from ones that know no weights."""
MAX_FLOOD_BITS = 126


def commit_seed(seed: bytes) -> bytes:
    """SHA-256 of label and seed: what a receipt carries. Raises MalformedError (``fhe.seed.length``)."""
    if len(seed) != SEED_BYTES:
        raise MalformedError("fhe.seed.length", f"a seed of {len(seed)} bytes; required {SEED_BYTES}")
    return hashlib.sha256(b"affidavit/fhe-flooding-seed@v1\0" + seed).digest()


def open_seed(seed: bytes, commitment: bytes) -> None:
    """Raises RejectedError (``fhe.seed.mismatch``) where the seed is not the committed one."""
    if commit_seed(seed) != commitment:
        raise RejectedError("fhe.seed.mismatch", "the opened seed is not the one that was committed to")


def _bound(plan: EncryptedPlan) -> int:
    symmetric = plan.packing == "coefficient"  # other requests may come from encryptors under a public key
    return bfv_noise(plan, symmetric=symmetric)[-1] + 2 * plan.preset.n * ERROR_BOUND + 1


def flood_bits(plan: EncryptedPlan) -> int:
    """k: the largest with B + 2^k below q / (2 t). Negative or zero where there is no room."""
    room = plan.preset.modulus(plan.preset.levels) // (2 * plan.preset.plain_modulus) - _bound(plan)
    return min(MAX_FLOOD_BITS, room.bit_length() - 1) if room > 0 else 0


def statistical_distance_bits(plan: EncryptedPlan) -> float:
    """-log2 of the statistical distance between a protected reply's noise and one that knows no weights."""
    places = len(plan.interface.scatter) * plan.interface.samples
    if plan.interface.encoding != "coefficients":
        places = plan.interface.returned * plan.preset.n
    return flood_bits(plan) + 1 - float(np.log2(float(_bound(plan)))) - float(np.log2(places))


def replies_until(plan: EncryptedPlan, total_bits: int = TOTAL_BITS) -> int:
    """Protected replies to one client whose statistical distances add up to at most 2^-total_bits."""
    return int(2.0 ** (statistical_distance_bits(plan) - total_bits))


def check_room(plan: EncryptedPlan) -> None:
    """Raises UnsupportedError (``fhe.privacy.no-room``)."""
    if plan.preset.scheme != "bfv":
        raise UnsupportedError(
            "fhe.privacy.no-room", f"{plan.preset.name}: CKKS replies carry the error of the computation in the message"
        )
    if budget_bits(plan.preset, _bound(plan)) <= 0 or statistical_distance_bits(plan) < TARGET_BITS:
        distance = statistical_distance_bits(plan)
        raise UnsupportedError(
            "fhe.privacy.no-room",
            f"{plan.preset.name}: flooding leaves a distance of 2^{-distance:.1f}; required 2^-{TARGET_BITS}",
            "run it as a public model, or with fewer bits",
        )


class Flooding:
    """Adds the noise of one reply."""

    def __init__(self, ring: Ring, plan: EncryptedPlan, public: Limbs) -> None:
        self.ring, self.plan = ring, plan
        level = plan.interface.output_level
        self._public = ring.montgomery(public[:, :level])  # a and b modulo the reply's primes
        self._bits = flood_bits(plan)
        self._taken: npt.NDArray[np.int64] | None = None  # where the samples are, in the order of a transform modulo t
        if plan.interface.encoding == "columns" and plan.interface.samples < ring.n:
            bits, places = ring.n.bit_length() - 1, np.concatenate(slot_places(ring.n))
            taken = [int(f"{place:0{bits}b}"[::-1], 2) for place in places[: plan.interface.samples]]
            self._taken = np.array(taken, np.int64)

    def apply(self, limbs: Limbs, seed: bytes, binding: bytes) -> Limbs:
        """[replies, 2, level, n] in the preset's form -> the same, protected."""
        from fhe import kernels

        ring, (count, _, level, n) = self.ring, limbs.shape
        q, qi = ring.q[:level], ring.inverses[:level]
        out = np.empty_like(limbs)
        for i in range(count):
            stream = hashlib.shake_256(
                b"affidavit/fhe-flooding@v1\0" + seed + binding + i.to_bytes(4, "little")
            ).digest((n + 512) + 6 * n + 16 * n * (level + 1))
            u, rest = ternary(stream, n)
            e1 = binomial(rest[: 6 * n])
            noise = self._noise(rest[6 * n :], i, level)
            small = ring.forward(ring.residues(np.stack([u, e1]), level))
            if self.plan.preset.ntt:
                noise = ring.forward(noise)
            masks = np.empty((2, level, n), np.uint64)
            for p in range(2):
                kernels.multiply(masks[p], small[0], self._public[p], q, qi)
            masks[1] = ring.add(masks[1], small[1])
            if not self.plan.preset.ntt:
                masks = ring.backward(masks)
            masks[0] = ring.add(masks[0], noise)
            out[i] = ring.add(limbs[i], masks)
        return out

    def _noise(self, stream: bytes, reply: int, level: int) -> Limbs:
        """E: [level, n], coefficient form."""
        n = self.ring.n
        words = np.frombuffer(stream, "<u8", 2 * n * (level + 1)).reshape(level + 1, 2, n)
        mask = [(1 << min(64, self._bits + 1)) - 1, (1 << max(0, self._bits + 1 - 64)) - 1]
        low, high = words[0, 0] & np.uint64(mask[0]), words[0, 1] & np.uint64(mask[1])
        noise = np.stack([self._residue(low, high, i, 1 << self._bits) for i in range(level)])
        idle = idle_places(self.plan.interface, reply)
        if idle is not None:
            for i in range(level):
                noise[i, idle] = self._residue(words[i + 1, 0], words[i + 1, 1], i, 0)[idle]
        if self._taken is not None:
            # Words that no idle coefficient uses: those are of the other encoding.
            noise = self.ring.add(noise, self._idle_slots(words[1, 0], words[1, 1], level))
        return noise

    def _idle_slots(self, low: Limbs, high: Limbs, level: int) -> Limbs:
        """A plaintext that is uniform modulo t in slots without a sample and zero in the others, times q/t."""
        from fhe import transforms
        from fhe.ring import prime
        from fhe.scaling import scaled

        preset = self.plan.preset
        modulus = prime(preset.plain_modulus, preset.n)
        values = reduced(low, high, 0, modulus)
        values[self._taken] = 0
        transforms.inverse(values[None], *modulus.backward, modulus.q, *modulus.scale)
        return scaled(values.astype(np.int64), preset, level)

    def _residue(self, low: Limbs, high: Limbs, index: int, minus: int) -> Limbs:
        """low + 2^64 high - minus modulo a prime."""
        return reduced(low, high, minus, self.ring.primes[index])


def reduced(low: Limbs, high: Limbs, minus: int, prime: Prime) -> Limbs:
    """low + 2^64 high - minus modulo a prime."""
    from fhe import kernels

    a, b = np.empty_like(low), np.empty_like(high)
    kernels.lift(np.ascontiguousarray(low), a, prime.q, prime.ratio)
    kernels.lift(np.ascontiguousarray(high), b, prime.q, prime.ratio)
    kernels.scale_by(b[None], *prime.constant(1 << 64), prime.q)
    kernels.add(a, b, prime.q)
    kernels.add_half(a, np.uint64(-minus % int(prime.q)), prime.q)
    return a


def idle_places(interface: Interface, reply: int) -> npt.NDArray[np.bool_] | None:
    """Coefficients of a reply that carry no output; None where all do."""
    if interface.encoding != "coefficients":
        return None
    n = interface.preset.n
    idle = np.ones(interface.replies * n, np.bool_)
    idle[interface.scatter] = False
    own: npt.NDArray[np.bool_] = idle.reshape(-1, n)[reply % interface.replies]
    return own


def ternary(stream: bytes, n: int) -> tuple[npt.NDArray[np.int64], bytes]:
    """n values uniform on {-1, 0, 1} from the stream's first n + 512 bytes, and the rest of it.

    Bytes modulo 3, without 255. Fewer than n of n + 512 bytes left has a probability far below 2^-128; then the last
    ones are taken from the front again.
    """
    drawn = np.frombuffer(stream, np.uint8, n + 512)
    kept = drawn[drawn != 255]
    kept = np.resize(kept, n) if len(kept) < n else kept[:n]
    values: npt.NDArray[np.int64] = kept.astype(np.int64) % 3 - 1
    return values, stream[n + 512 :]


def binomial(stream: bytes) -> npt.NDArray[np.int64]:
    """Centred binomial of 2 x 21 bits from 6 bytes each: int64 [len / 6]."""
    rows = np.frombuffer(stream, np.uint8).reshape(-1, 6).astype(np.uint64)
    word = sum((rows[:, i] << np.uint64(8 * i) for i in range(6)), np.zeros(len(rows), np.uint64))
    ones = np.uint64((1 << 21) - 1)
    first, second = np.bitwise_count(word & ones), np.bitwise_count((word >> np.uint64(21)) & ones)
    difference: npt.NDArray[np.int64] = first.astype(np.int64) - second.astype(np.int64)
    return difference
