# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client's side in tests, with TenSEAL alone: a context, a request, and how its answer reads."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import fhe
from fhe.protobuf import tagged
from fhe.tenseal_clients import kind_of
from tests.fhe.making import inputs_of


@dataclass(frozen=True)
class Asked:
    """A plan, TenSEAL's context with its secret key, what goes to the node, and what is in it."""

    plan: fhe.EncryptedPlan
    tenseal: Any
    context: bytes
    request: bytes
    inputs: npt.NDArray[np.int64]


def ask(plan: fhe.EncryptedPlan) -> Asked:
    """New keys and a request for that plan."""
    ts = import_module("tenseal")
    preset, interface = plan.preset, plan.interface
    bits, inputs = [q.bit_length() for q in preset.moduli], inputs_of(plan.circuit, plan.interface.samples)
    if preset.scheme == "bfv":
        context = ts.context(ts.SCHEME_TYPE.BFV, preset.n, preset.plain_modulus, bits)
        request = ts.bfv_tensor(context, ts.plain_tensor(inputs.tolist()), batch=True)
    else:
        context = ts.context(ts.SCHEME_TYPE.CKKS, preset.n, coeff_mod_bit_sizes=bits)
        context.global_scale = interface.input_scale
        if kind_of(interface) == "ckks_vector":
            places = interface.gather.reshape(-1)
            values = [np.append(one.reshape(-1) * interface.unit, 0)[places] for one in inputs]
            request = ts.ckks_vector(context, np.concatenate(values).tolist())
        else:
            request = ts.ckks_tensor(context, ts.plain_tensor((inputs * interface.unit).tolist()), batch=True)
    sent: bytes = context.serialize(save_secret_key=False, save_galois_keys=False)
    if interface.keys.galois:
        sent += tagged(2, tagged(5, galois(context, tuple(sorted(interface.keys.galois)))))
    return Asked(plan, context, sent, request.serialize(), inputs)


@cache
def galois(context: Any, elements: tuple[int, ...]) -> bytes:
    """Galois keys of a context for these elements, as SEAL saves them."""
    seal = import_module("tenseal.sealapi")
    keys = seal.GaloisKeys()
    seal.KeyGenerator(context.seal_context().data, context.secret_key().data).create_galois_keys(list(elements), keys)
    with tempfile.TemporaryDirectory() as folder:
        keys.save(str(Path(folder) / "keys"))
        return (Path(folder) / "keys").read_bytes()


def decrypt(asked: Asked, answer: bytes) -> npt.NDArray[np.float64]:
    """[samples, outputs], as TenSEAL decrypts them."""
    ts, interface = import_module("tenseal"), asked.plan.interface
    kind = kind_of(interface)
    values = getattr(ts, f"{kind}_from")(asked.tenseal, answer).decrypt()
    if kind == "ckks_vector":
        rows = np.array(values).reshape(interface.samples, -1)[:, interface.scatter]
    else:
        rows = np.array(values.tolist())
    return rows * interface.output_unit
