# SPDX-License-Identifier: AGPL-3.0-or-later
"""A policy never weakens by omission, and never by a typing error."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier import DEFAULT_POLICY, MalformedError, parse_policy
from verifier.fields import Fields

MINIMAL = 'format = "policy@v1"\nprofile = "production"\n[require]\nassurance = ["signed"]\n'


def test_minimal_policy_trusts_nobody():
    policy = parse_policy(MINIMAL.encode())
    assert policy.id == hashlib.sha256(MINIMAL.encode()).digest()
    assert policy.require_nonce and policy.require_input and policy.require_model
    assert not (policy.nodes or policy.recheckers or policy.models or policy.evidence)
    assert not policy.unsafe_accept_simulated
    assert policy.trust == {}


def test_default_policy_trusts_nobody():
    assert DEFAULT_POLICY.assurance == ("signed", "attested")
    assert not (DEFAULT_POLICY.nodes or DEFAULT_POLICY.evidence or DEFAULT_POLICY.unsafe_accept_simulated)


def test_everything_is_read():
    text = MINIMAL.replace('"production"', '"development"\nname = "n"') + (
        "nonce = false\ninput = false\nmodel = false\nminimum_score_permille = 900\nmax_age_seconds = 60\n"
        f'[request]\nnonce = "{"0a" * 32}"\ninput = "{"0b" * 32}"\n'
        f'[models]\nallowed = ["{"0c" * 32}"]\n'
        f'[keys]\nnodes = ["{"0d" * 32}"]\nrecheckers = ["{"0e" * 32}"]\n'
        '[evidence]\naccept = ["tpm2-quote@v1"]\nunsafe_accept_simulated = true\n'
        f'[evidence.tpm2]\npcrs = {{ 0 = ["{"0f" * 32}"], 23 = ["{"1f" * 32}"] }}\n'
        "[limits]\nmax_macs = 7\n"
    )
    policy = parse_policy(text.encode())
    assert (policy.name, policy.profile, policy.minimum_score, policy.max_age_seconds) == (
        "n",
        "development",
        900,
        60,
    )
    assert not (policy.require_nonce or policy.require_input or policy.require_model)
    assert policy.request.nonce == b"\x0a" * 32 and policy.request.input == b"\x0b" * 32
    assert policy.models == {b"\x0c" * 32} and policy.nodes == {b"\x0d" * 32}
    assert policy.recheckers == {b"\x0e" * 32}
    assert policy.evidence == ("tpm2-quote@v1",) and policy.unsafe_accept_simulated
    assert policy.trust["tpm2"].reference_pcrs == {
        ("sha256", 0): frozenset({b"\x0f" * 32}),
        ("sha256", 23): frozenset({b"\x1f" * 32}),
    }
    assert policy.max_macs == 7


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "policy.version.unknown"),
        (MINIMAL.replace("@v1", "@v2"), "policy.version.unknown"),
        ("{", "policy.malformed"),
        ("\xff", "policy.malformed"),
        (MINIMAL.replace("production", "prod"), "policy.malformed"),
        (MINIMAL.replace('["signed"]', "[]"), "policy.malformed"),
        (MINIMAL.replace('["signed"]', '["sworn"]'), "policy.malformed"),
        (MINIMAL.replace("assurance", "assurances"), "policy.malformed"),
        (MINIMAL + "nonce = 0\n", "policy.malformed"),
        (MINIMAL + "minimum_score_permille = 1001\n", "policy.malformed"),
        (MINIMAL + "[typo]\n", "policy.malformed"),
        (MINIMAL + '[request]\nnonce = "00"\n', "policy.malformed"),
        (MINIMAL + '[models]\nallowed = ["XY"]\n', "policy.malformed"),
        (MINIMAL + f'[models.commitments]\n"{"0a" * 32}" = "{"0b" * 32}"\n', "policy.malformed"),
        (
            MINIMAL + f'[models]\nallowed = ["{"0a" * 32}"]\ncommitments = {{ "{"0c" * 32}" = "{"0b" * 32}" }}\n',
            "policy.malformed",
        ),
        (
            MINIMAL + f'[models]\nallowed = ["{"0a" * 32}"]\ncommitments = {{ "{"0a" * 32}" = "0b" }}\n',
            "policy.malformed",
        ),
        (MINIMAL + f'[models]\nallowed = ["{"0a" * 32}"]\ncommitments = ["{"0a" * 32}"]\n', "policy.malformed"),
        (MINIMAL + "[evidence]\nunsafe_accept_simulated = true\n", "policy.unsafe.in-production"),
        (MINIMAL + '[evidence.tpm2]\nek_roots = ["not a certificate"]\n', "policy.malformed"),
        (MINIMAL + "[evidence.tpm2]\npcrs = { 24 = [] }\n", "policy.malformed"),
        (MINIMAL + "[evidence.tpm2]\npcrs = { 0 = [] }\n", "policy.malformed"),
        (MINIMAL + "[evidence.tpm2]\npcrs = { 007 = [] }\n", "policy.malformed"),
        (MINIMAL + "a = " + "[" * 5000, "policy.malformed"),
        (MINIMAL + "#" * (1 << 20), "policy.malformed"),
    ],
)
def test_refused(text, code):
    with pytest.raises(MalformedError) as error:
        parse_policy(text.encode())
    assert error.value.code == code


@pytest.mark.parametrize(
    "place", ["max_age_seconds", "nonce", "[limits]\nmax_macs", "[request]\nnonce", "[keys]\nnodes"]
)
def test_integers_of_thousands_of_digits(place):
    with pytest.raises(MalformedError) as error:
        parse_policy(f"{MINIMAL}\n{place} = 0x{'f' * 6000}\n".encode())
    assert error.value.code == "policy.malformed"


@given(st.binary(max_size=200), st.booleans())
def test_hostile_bytes_give_typed_errors_only(data, behind):
    with contextlib.suppress(MalformedError):
        parse_policy(MINIMAL.encode() + data if behind else data)


def test_times_have_ascii_digits():
    with pytest.raises(MalformedError):
        Fields({"at": "\u0662\u0660\u0662\u0666-11-21T10:00:00Z"}, "receipt", "receipt.malformed").time("at")


def test_commitments_belong_to_listed_circuits():
    text = f'[models]\nallowed = ["{"0a" * 32}", "{"0c" * 32}"]\n[models.commitments]\n"{"0a" * 32}" = "{"0b" * 32}"\n'
    assert parse_policy((MINIMAL + text).encode()).commitments == {b"\x0a" * 32: b"\x0b" * 32}
