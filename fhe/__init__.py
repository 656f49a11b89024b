# SPDX-License-Identifier: AGPL-3.0-or-later
"""Computing on ciphertexts: encrypted execution of small networks in BFV (exact) and CKKS, and its re-check.

A client encrypts under a key of its own; a node evaluates a circuit on ciphertexts; the client decrypts; an auditor who
holds ciphertexts, evaluation keys and circuit executes again and compares digests, without any secret key::

    plan      = fhe.plan(circuit, samples=1)                      anybody who has the circuit
    session   = fhe.client.Session(plan.preset)                   the client; interface = what it knows of the plan
    keys      = session.evaluation_keys(interface)
    request   = session.encrypt(interface, integers)
    answer    = pool.evaluate(plan, request, keys)                the node: fhe.pool.EvaluationPool
    integers  = session.decrypt(interface, answer.ciphertexts)    after verification
    pool.evaluate(plan, request, keys) again                      the auditor: the same bytes, or not

BFV answers are the integers of `circuits.evaluate`, bit for bit; CKKS answers come with an estimated error.

====================  ====================================================================================
module                what is in it
====================  ====================================================================================
presets               encryption parameters by name, 128-bit security checked
wire/                 ciphertexts and keys: one encoding each, strict parsers
network, support      circuit -> affine layers and squares; which gates run encrypted
packing/              coefficient encoding, columns, rotated diagonals and windows
planning, cost, noise  choice of packing and preset; time, traffic, noise left, error
interface             what a client needs to know of a plan
privacy               protected replies: room, statistical distance, seeds
client                keys, encryption, decryption (needs seal-python)
evaluation            one plan under one session's keys (needs numba; BFV squares need seal-python)
ring, transforms,     arithmetic on residues: transforms, key switching, integer matrix products,
kernels, switching,   products of ciphertexts, encoding of real numbers
gemm, squares,
embedding
pool, process,        evaluation of untrusted bytes in processes of their own
worker, sandbox
tenseal_clients,      tensors, vectors and contexts of clients that only have TenSEAL, read and written without
tenseal_contexts,     it: messages and SEAL's objects, byte by byte
seal_objects, protobuf
====================  ====================================================================================

Importing this package needs numpy alone. It may be imported by `verifier`, `node` and `affidavit`, and imports
`circuits`. It does not sign, transport or log anything.
"""

from __future__ import annotations

from typing import NoReturn

from fhe.cost import Estimate, LayerCost, estimate
from fhe.errors import FheError, MalformedError, OperationalError, RejectedError, UnsupportedError
from fhe.interface import Interface, KeyDemand
from fhe.network import Network, read_network
from fhe.planning import EncryptedPlan, candidates, plan
from fhe.presets import PRESETS, Preset, preset_of
from fhe.privacy import commit_seed, open_seed, statistical_distance_bits
from fhe.support import SUPPORT, refusal_of
from fhe.wire import Ciphertexts, EvaluationKeys, dump_ciphertexts, dump_keys, parse_ciphertexts, parse_keys

__all__ = [
    "PRESETS",
    "SUPPORT",
    "Ciphertexts",
    "EncryptedPlan",
    "Estimate",
    "EvaluationKeys",
    "FheError",
    "Interface",
    "KeyDemand",
    "LayerCost",
    "MalformedError",
    "Network",
    "OperationalError",
    "Preset",
    "RejectedError",
    "UnsupportedError",
    "candidates",
    "commit_seed",
    "dump_ciphertexts",
    "dump_keys",
    "estimate",
    "open_seed",
    "parse_ciphertexts",
    "parse_keys",
    "plan",
    "preset_of",
    "read_network",
    "refusal_of",
    "require_encrypted_execution",
    "statistical_distance_bits",
]


def require_encrypted_execution() -> NoReturn:
    """Refuse: whoever runs a circuit on an input in one process shows the input to it. Clients and nodes are two.

    Raises:
        UnsupportedError: ``fhe.unsupported``, always.
    """
    raise UnsupportedError(
        "fhe.unsupported",
        "one process that has model and input hides nothing from itself",
        "ask a node through affidavit.private.PrivateSession, or see `affidavit demo --private`",
    )
