# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever is malformed gets a clear error with a code, a non-zero exit and no traceback, and changes nothing."""

from __future__ import annotations

import io
import socket
import struct
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.verifier.making import inputs


def onnx_with(operator: str) -> bytes:
    node = helper.make_node(operator, ["x"], ["y"], name="the_odd_one")
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in ("x", "y")]
    graph = helper.make_graph([node], "g", info[:1], info[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    ("model", "exit_code", "said"),
    [
        (b"", 30, "compile.onnx."),
        (b"not an ONNX file", 30, "compile.onnx."),
        (onnx_with("Relu")[:-7], 30, "compile.onnx."),
        (onnx_with("Erf"), 20, "compile.operator.unsupported"),
        (onnx_with("Frobnicate"), 20, "Frobnicate (node 'the_odd_one')"),
    ],
)
def test_compile(affidavit, place, model, exit_code, said):
    (place / "m.onnx").write_bytes(model)
    np.savez(place / "c.npz", x=np.zeros((2, 4), np.float32))
    ran = affidavit("compile", place / "m.onnx", "--calibrate", place / "c.npz", "-o", place / "m.circuit")
    assert ran.code == exit_code, ran.err
    assert said in ran.err
    assert not (place / "m.circuit").exists()


def test_an_unsupported_operator_is_named(affidavit, place):
    (place / "m.onnx").write_bytes(onnx_with("Erf"))
    np.savez(place / "c.npz", x=np.zeros((2, 4), np.float32))
    ran = affidavit("compile", place / "m.onnx", "--calibrate", place / "c.npz", "-o", place / "m.circuit")
    assert "Erf" in ran.err and "the_odd_one" in ran.err and "what to do:" in ran.err
    assert onnx.load_model_from_string(onnx_with("Erf")).graph.node[0].op_type == "Erf"


def npz(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def bomb() -> bytes:
    return zipped({f"{i}.npy": b"" for i in range(300)})


def deflated(first: bytes) -> bytes:
    """An archive whose compressed data begins with ``first``, which no deflate stream does."""
    good = zipped({"x.npy": npz(x=X)})
    start = 30 + len("x.npy")
    return good[:start] + first + good[start + 1 :]


def declaring(shape: str) -> bytes:
    """An archive with an array of that shape in its header, and no data."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return zipped({"x.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header})


X = inputs()["x"]
NAN = X.copy()
NAN[0, 0] = np.nan
WIDE = X.copy()
WIDE[0, 0] = 1.5


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (npz(x=NAN), "input.not-finite"),
        (npz(x=WIDE), "input.out-of-range"),
        (npz(x=-X - 1), "input.out-of-range"),
        (npz(x=X[:, :3]), "input.shape"),
        (npz(x=X[0]), "input.shape"),
        (npz(x=X.astype(np.float64)), "input.dtype"),
        (npz(z=X), "input."),
        (npz(x=X, z=X), "input.unknown"),
        (npz(), "input.missing"),
        (npz(x=X[:0]), "input.batch"),
        (npz(x=np.array([object()])), "input.npz.malformed"),
        (b"", "input.npz.malformed"),
        (b"text", "input.npz.malformed"),
        (npz(x=X)[:-30], "input.npz.malformed"),
        (deflated(b"\xff"), "input.npz.malformed"),
        (declaring("(1 << 40,)"), "input.npz.malformed"),
        (declaring(f"({1 << 40},)"), "input.npz.malformed"),
        (declaring(f"({1 << 70},)"), "input.npz.malformed"),
        (declaring("((("), "input.npz.malformed"),
        (zipped({"x.txt": b"no array"}), "input.npz.malformed"),
        (bomb(), "input.npz.too-large"),
    ],
)
def test_run(affidavit, place, content, code):
    (place / "bad.npz").write_bytes(content)
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "bad.npz", "-o", place / "a.affidavit",
        "--evidence", "simulated",
    )  # fmt: skip
    assert ran.code == 30, ran.err
    assert code in ran.err
    assert not (place / "a.affidavit").exists()


@pytest.mark.parametrize("content", [b"", b"AFFCIRC1", b"AFFCIRC9" + bytes(8), b"x" * 100])
def test_circuits(affidavit, place, content):
    (place / "bad.circuit").write_bytes(content)
    ran = affidavit("run", place / "bad.circuit", "--input", place / "x.npz", "-o", place / "a.affidavit")
    assert ran.code in (20, 30)
    assert "circuit." in ran.err
    assert not (place / "a.affidavit").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--nonce", "xyz"], "option.malformed"),
        (["--nonce", "ab" * 31], "option.malformed"),
        (["--at", "yesterday"], "option.malformed"),
        (["--policy", "POLICY"], "policy.malformed"),
    ],
)
def test_options(affidavit, answered, arguments, code):
    (answered / "bad.toml").write_text("format = 'policy@v1'\nnonsense = 1\n")
    given = [answered / "bad.toml" if word == "POLICY" else word for word in arguments]
    ran = affidavit("verify", answered / "a.affidavit", *given)
    assert ran.code == 30 and code in ran.err


def test_an_output_that_cannot_be_written(affidavit, place):
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "no" / "such" / "a.affidavit",
        "--evidence", "simulated",
    )  # fmt: skip
    assert ran.code == 1 and "file.unwritable" in ran.err


def test_errors_as_json(affidavit, place):
    ran = affidavit("verify", place / "nowhere.affidavit", "--json")
    assert ran.code == 1
    assert ran.json["verdict"] == "ERROR" and ran.json["code"] == "file.unreadable" and ran.json["remedy"]


def test_a_range_that_holds_no_sample_is_said(affidavit, place):
    (place / "m.onnx").write_bytes(onnx_with("Relu"))
    np.savez(place / "c.npz", x=np.ones((2, 4), np.float32))
    ran = affidavit(
        "compile", place / "m.onnx", "--calibrate", place / "c.npz", "-o", place / "m.circuit",
        "--input-range", "x=0:0.5",
    )  # fmt: skip
    assert ran.code == 0 and "all 2 samples were outside" in ran.out, ran.err


@pytest.mark.parametrize("port", ["99999", "TAKEN"])
def test_an_address_that_cannot_be_used(affidavit, tmp_path, port):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = str(taken.getsockname()[1]) if port == "TAKEN" else port
        ran = affidavit(
            "verifier", "serve", "--port", chosen, "--blobs", tmp_path / "blobs",
            "--database", f"sqlite:///{tmp_path}/v.db",
        )  # fmt: skip
    assert ran.code == 1 and "service.address.unusable" in ran.err
