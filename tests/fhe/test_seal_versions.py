# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other SEALs than the one that was tested: an older one works, one whose forms are not known is refused by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fhe
from fhe.seal_bridge import _HEADER, SealContext, load_seal, serialised_version
from fhe.wire.residues import Limbs
from tests.fhe.making import needs_seal

pytestmark = needs_seal

MAGIC = bytes([0x5E, 0xA1, _HEADER.size])


def seal_of(version: tuple[int, int]) -> SimpleNamespace:
    """The installed SEAL, but for the version that its objects state, and that it demands of those which it reads."""
    seal = load_seal()
    plaintexts, ciphertexts = seal.Plaintext, seal.Ciphertext
    real, stated = MAGIC + bytes(serialised_version(seal)), MAGIC + bytes(version)

    class Plaintext(plaintexts):  # type: ignore[misc, valid-type]
        def to_bytes(self, mode: Any) -> bytes:
            return super().to_bytes(mode).replace(real, stated)

    class Ciphertext(ciphertexts):  # type: ignore[misc, valid-type]
        def load_bytes(self, context: Any, data: bytes) -> None:
            if data.count(stated) != 2:  # the object's header, and that of the array in it
                raise RuntimeError("incompatible version")
            super().load_bytes(context, data.replace(stated, real))

    return SimpleNamespace(**{**vars(seal), "Plaintext": Plaintext, "Ciphertext": Ciphertext})


def squared() -> Limbs:
    """A square by SEAL of made-up residues: uint64 [3, level, n]."""
    preset = fhe.preset_of("batch-mlp-exact")
    context = SealContext(preset)
    rng = np.random.default_rng(7)
    moduli = preset.moduli[: preset.levels]
    limbs = np.stack([rng.integers(0, q, (2, preset.n), np.uint64) for q in moduli], axis=1)
    evaluator = context.seal.Evaluator(context.context)
    return context.limbs(evaluator.square(context.ciphertext(limbs, ntt=False)))


def test_an_older_seal_of_the_same_forms_works(monkeypatch: pytest.MonkeyPatch) -> None:
    here = squared()
    older = seal_of((4, 1))
    assert serialised_version(older) == (4, 1)
    monkeypatch.setattr("fhe.seal_bridge.load_seal", lambda: older)
    assert np.array_equal(squared(), here)


@pytest.mark.parametrize("version", [(3, 7), (5, 0)])
def test_a_seal_of_unknown_forms_is_refused(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]) -> None:
    other = seal_of(version)
    monkeypatch.setattr("fhe.seal_bridge.load_seal", lambda: other)
    with pytest.raises(fhe.UnsupportedError, match=r"version \d\.\d; required 4") as refused:
        squared()
    assert refused.value.code == "fhe.library.version" and "affidavit[fhe]" in refused.value.remedy


def test_another_module_of_that_name_is_refused() -> None:
    with pytest.raises(fhe.UnsupportedError, match="not seal-python") as refused:
        serialised_version(SimpleNamespace())
    assert refused.value.code == "fhe.library.version" and refused.value.remedy


def test_a_seal_that_does_not_read_its_own_version_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = seal_of((4, 2))
    odd.Plaintext = load_seal().Plaintext
    monkeypatch.setattr("fhe.seal_bridge.load_seal", lambda: odd)
    with pytest.raises(fhe.OperationalError, match="incompatible version") as refused:
        squared()
    assert refused.value.code == "fhe.library.disagrees" and refused.value.remedy
