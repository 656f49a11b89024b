# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client's side: what it refuses, and its protected file."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fhe
from tests.fhe.making import expected, inputs_of, keys_for, linear, mlp, needs_seal, run, session

pytestmark = needs_seal


def test_inputs_are_checked_before_they_are_encrypted() -> None:
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin6-public")
    client = session("lin6-public")
    for wrong in (np.zeros((1, 39), int), np.zeros((2, 40), int), np.zeros((1, 40)), np.zeros(40)):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.input\.shape"):
            client.encrypt(plan.interface, wrong)  # type: ignore[arg-type]
    for value in (-1, 16):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.input\.range"):
            client.encrypt(plan.interface, np.full((1, 40), value))


def test_a_session_serves_one_preset() -> None:
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin6-public")
    other = session("lin8")
    for use in (
        lambda: other.encrypt(plan.interface, inputs_of(plan.circuit, 1)),
        lambda: other.evaluation_keys(plan.interface),
        lambda: other.decrypt(plan.interface, b""),
    ):
        with pytest.raises(fhe.RejectedError, match=r"fhe\.session\.preset-mismatch"):
            use()


def test_an_interface_that_the_scheme_cannot_have_is_refused_before_a_client_uses_it() -> None:
    """What a node says of its plan reaches SEAL in the client's process: every part of it has limits."""
    exact = fhe.plan(mlp((3, 2, 2), 7, 3), preset="batch-mlp-exact", samples=4).interface
    real = fhe.plan(mlp((3, 2, 2), 7, 3), preset="mlp1").interface
    for interface, wrong in (
        (exact, {"output_level": 1}),  # one modulus is shorter than t: SEAL has no such level
        (exact, {"lo": -(1 << 52), "hi": 1 << 52}),
        (exact, {"input_scale": 2.0}),
        (exact, {"output_scale": 2.0}),
        (exact, {"unit": 0.5}),
        (real, {"output_scale": 2.0**150}),
        (real, {"output_level": 1, "output_scale": 2.0**100}),
        (real, {"output_scale": 0.5}),
        (real, {"unit": 2.0**-400, "input_scale": 2.0**400}),
    ):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.interface\.malformed"):
            fhe.Interface.decode(replace(interface, **wrong).encode())
        assert fhe.Interface.decode(interface.encode()).digest == interface.digest


def test_an_answer_of_another_form_is_not_decrypted() -> None:
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin6-public", samples=2)
    _, request, answer = run(plan, inputs_of(plan.circuit, 2))
    one = fhe.parse_ciphertexts(answer)
    short = fhe.dump_ciphertexts(fhe.Ciphertexts(one.preset, one.limbs[:1], one.scale))
    client = session("lin6-public")
    with pytest.raises(fhe.RejectedError, match=r"fhe\.answer\.mismatch"):
        client.decrypt(plan.interface, short)
    with pytest.raises(fhe.MalformedError):
        client.decrypt(plan.interface, answer[:-1])
    assert request != answer


def test_an_altered_answer_decrypts_without_complaint() -> None:
    """Content is never a reason to fail: a node must learn nothing from how a client takes an answer."""
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin6-public")
    inputs = inputs_of(plan.circuit, 1)
    values, _, answer = run(plan, inputs)
    bundle = fhe.parse_ciphertexts(answer)
    bundle.limbs[0, 0] = np.roll(bundle.limbs[0, 0], 1)
    wrong = session("lin6-public").decrypt(plan.interface, fhe.dump_ciphertexts(bundle))
    assert wrong.shape == values.shape and not np.array_equal(wrong, values)


def test_encryptions_are_fresh() -> None:
    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin6-public")
    client, inputs = session("lin6-public"), inputs_of(plan.circuit, 1)
    first, second = (fhe.parse_ciphertexts(client.encrypt(plan.interface, inputs)).limbs for _ in range(2))
    assert (first == second).mean() < 0.001


def test_keys_must_be_exactly_what_the_plan_needs() -> None:
    from fhe.evaluation import Evaluation

    columns = fhe.plan(mlp((3, 2, 2), 7, 3), preset="batch-mlp-ckks", samples=4)
    good = fhe.parse_keys(keys_for(columns))
    with pytest.raises(fhe.MalformedError, match=r"fhe\.keys\.missing"):
        Evaluation(columns, fhe.EvaluationKeys(columns.preset))
    surplus = fhe.EvaluationKeys(columns.preset, relin=good.relin, galois={3: good.relin})  # type: ignore[dict-item]
    with pytest.raises(fhe.MalformedError, match=r"fhe\.keys\.surplus"):
        Evaluation(columns, surplus)
    with pytest.raises(fhe.RejectedError, match=r"fhe\.keys\.preset-mismatch"):
        Evaluation(columns, fhe.EvaluationKeys(fhe.preset_of("lin8")))
    request = session("batch-mlp-ckks").encrypt(columns.interface, inputs_of(columns.circuit, 4))
    read = fhe.parse_ciphertexts(request)
    with pytest.raises(fhe.RejectedError, match=r"fhe\.request\.mismatch"):
        Evaluation(columns, good).run(fhe.Ciphertexts(read.preset, read.limbs[:1], read.scale))


def test_a_key_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fhe.keyfile import load_session, save_session

    path, client = tmp_path / "session.key", session("lin6-public")

    def full(_: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            save_session(client, path, "correct horse")
    assert list(tmp_path.iterdir()) == []
    save_session(client, path, "correct horse")
    assert load_session(path, "correct horse").export_secret() == client.export_secret()
    link = tmp_path / "link.key"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        save_session(client, link, "correct horse")
    assert not (tmp_path / "elsewhere").exists()


def test_a_session_survives_in_a_protected_file(tmp_path: Path) -> None:
    from fhe.client import Session
    from fhe.keyfile import load_session, save_session

    plan = fhe.plan(linear((40, 3), 15, 7), preset="lin6-public")
    path = tmp_path / "session.key"
    client = session("lin6-public")
    save_session(client, path, "correct horse")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert client._secret.to_string()[100:200] not in path.read_bytes()
    again = load_session(path, "correct horse")
    assert isinstance(again, Session)
    inputs = inputs_of(plan.circuit, 1)
    _, _, answer = run(plan, inputs)
    assert np.array_equal(again.decrypt(plan.interface, answer), expected(plan.circuit, inputs))
    with pytest.raises(FileExistsError):
        save_session(client, path, "another")
    with pytest.raises(fhe.RejectedError, match=r"fhe\.keyfile\.unopened"):
        load_session(path, "wrong horse")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(fhe.RejectedError, match=r"fhe\.keyfile\.unopened"):
        load_session(path, "correct horse")
    for wrong in (b"", b"AFFFHES1", bytes(200)):
        path.write_bytes(wrong)
        with pytest.raises(fhe.MalformedError, match=r"fhe\.keyfile\.malformed"):
            load_session(path, "correct horse")


def test_an_empty_passphrase_protects_nothing(tmp_path: Path) -> None:
    from fhe.keyfile import load_session, save_session

    for passphrase in ("", " \n"):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.keyfile\.passphrase"):
            save_session(session("lin6-public"), tmp_path / "session.key", passphrase)
        with pytest.raises(fhe.MalformedError, match=r"fhe\.keyfile\.passphrase"):
            load_session(tmp_path / "session.key", passphrase)
    assert not list(tmp_path.iterdir())
