# SPDX-License-Identifier: AGPL-3.0-or-later
"""The committed LeNet-5 is what models/lenet5/README.md says, and its data is what it seems."""

from __future__ import annotations

import hashlib
import re
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "affidavit" / "demo" / "data"

Mnist = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def test_accuracy_on_the_whole_test_set(lenet5_model: bytes, mnist_test: Mnist) -> None:
    images, labels = mnist_test
    session = onnxruntime.InferenceSession(lenet5_model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": images})
    assert logits.shape == (10_000, 10)
    assert np.mean(logits.argmax(axis=1) == labels) >= 0.985


def test_shape_of_the_model(lenet5_model: bytes) -> None:
    assert len(lenet5_model) < 260_000
    model = onnx.load_from_string(lenet5_model)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert sum(prod(weights.dims) for weights in model.graph.initializer) == 61_706
    (image,) = model.graph.input
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == ["N", 1, 28, 28]


def test_calibration_images_are_not_test_images(
    lenet5_calibration: dict[str, npt.NDArray[np.float32]], mnist_test: Mnist
) -> None:
    calibration = lenet5_calibration["image"]
    assert calibration.shape == (512, 1, 28, 28)
    assert calibration.dtype == np.float32
    assert calibration.min() == 0
    assert calibration.max() == 1
    seen = {image.tobytes() for image in mnist_test[0]}
    assert not any(image.tobytes() in seen for image in calibration)


def test_demo_digits_come_from_the_test_set(mnist_test: Mnist) -> None:
    images, labels = mnist_test
    with np.load(DATA / "digits.npz") as file:
        digits, names = file["image"], file["label"]
    assert digits.shape == (100, 1, 28, 28)
    assert np.bincount(names).tolist() == [10] * 10
    test_set = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for digit, name in zip(digits, names, strict=True):
        assert test_set[(digit.astype(np.float32) / np.float32(255)).tobytes()] == name


def test_readme_names_the_committed_bytes() -> None:
    page = (ROOT / "models" / "lenet5" / "README.md").read_text()
    rows = re.findall(r"\]\((\.\./\.\./\S+)\) \| `([0-9a-f]{64})`", page)
    assert len(rows) == 4
    for name, digest in rows:
        assert hashlib.sha256((ROOT / "models" / "lenet5" / name).read_bytes()).hexdigest() == digest
